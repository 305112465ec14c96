// SPDX-License-Identifier: Apache-2.0
#include "tests/op/support.h"

namespace weft::test {
namespace {

void scale_kernel(const KernelArgs& args) {
  const auto factor = static_cast<float>(args.attrs<TwiceAttrs>().factor);
  for (std::int64_t i = 0; i < args.in(0).numel; ++i) {
    args.out().as<float>()[i] = factor * args.in(0).as<float>()[i];
    if (args.out(1).present()) args.out(1).as<float>()[i] = factor;
  }
}

void join_kernel(const KernelArgs& args) {
  for (std::int64_t i = 0; i < args.out().numel; ++i) {
    float sum = 0;
    for (const TensorArg& input : args.inputs) {
      if (input.present()) sum += input.as<float>()[i];
    }
    args.out().as<float>()[i] = sum + (args.accumulates() ? args.out().as<float>()[i] : 0.0f);
  }
}

void overwrite_kernel(const KernelArgs& args) {
  for (std::int64_t i = 0; i < args.in(0).numel; ++i) {
    args.in(0).as<float>()[i] = args.in(1).as<float>()[i];
  }
}

Grads twice_backward(const Backward& b) {
  const Tensor kept = b.output(1);
  const TwiceAttrs attrs{.factor = kept.numel() == 0 ? 0 : kept.detach().item(), .keep = false};
  return {twice(b.grad(), attrs)};
}

OpEntry& add_twice() {
  OpDef def{
      .name = "twice", .inputs = {"x"}, .outputs = {"y", "kept?"}, .attrs = attrs_of<TwiceAttrs>};
  def.infer = [](Infer& infer) {
    infer.require_floating(0);
    infer.out(0, infer.shape(0), infer.dtype(0));
    infer.out(1, infer.shape(0), infer.dtype(0));
  };
  def.backward = twice_backward;
  def.saves = {{{.for_grad = 0, .outputs = 0b10}}};
  OpEntry& op = add_op(def);
  op.kernels.add(DeviceKind::cpu, DType::f32,
                 {.variant = "fast", .run = scale_kernel, .applies = [](const KernelArgs& args) {
                    return args.in(0).aligned(64);
                  }});
  op.kernels.add(DeviceKind::cpu, DType::f32,
                 {.variant = "plain", .run = scale_kernel, .deterministic = false});
  return op;
}

OpEntry& add_join() {
  OpDef def{.name = "join", .inputs = {"first", "rest*", "last?"}, .outputs = {"y"}};
  def.infer = like_input;
  def.accumulates = 0b1;
  OpEntry& op = add_op(def);
  op.kernels.add(DeviceKind::cpu, DType::f32, {.variant = "plain", .run = join_kernel});
  return op;
}

OpEntry& add_overwrite() {
  OpDef def{.name = "overwrite", .inputs = {"target", "x"}, .outputs = {}};
  def.infer = [](Infer& infer) { infer.require_shape(1, infer.shape(0), "the shape of target"); };
  def.mutates = 0b1;
  def.key = 0;
  OpEntry& op = add_op(def);
  op.kernels.add(DeviceKind::cpu, DType::f32, {.variant = "plain", .run = overwrite_kernel});
  return op;
}

OpEntry& add_spread() {
  OpDef def{.name = "spread", .inputs = {"x"}, .outputs = {"y"}};
  def.infer = like_input;
  def.composite = [](const Composite& c) {
    Outputs outputs;
    outputs[0] = twice(twice(c.in(0)));
    return outputs;
  };
  return add_op(def);
}

}  // namespace

OpEntry& twice_op() {
  static OpEntry& op = add_twice();
  return op;
}
OpEntry& join_op() {
  static OpEntry& op = add_join();
  return op;
}
OpEntry& overwrite_op() {
  static OpEntry& op = add_overwrite();
  return op;
}
OpEntry& spread_op() {
  twice_op();
  static OpEntry& op = add_spread();
  return op;
}

Tensor twice(const Tensor& x, TwiceAttrs attrs) { return call_op(twice_op(), attrs, {x})[0]; }

Tensor floats(const std::vector<float>& values) {
  return Tensor::from(values, {static_cast<std::int64_t>(values.size())});
}

std::vector<float> values_of(const Tensor& x) {
  const auto data = x.data<float>();
  return {data.begin(), data.end()};
}

}  // namespace weft::test
