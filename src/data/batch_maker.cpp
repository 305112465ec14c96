// SPDX-License-Identifier: Apache-2.0
#include "data/batch_maker.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "data/random_order.h"
#include "weft/base/error.h"
#include "weft/base/text.h"

namespace weft::data {

namespace {

void require_options(const Dataset& dataset, const LoaderOptions& options) {
  if (options.batch_size < 1) {
    throw Error(ErrorKind::value,
                cat("loader: batch_size is ", options.batch_size, "; it must be at least 1"));
  }
  if (options.prefetch < 0 || options.prefetch > 1024) {
    throw Error(ErrorKind::value,
                cat("loader: prefetch is ", options.prefetch, "; it must be in [0, 1024]"));
  }
  if (dataset.size() == 0) throw Error(ErrorKind::value, "loader: the dataset is empty");
  if (options.last_batch == LastBatch::drop && dataset.size() < options.batch_size) {
    throw Error(ErrorKind::value,
                cat("loader: last_batch drop leaves nothing of ", dataset.size(),
                    " samples in batches of ", options.batch_size),
                "take a smaller batch_size, or last_batch keep");
  }
}

std::int64_t count_batches(std::int64_t samples, const LoaderOptions& options) {
  const std::int64_t whole = samples / options.batch_size;
  const bool rest = samples % options.batch_size != 0 && options.last_batch != LastBatch::drop;
  return whole + rest;
}

Shape batch_shape(std::int64_t rows, const Shape& sample) { return sample.inserted(0, rows); }

// The batches ahead, the one being made, the consumer's, and one that its last step may still hold.
std::size_t buffers_for(const LoaderOptions& options) {
  return options.reuse_buffers ? static_cast<std::size_t>(options.prefetch) + 3 : 0;
}

}  // namespace

Tensor BufferRing::make(const Shape& shape, DType dtype) {
  const std::size_t bytes = static_cast<std::size_t>(shape.numel()) * size_of(dtype);
  for (StorageRef& buffer : buffers_) {
    // Acquire: what the last holder read happened before we overwrite it.
    if (buffer->refs.load(std::memory_order_acquire) != 1 || buffer->bytes < bytes) continue;
    ++buffer->version;
    return Tensor::over(buffer, 0, shape, dtype);
  }
  StorageRef fresh = make_storage(bytes, Device{});
  if (buffers_.size() < limit_) buffers_.push_back(fresh);
  return Tensor::over(std::move(fresh), 0, shape, dtype);
}

BatchMaker::BatchMaker(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options)
    : dataset_(std::move(dataset)),
      options_(options),
      inputs_(buffers_for(options)),
      targets_(buffers_for(options)) {
  require_options(*dataset_, options_);
  batches_ = count_batches(dataset_->size(), options_);
}

void BatchMaker::begin_epoch(std::int64_t epoch) {
  epoch_ = epoch;
  if (options_.shuffle) {
    order_ = random_order(dataset_->size(), options_.seed, stream_id("loader"),
                          static_cast<std::uint64_t>(epoch));
  } else if (order_.empty()) {
    order_.resize(static_cast<std::size_t>(dataset_->size()));
    std::iota(order_.begin(), order_.end(), 0);
  }
}

Batch BatchMaker::make(std::int64_t index) {
  const std::int64_t begin = index * options_.batch_size;
  const std::int64_t size = std::min(options_.batch_size, dataset_->size() - begin);
  const std::int64_t rows = options_.last_batch == LastBatch::pad ? options_.batch_size : size;
  std::vector<std::int64_t> indices;
  indices.reserve(static_cast<std::size_t>(rows));
  // Padding repeats real samples: what the model computes from it stays in range.
  for (std::int64_t i = 0; i < rows; ++i)
    indices.push_back(order_[static_cast<std::size_t>(begin + i % size)]);

  Batch batch{.x = {}, .y = {}, .mask = {}, .size = size, .epoch = epoch_, .index = index};
  const SampleSpec input = dataset_->input();
  batch.x = inputs_.make(batch_shape(rows, input.shape), input.dtype);
  if (const auto target = dataset_->target())
    batch.y = targets_.make(batch_shape(rows, target->shape), target->dtype);
  dataset_->fetch({.indices = indices, .epoch = epoch_, .seed = options_.seed}, batch.x, batch.y);
  if (options_.last_batch == LastBatch::pad) {
    std::vector<float> mask(static_cast<std::size_t>(rows), 0.0f);
    std::fill_n(mask.begin(), size, 1.0f);
    batch.mask = Tensor::from(mask, {rows});
  }
  return batch;
}

}  // namespace weft::data
