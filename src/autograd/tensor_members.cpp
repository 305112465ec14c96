// SPDX-License-Identifier: Apache-2.0
#include "autograd/function.h"
#include "core/defined.h"
#include "op/call.h"
#include "op/transfer.h"
#include "weft/op/attrs/cast.h"

// Members of Tensor that run ops. Ops are looked up by name: their records belong to their
// families.
namespace weft {

namespace {

Tensor run_op(std::string_view name, const void* attrs,
              std::initializer_list<const Tensor*> inputs) {
  return dispatch(&op_named(name), attrs, {inputs.begin(), inputs.size()})[0];
}

}  // namespace

Tensor Tensor::to(Device device) const {
  require_defined(*this, "to");
  if (this->device() == device) return *this;
  std::vector<Tensor> moved = {transfer(*this, device)};
  const Device from = this->device();
  record_function("to", {this, 1}, moved, [from](std::span<const Tensor> grads) {
    return std::vector<Tensor>{grads[0].defined() ? grads[0].to(from) : Tensor()};
  });
  return moved[0];
}

Tensor Tensor::to(DType dtype) const {
  require_defined(*this, "to");
  if (this->dtype() == dtype) return *this;
  const CastAttrs attrs{dtype};
  return run_op("cast", &attrs, {this});
}

Tensor Tensor::clone() const {
  require_defined(*this, "clone");
  const CastAttrs attrs{dtype()};
  return run_op("cast", &attrs, {this});
}

Tensor& Tensor::copy_(const Tensor& source) {
  require_defined(*this, "copy_");
  if (!source.defined() || !(source.shape() == shape())) {
    throw Error(ErrorKind::shape,
                cat("copy_: source is ", source.defined() ? describe(source) : "undefined",
                    " but the target is ", describe(*this), "; their shapes must be equal"));
  }
  if (current_settings().grad && requires_grad()) {
    throw Error(ErrorKind::state, cat("copy_: the target, ", describe(*this), ", requires grad"),
                "write it under a NoGrad scope");
  }
  if (source.device() == device()) {
    copy_into(*this, source, false);
  } else {
    const NoGrad no_grad;
    transfer_into(*this, source.to(dtype()));
  }
  return *this;
}

Tensor& Tensor::fill_(double value) {
  fill_tensor(*this, value);
  return *this;
}

}  // namespace weft
