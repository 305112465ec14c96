// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/reduce.h"

#include "op/call.h"
#include "ops/register.h"
#include "weft/op/attrs/reduce.h"
#include "weft/ops/pointwise.h"
#include "weft/ops/shape.h"

namespace weft {

namespace {

/// The shape of x with reduced dimensions of extent 1.
Shape kept_shape(const Shape& x, const Dims& dims, std::string_view op) {
  Dims kept = x;
  for (int i = 0; i < x.rank() && dims.empty(); ++i) kept[i] = 1;
  for (const std::int64_t dim : dims) kept[x.dim_index(dim, op)] = 1;
  return Shape(kept);
}

Shape dropped_shape(const Shape& x, const Dims& dims, std::string_view op) {
  std::uint32_t drop = dims.empty() ? ~0u : 0u;
  for (const std::int64_t dim : dims) drop |= 1u << x.dim_index(dim, op);
  Dims rest;
  for (int i = 0; i < x.rank(); ++i) {
    if (((drop >> i) & 1u) == 0) rest.push_back(x[i]);
  }
  return Shape(rest);
}

void require_distinct(const Infer& infer, const Dims& dims) {
  std::uint32_t seen = 0;
  for (const std::int64_t dim : dims) {
    const std::uint32_t bit = 1u << infer.shape(0).dim_index(dim, infer.op());
    if ((seen & bit) != 0) {
      infer.fail(ErrorKind::value, cat("dimension ", dim, " is given twice in ", to_string(dims)));
    }
    seen |= bit;
  }
}

void infer_reduced(Infer& infer, DType dtype) {
  const auto& attrs = infer.attrs<ReduceAttrs>();
  require_distinct(infer, attrs.dims);
  const auto shape = attrs.keepdim ? kept_shape : dropped_shape;
  infer.out(0, shape(infer.shape(0), attrs.dims, infer.op()), dtype);
}

/// The gradient of a sum, with the shape of x: `scale * g` repeated.
Tensor spread(const Backward& b, double scale) {
  const Shape& shape = b.input_shape(0);
  const Tensor g = scale == 1.0 ? b.grad() : mul(b.grad(), scale);
  return broadcast_to(g.reshape(kept_shape(shape, b.attrs<ReduceAttrs>().dims, "sum")), shape);
}

Cost reduce_cost(const CallInfo& call) {
  return {.flops = static_cast<double>(call.in(0).numel), .bytes = call.traffic()};
}

constexpr OpDef kSum{
    .name = "sum",
    .inputs = {"x"},
    .outputs = {"y"},
    .attrs = attrs_of<ReduceAttrs>,
    .infer =
        [](Infer& infer) {
          infer_reduced(infer, is_floating(infer.dtype(0)) ? infer.dtype(0) : DType::i64);
        },
    .backward = [](const Backward& b) { return Grads{spread(b, 1.0)}; },
    .cost = reduce_cost,
    .autocast = Cast::fp32,
    .key = 0,
};

constexpr OpDef kMean{
    .name = "mean",
    .inputs = {"x"},
    .outputs = {"y"},
    .attrs = attrs_of<ReduceAttrs>,
    .infer =
        [](Infer& infer) {
          infer.require_floating(0);
          infer_reduced(infer, infer.dtype(0));
        },
    .backward =
        [](const Backward& b) {
          const Shape& from = b.input_shape(0);
          const std::int64_t kept = kept_shape(from, b.attrs<ReduceAttrs>().dims, "mean").numel();
          if (from.numel() == 0) return Grads{spread(b, 1.0)};
          return Grads{spread(b, static_cast<double>(kept) / static_cast<double>(from.numel()))};
        },
    .cost = reduce_cost,
    .autocast = Cast::fp32,
};

void infer_sum_to(Infer& infer) {
  const Shape target(infer.attrs<SumToAttrs>().shape);
  const Shape& from = infer.shape(0);
  bool fits = target.rank() <= from.rank();
  for (int back = 1; fits && back <= target.rank(); ++back) {
    const std::int64_t extent = target[target.rank() - back];
    fits = extent == 1 || extent == from[from.rank() - back];
  }
  if (!fits) {
    infer.fail(ErrorKind::shape,
               cat(infer.text(0), ", which no broadcast of ", to_string(target), " gives"));
  }
  infer.out(0, target, infer.dtype(0));
}

constexpr OpDef kSumTo{
    .name = "sum_to",
    .inputs = {"x"},
    .outputs = {"y"},
    .attrs = attrs_of<SumToAttrs>,
    .infer = infer_sum_to,
    .backward = [](const Backward& b) { return Grads{broadcast_to(b.grad(), b.input_shape(0))}; },
    .cost = reduce_cost,
};

}  // namespace

Tensor sum(const Tensor& x, const ReduceOptions& options) {
  return call<kSum>(ReduceAttrs{options.dim, options.keepdim}, x);
}

Tensor mean(const Tensor& x, const ReduceOptions& options) {
  return call<kMean>(ReduceAttrs{options.dim, options.keepdim}, x);
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  return x.defined() && x.shape() == shape ? x : call<kSumTo>(SumToAttrs{shape}, x);
}

void register_ops_reduce() {
  register_op<kSum>();
  register_op<kMean>();
  register_op<kSumTo>();
}

}  // namespace weft
