// SPDX-License-Identifier: Apache-2.0
#include "core/defined.h"
#include "op/recorder.h"
#include "weft/op/node.h"

// Members of Tensor that concern the gradient of a leaf.
namespace weft {

namespace {

void require_leaf_for(const Tensor& x, std::string_view call) {
  require_defined(x, call);
  if (x.is_leaf()) return;
  throw Error(ErrorKind::state,
              cat(call, ": ", describe(x), " was computed by ", node_of(x.impl())->name(),
                  "; only leaves own a gradient"),
              "use detach() to make a leaf of its value");
}

}  // namespace

Tensor& Tensor::requires_grad_(bool value) {
  require_leaf_for(*this, "requires_grad_");
  if (value && !is_floating(dtype())) {
    throw Error(ErrorKind::dtype, cat("requires_grad_: ", describe(*this),
                                      " is not floating; only floats have gradients"));
  }
  if (value) leaf_of(*this);
  impl_->requires_grad = value;
  current_session().bump_revision();
  return *this;
}

Tensor Tensor::grad() const {
  require_leaf_for(*this, "grad");
  LeafGrad* leaf = leaf_if_any(impl());
  if (leaf != nullptr) note_leaf(*leaf);
  return leaf != nullptr && leaf->filled ? leaf->sink : Tensor();
}

void Tensor::zero_grad() const {
  require_defined(*this, "zero_grad");
  if (LeafGrad* leaf = leaf_if_any(impl())) {
    note_leaf(*leaf);
    leaf->filled = false;
    leaf->incomplete = false;
  }
}

}  // namespace weft
