// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/loss.h"

#include "op/call.h"
#include "ops/register.h"

namespace weft {

namespace {

DType wide(DType dtype) { return dtype == DType::f64 ? DType::f64 : DType::f32; }

void infer_cross_entropy(Infer& infer) {
  const auto& attrs = infer.attrs<CrossEntropyAttrs>();
  infer.require_floating(0);
  infer.require_index(1);
  const Shape& logits = infer.shape(0);
  if (logits.rank() == 0) {
    infer.fail(ErrorKind::shape,
               "logits is a scalar but needs a dimension of classes, the last one");
  }
  const Shape rows = logits.without(logits.rank() - 1);
  if (!(infer.shape(1) == rows)) {
    infer.fail(ErrorKind::shape, cat(infer.text(1), " but ", infer.text(0), ": targets must be ",
                                     rows, ", one class per row of logits"));
  }
  if (!(attrs.label_smoothing >= 0 && attrs.label_smoothing <= 1)) {
    infer.fail(ErrorKind::value,
               cat("label_smoothing is ", attrs.label_smoothing, " but must be in [0, 1]"));
  }
  const DType dtype = infer.dtype(0);
  if (infer.has(2)) {
    infer.require_floating(2);
    infer.require_shape(2, Shape{logits.back()}, "one factor per class of logits");
    infer.cast_input(2, dtype);
  }
  infer.out(0, attrs.reduction == Reduction::none ? rows : Shape(), dtype);
  infer.out(1, rows, wide(dtype));
  infer.out(2, Shape(), wide(dtype));
}

constexpr OpDef kCrossEntropyGrad{
    .name = "cross_entropy_grad",
    .inputs = {"grad", "logits", "targets", "weight?", "lse", "total_weight?"},
    .outputs = {"dlogits"},
    .attrs = attrs_of<CrossEntropyAttrs>,
    .infer = [](Infer& infer) { infer.out(0, infer.shape(1), infer.dtype(1)); },
    .cost =
        [](const CallInfo& c) {
          return Cost{.flops = 14.0 * static_cast<double>(c.in(1).numel), .bytes = c.traffic()};
        },
};

constexpr OpDef kCrossEntropy{
    .name = "cross_entropy",
    .inputs = {"logits", "targets", "weight?"},
    .outputs = {"loss", "lse?", "total_weight?"},
    .attrs = attrs_of<CrossEntropyAttrs>,
    .infer = infer_cross_entropy,
    .backward =
        [](const Backward& b) {
          return Grads{call<kCrossEntropyGrad>(b.attrs<CrossEntropyAttrs>(), b.grad(), b.input(0),
                                               b.input(1), b.input(2), b.output(1), b.output(2)),
                       Tensor(), Tensor()};
        },
    .saves = {{{.inputs = 0b111, .outputs = 0b110}}},
    .cost =
        [](const CallInfo& c) {
          return Cost{.flops = 14.0 * static_cast<double>(c.in(0).numel), .bytes = c.traffic()};
        },
    .autocast = Cast::fp32,
};

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& targets, const CrossEntropyOptions& o) {
  const CrossEntropyAttrs attrs{o.label_smoothing, o.ignore_index, o.reduction};
  return call_into<kCrossEntropy>(attrs, {}, logits, targets, o.weight)[0];
}

void register_ops_loss() {
  register_op<kCrossEntropy>();
  register_op<kCrossEntropyGrad>();
}

}  // namespace weft
