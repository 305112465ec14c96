// SPDX-License-Identifier: Apache-2.0
#include "weft/nn/parameter.h"

#include <utility>

#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/core/context.h"
#include "weft/op/node.h"

namespace weft {

TensorPlace::TensorPlace(Tensor value, bool trainable) : place_(std::make_shared<Place>()) {
  if (!value.defined()) {
    throw Error(ErrorKind::value, "parameter: the tensor is undefined", "give it a value first");
  }
  if (trainable && !is_floating(value.dtype())) {
    throw Error(
        ErrorKind::dtype,
        cat("parameter: value is ", describe(value), " but gradients need a floating dtype"),
        "keep integers in a buffer");
  }
  place_->value = value.is_leaf() ? std::move(value) : value.detach();
  place_->trainable = trainable;
  if (trainable) place_->value.requires_grad_(true);
}

const Tensor& TensorPlace::tensor() const noexcept {
  static const Tensor kNone;
  return place_ ? place_->value : kNone;
}

const std::string& TensorPlace::name() const noexcept {
  static const std::string kNone;
  return place_ ? place_->name : kNone;
}

void TensorPlace::set_name(std::string_view name) {
  place_->name = name;
  if (place_->trainable) leaf_of(place_->value).name = name;
}

void TensorPlace::to(Device device) {
  if (device != place_->value.device()) rebind(place_->value.detach().to(device));
}

void TensorPlace::to(DType dtype) {
  if (dtype != place_->value.dtype()) rebind(place_->value.detach().to(dtype));
}

void TensorPlace::rebind(const Tensor& value) {
  place_->value = value;
  if (place_->trainable) {
    place_->value.requires_grad_(!place_->frozen);
    leaf_of(place_->value).name = place_->name;
  }
  current_session().bump_revision();
}

void Parameter::freeze(bool frozen) {
  if (place()->frozen == frozen) return;
  tensor().zero_grad();
  place()->frozen = frozen;
  Tensor(tensor()).requires_grad_(!frozen);
  current_session().bump_revision();
}

}  // namespace weft
