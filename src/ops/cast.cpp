// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/cast.h"

#include "op/call.h"
#include "ops/register.h"
#include "weft/op/attrs/cast.h"

namespace weft {

namespace {

Cost traffic_cost(const CallInfo& call) { return {.bytes = call.traffic()}; }

constexpr OpDef kCast{
    .name = "cast",
    .inputs = {"x"},
    .outputs = {"y"},
    .attrs = attrs_of<CastAttrs>,
    .infer = [](Infer& infer) { infer.out(0, infer.shape(0), infer.attrs<CastAttrs>().dtype); },
    .backward =
        [](const Backward& b) {
          return Grads{is_floating(b.input_dtype(0)) ? cast(b.grad(), b.input_dtype(0)) : Tensor()};
        },
    .cost = pointwise_cost,
};

constexpr OpDef kFill{
    .name = "fill",
    .inputs = {"target"},
    .outputs = {},
    .attrs = attrs_of<FillAttrs>,
    .infer = [](Infer&) {},
    .cost = traffic_cost,
    .mutates = 0b1,
    .key = 0,
};

constexpr OpDef kCopy{
    .name = "copy",
    .inputs = {"target", "x"},
    .outputs = {},
    .infer =
        [](Infer& infer) {
          infer.require_shape(1, infer.shape(0), cat(infer.text(0), " and is overwritten"));
        },
    .cost = traffic_cost,
    .mutates = 0b1,
    .key = 0,
};

}  // namespace

Tensor cast(const Tensor& x, DType dtype) {
  return x.defined() && x.dtype() == dtype ? x : call<kCast>(CastAttrs{dtype}, x);
}

void register_ops_cast() {
  register_op<kCast>();
  register_op<kFill>();
  register_op<kCopy>();
}

}  // namespace weft
