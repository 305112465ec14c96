// SPDX-License-Identifier: Apache-2.0
#include "weft/nn/sequential.h"

#include "weft/base/error.h"
#include "weft/base/text.h"

namespace weft::nn {

Sequential::Sequential()
    : Module("Sequential"), parts_(std::make_shared<std::vector<ModulePtr>>()) {}

Sequential& Sequential::add(std::string_view name, ModulePtr module) {
  if (!module) throw Error(ErrorKind::value, cat("Sequential: module `", name, "` is null"));
  parts_->push_back(child(name, std::move(module)));
  return *this;
}

Module& Sequential::at(std::size_t i) const {
  if (i >= size()) {
    throw Error(ErrorKind::index, cat("Sequential: part ", i, " is wanted but there are ", size()));
  }
  return *(*parts_)[i];
}

Tensor Sequential::forward(const Tensor& x) {
  Tensor y = x;
  for (const ModulePtr& part : *parts_) y = (*part)(y);
  return y;
}

}  // namespace weft::nn
