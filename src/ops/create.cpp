// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/create.h"

#include <cmath>

#include "op/call.h"
#include "ops/register.h"
#include "weft/base/error.h"
#include "weft/op/attrs/create.h"
#include "weft/ops/random.h"

namespace weft {

namespace {

constexpr OpDef kArange{
    .name = "arange",
    .inputs = {"target"},
    .outputs = {},
    .attrs = attrs_of<ArangeAttrs>,
    .infer = [](Infer& infer) { infer.require_rank(0, 1, "[N]"); },
    .cost = [](const CallInfo& call) { return Cost{.bytes = call.traffic()}; },
    .mutates = 0b1,
    .key = 0,
};

/// A new tensor written by `fill`, which is not recorded.
template <class F>
Tensor filled(const Shape& shape, TensorOptions options, const F& fill) {
  const bool wants_grad = options.requires_grad;
  options.requires_grad = false;
  Tensor x = empty(shape, options);
  fill(x);
  if (wants_grad) x.requires_grad_();
  return x;
}

Tensor counted(double start, double step, std::int64_t count, const TensorOptions& options) {
  return filled(Shape({count}), options,
                [&](Tensor& x) { call_into<kArange>(ArangeAttrs{start, step}, {}, x); });
}

}  // namespace

Tensor full(const Shape& shape, double value, TensorOptions options) {
  return filled(shape, options, [&](Tensor& x) { x.fill_(value); });
}

Tensor zeros(const Shape& shape, TensorOptions options) { return full(shape, 0, options); }
Tensor ones(const Shape& shape, TensorOptions options) { return full(shape, 1, options); }
Tensor zeros_like(const Tensor& x) {
  return full(x.shape(), 0, {.dtype = x.dtype(), .device = x.device()});
}
Tensor ones_like(const Tensor& x) {
  return full(x.shape(), 1, {.dtype = x.dtype(), .device = x.device()});
}

Tensor arange(std::int64_t count, TensorOptions options) {
  if (count < 0)
    throw Error(ErrorKind::value, cat("arange: count is ", count, "; needs 0 or more"));
  if (!options.dtype) options.dtype = DType::i64;
  return counted(0, 1, count, options);
}

Tensor arange(double start, double end, double step, TensorOptions options) {
  const double count = std::ceil((end - start) / step);
  if (!(count >= 0 && count < 0x1p62)) {
    throw Error(ErrorKind::value,
                cat("arange: step is ", step, ", which does not lead from ", start, " to ", end),
                "give the step the sign of end - start");
  }
  return counted(start, step, static_cast<std::int64_t>(count), options);
}

Tensor rand(const Shape& shape, TensorOptions options) {
  return filled(shape, options, [](Tensor& x) { uniform_(x); });
}

Tensor randn(const Shape& shape, TensorOptions options) {
  return filled(shape, options, [](Tensor& x) { normal_(x); });
}

void register_ops_create() { register_op<kArange>(); }

}  // namespace weft
