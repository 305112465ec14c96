// SPDX-License-Identifier: Apache-2.0
#include "weft/data/dataset.h"

#include <cstring>
#include <utility>

#include "weft/base/error.h"
#include "weft/base/text.h"

namespace weft::data {

namespace {

SampleSpec spec_of(const Tensor& rows) { return {rows.shape().without(0), rows.dtype()}; }

void require_rows(const Tensor& tensor, std::string_view name) {
  if (tensor.rank() == 0) {
    throw Error(ErrorKind::shape,
                cat("dataset: ", name, " is a scalar; it needs a dimension of samples"));
  }
  if (!tensor.device().is_cpu()) {
    throw Error(ErrorKind::device,
                cat("dataset: ", name, " is ", describe(tensor), "; datasets are read on the CPU"),
                "pass it .to(\"cpu\")");
  }
}

void copy_rows(const Tensor& from, std::span<const std::int64_t> rows, Tensor& to) {
  const std::size_t bytes =
      static_cast<std::size_t>(from.shape().numel(1, from.rank())) * size_of(from.dtype());
  if (bytes == 0) return;
  const std::byte* const source = from.impl()->data;
  std::byte* target = to.impl()->data;
  for (const std::int64_t row : rows) {
    std::memcpy(target, source + static_cast<std::size_t>(row) * bytes, bytes);
    target += bytes;
  }
}

}  // namespace

Dataset::~Dataset() = default;

TensorDataset::TensorDataset(Tensor x, Tensor y) : x_(std::move(x)), y_(std::move(y)) {
  require_rows(x_, "x");
  if (!y_.defined()) return;
  require_rows(y_, "y");
  if (x_.shape(0) != y_.shape(0)) {
    throw Error(ErrorKind::shape,
                cat("dataset: x is ", describe(x_), " and y is ", describe(y_),
                    ": numbers of samples ", x_.shape(0), " and ", y_.shape(0), " differ"));
  }
}

std::int64_t TensorDataset::size() const { return x_.shape()[0]; }
SampleSpec TensorDataset::input() const { return spec_of(x_); }

std::optional<SampleSpec> TensorDataset::target() const {
  return y_.defined() ? std::optional(spec_of(y_)) : std::nullopt;
}

void TensorDataset::fetch(const Fetch& what, Tensor& x, Tensor& y) const {
  copy_rows(x_, what.indices, x);
  if (y_.defined()) copy_rows(y_, what.indices, y);
}

Subset::Subset(std::shared_ptr<const Dataset> dataset, std::vector<std::int64_t> indices)
    : dataset_(std::move(dataset)), indices_(std::move(indices)) {
  for (const std::int64_t index : indices_) {
    if (index >= 0 && index < dataset_->size()) continue;
    throw Error(ErrorKind::index,
                cat("subset: sample ", index, " of a dataset of ", dataset_->size()));
  }
}

std::int64_t Subset::size() const { return static_cast<std::int64_t>(indices_.size()); }
SampleSpec Subset::input() const { return dataset_->input(); }
std::optional<SampleSpec> Subset::target() const { return dataset_->target(); }

void Subset::fetch(const Fetch& what, Tensor& x, Tensor& y) const {
  std::vector<std::int64_t> inner;
  inner.reserve(what.indices.size());
  for (const std::int64_t index : what.indices)
    inner.push_back(indices_[static_cast<std::size_t>(index)]);
  dataset_->fetch({.indices = inner, .epoch = what.epoch, .seed = what.seed}, x, y);
}

}  // namespace weft::data
