// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/softmax.h"

#include "op/call.h"
#include "ops/register.h"
#include "weft/op/attrs/softmax.h"

namespace weft {

namespace {

void infer_softmax(Infer& infer) {
  infer.require_floating(0);
  const Shape& x = infer.shape(0);
  const std::int64_t dim = infer.attrs<SoftmaxAttrs>().dim;
  const bool scalar = x.rank() == 0 && (dim == 0 || dim == -1);
  if (!scalar) x.dim_index(dim, infer.op());
  infer.out(0, x, infer.dtype(0));
}

constexpr OpDef kSoftmaxGrad{
    .name = "softmax_grad",
    .inputs = {"grad", "y"},
    .outputs = {"dx"},
    .attrs = attrs_of<SoftmaxAttrs>,
    .infer = like_input,
    .cost =
        [](const CallInfo& c) {
          return Cost{.flops = 4.0 * static_cast<double>(c.out().numel), .bytes = c.traffic()};
        },
};

constexpr OpDef kSoftmax{
    .name = "softmax",
    .inputs = {"x"},
    .outputs = {"y"},
    .attrs = attrs_of<SoftmaxAttrs>,
    .infer = infer_softmax,
    .backward =
        [](const Backward& b) {
          return Grads{call<kSoftmaxGrad>(b.attrs<SoftmaxAttrs>(), b.grad(), b.output(0))};
        },
    .saves = {{{.outputs = 0b1}}},
    .cost =
        [](const CallInfo& c) {
          return Cost{.flops = 16.0 * static_cast<double>(c.out().numel), .bytes = c.traffic()};
        },
    .autocast = Cast::fp32,
};

}  // namespace

Tensor softmax(const Tensor& x, const SoftmaxOptions& options) {
  return call<kSoftmax>(SoftmaxAttrs{options.dim}, x);
}

void register_ops_softmax() {
  register_op<kSoftmax>();
  register_op<kSoftmaxGrad>();
}

}  // namespace weft
