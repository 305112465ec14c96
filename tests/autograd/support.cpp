// SPDX-License-Identifier: Apache-2.0
#include "tests/autograd/support.h"

#include <algorithm>

#include "weft/op/attrs/cast.h"
#include "weft/op/registry.h"

namespace weft::test {
namespace {

struct SumAttrs {
  double scalar = 0;
  WEFT_FIELDS(SumAttrs, scalar)
};

template <class F>
void for_both(const KernelArgs& args, DType dtype, const F& fn) {
  if (dtype == DType::f64)
    fn(double{}, args);
  else
    fn(float{}, args);
}

void times_kernel(const KernelArgs& args) {
  for_both(args, args.out().dtype, [](auto tag, const KernelArgs& a) {
    using T = decltype(tag);
    for (std::int64_t i = 0; i < a.out().numel; ++i) {
      a.out().as<T>()[i] = a.in(0).as<T>()[i] * a.in(1).as<T>()[i];
    }
  });
}

void add_kernel_fn(const KernelArgs& args) {
  for_both(args, args.out().dtype, [](auto tag, const KernelArgs& a) {
    using T = decltype(tag);
    for (std::int64_t i = 0; i < a.out().numel; ++i) {
      a.out().as<T>()[i] = a.in(0).as<T>()[i] + a.in(1).as<T>()[i];
    }
  });
}

void copy_kernel(const KernelArgs& args) {
  std::copy_n(args.in(1).data,
              static_cast<std::size_t>(args.in(1).numel) * size_of(args.in(1).dtype),
              args.in(0).data);
}

void fill_kernel(const KernelArgs& args) {
  for_both(args, args.in(0).dtype, [](auto tag, const KernelArgs& a) {
    using T = decltype(tag);
    std::fill_n(a.in(0).as<T>(), a.in(0).numel, static_cast<T>(a.attrs<FillAttrs>().value));
  });
}

OpEntry& times_op() {
  static OpEntry& op = []() -> OpEntry& {
    OpDef def{.name = "times", .inputs = {"a", "b"}, .outputs = {"y"}};
    def.infer = like_input;
    def.saves = {{{.for_grad = 0, .inputs = 0b10}, {.for_grad = 1, .inputs = 0b01}}};
    def.backward = [](const Backward& b) {
      return Grads{b.needs(0) ? times(b.grad(), b.input(1)) : Tensor(),
                   b.needs(1) ? times(b.grad(), b.input(0)) : Tensor()};
    };
    OpDef sum{.name = "add", .inputs = {"a", "b"}, .outputs = {"y"}, .attrs = attrs_of<SumAttrs>};
    sum.infer = like_input;
    sum.backward = [](const Backward& b) { return Grads{b.grad(), b.grad()}; };
    OpDef copy{.name = "copy", .inputs = {"target", "x"}, .outputs = {}};
    copy.infer = [](Infer&) {};
    copy.mutates = 0b1;
    copy.key = 0;
    OpDef fill{.name = "fill", .inputs = {"target"}, .outputs = {}, .attrs = attrs_of<FillAttrs>};
    fill.infer = [](Infer&) {};
    fill.mutates = 0b1;
    fill.key = 0;
    OpDef cast{.name = "cast", .inputs = {"x"}, .outputs = {"y"}, .attrs = attrs_of<CastAttrs>};
    cast.infer = like_input;
    OpEntry& entry = add_op(def);
    for (const OpDef* other : {&sum, &copy, &fill, &cast}) add_op(*other);
    const std::initializer_list<DType> dtypes = {DType::f32, DType::f64};
    add_kernel("times", DeviceKind::cpu, dtypes, {.variant = "plain", .run = times_kernel});
    add_kernel("add", DeviceKind::cpu, dtypes, {.variant = "plain", .run = add_kernel_fn});
    add_kernel("copy", DeviceKind::cpu, dtypes, {.variant = "plain", .run = copy_kernel});
    add_kernel("fill", DeviceKind::cpu, dtypes, {.variant = "plain", .run = fill_kernel});
    return entry;
  }();
  return op;
}

}  // namespace

Tensor times(const Tensor& a, const Tensor& b) { return call_op(times_op(), NoAttrs{}, {a, b})[0]; }

Tensor floats(const std::vector<float>& values) {
  times_op();
  return Tensor::from(values, {static_cast<std::int64_t>(values.size())});
}

Tensor leaf(const std::vector<float>& values) {
  Tensor x = floats(values);
  x.requires_grad_();
  return x;
}

std::vector<float> values_of(const Tensor& x) {
  const auto data = x.data<float>();
  return {data.begin(), data.end()};
}

}  // namespace weft::test
