// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/shape.h"

#include "op/call.h"
#include "ops/register.h"
#include "weft/base/checked.h"
#include "weft/op/attrs/shape.h"
#include "weft/ops/reduce.h"

namespace weft {

namespace {

Cost move_cost(const CallInfo& call) { return {.bytes = call.traffic()}; }

void infer_broadcast_to(Infer& infer) {
  const Shape target(infer.attrs<BroadcastToAttrs>().shape);
  const Shape& from = infer.shape(0);
  bool fits = from.rank() <= target.rank();
  for (int back = 1; fits && back <= from.rank(); ++back) {
    const std::int64_t extent = from[from.rank() - back];
    fits = extent == 1 || extent == target[target.rank() - back];
  }
  if (!fits) {
    infer.fail(ErrorKind::shape,
               cat(infer.text(0), ", which does not broadcast to ", to_string(target)));
  }
  infer.out(0, target, infer.dtype(0));
}

constexpr OpDef kBroadcastTo{
    .name = "broadcast_to",
    .inputs = {"x"},
    .outputs = {"y"},
    .attrs = attrs_of<BroadcastToAttrs>,
    .infer = infer_broadcast_to,
    .backward = [](const Backward& b) { return Grads{sum_to(b.grad(), b.input_shape(0))}; },
    .cost = move_cost,
};

void infer_narrow(Infer& infer) {
  const auto& attrs = infer.attrs<NarrowAttrs>();
  const Shape& shape = infer.shape(0);
  const int dim = shape.dim_index(attrs.dim, infer.op());
  if (attrs.start < 0 || attrs.length < 0 || attrs.start > shape[dim] ||
      attrs.length > shape[dim] - attrs.start) {
    infer.fail(ErrorKind::index, cat("start ", attrs.start, " and length ", attrs.length,
                                     " of dimension ", dim, " are wanted but ", infer.text(0)));
  }
  infer.out(0, shape.with(dim, attrs.length), infer.dtype(0));
}

void infer_narrow_grad(Infer& infer) {
  const auto& attrs = infer.attrs<NarrowGradAttrs>();
  const Shape& shape = infer.shape(0);
  const int dim = shape.dim_index(attrs.dim, infer.op());
  if (attrs.start < 0 || attrs.start > attrs.extent - shape[dim]) {
    infer.fail(ErrorKind::index, cat(infer.text(0), " and does not fit at ", attrs.start, " of ",
                                     attrs.extent, " along dimension ", dim));
  }
  infer.out(0, shape.with(dim, attrs.extent), infer.dtype(0));
}

extern const OpDef kNarrowGrad;

constexpr OpDef kNarrow{
    .name = "narrow",
    .inputs = {"x"},
    .outputs = {"y"},
    .attrs = attrs_of<NarrowAttrs>,
    .infer = infer_narrow,
    .backward =
        [](const Backward& b) {
          const auto& attrs = b.attrs<NarrowAttrs>();
          const Shape& shape = b.input_shape(0);
          const NarrowGradAttrs grad{attrs.dim, attrs.start,
                                     shape[shape.dim_index(attrs.dim, "narrow")]};
          return Grads{call<kNarrowGrad>(grad, b.grad())};
        },
    .cost = move_cost,
};

constexpr OpDef kNarrowGrad{
    .name = "narrow_grad",
    .inputs = {"g"},
    .outputs = {"dx"},
    .attrs = attrs_of<NarrowGradAttrs>,
    .infer = infer_narrow_grad,
    .backward =
        [](const Backward& b) {
          const auto& attrs = b.attrs<NarrowGradAttrs>();
          const Shape& shape = b.input_shape(0);
          return Grads{narrow(b.grad(), attrs.dim, attrs.start,
                              shape[shape.dim_index(attrs.dim, "narrow_grad")])};
        },
    .cost = move_cost,
};

bool joins(const Shape& a, const Shape& b, int dim) {
  return a.rank() == b.rank() && a.without(dim) == b.without(dim);
}

void infer_concat(Infer& infer) {
  if (infer.count() == 0)
    infer.fail(ErrorKind::value, "xs is an empty list; needs at least one tensor");
  for (int i = 0; i < infer.count(); ++i) {
    if (!infer.has(i)) infer.fail(ErrorKind::value, cat("xs[", i, "] is an undefined tensor"));
  }
  const Shape& first = infer.shape(0);
  if (first.rank() == 0) {
    infer.fail(ErrorKind::shape, cat(infer.text(0), " and has no dimension to join"),
               "reshape it to {1}");
  }
  const int dim = first.dim_index(infer.attrs<ConcatAttrs>().dim, infer.op());
  std::int64_t extent = 0;
  for (int i = 0; i < infer.count(); ++i) {
    if (!joins(first, infer.shape(i), dim)) {
      infer.fail(ErrorKind::shape, cat(infer.text(i), " but ", infer.text(0), "; only dimension ",
                                       dim, " may differ"));
    }
    if (infer.dtype(i) != infer.dtype(0)) {
      infer.fail(ErrorKind::dtype,
                 cat(infer.text(i), " but ", infer.text(0), "; their dtypes must be equal"),
                 "convert one with .to(dtype)");
    }
    extent = checked_add(extent, infer.shape(i)[dim], infer.op());
  }
  infer.out(0, first.with(dim, extent), infer.dtype(0));
}

Grads concat_backward(const Backward& b) {
  const auto& attrs = b.attrs<ConcatAttrs>();
  const int dim = b.input_shape(0).dim_index(attrs.dim, "concat");
  std::vector<Tensor> grads(static_cast<std::size_t>(b.input_count()));
  std::int64_t start = 0;
  for (int i = 0; i < b.input_count(); ++i) {
    const std::int64_t length = b.input_shape(i)[dim];
    if (b.needs(i)) grads[static_cast<std::size_t>(i)] = narrow(b.grad(), dim, start, length);
    start += length;
  }
  return Grads(std::move(grads));
}

constexpr OpDef kConcat{
    .name = "concat",
    .inputs = {"xs*"},
    .outputs = {"y"},
    .attrs = attrs_of<ConcatAttrs>,
    .infer = infer_concat,
    .backward = concat_backward,
    .cost = move_cost,
    .autocast = Cast::promote,
};

}  // namespace

Tensor broadcast_to(const Tensor& x, const Shape& shape) {
  return x.defined() && x.shape() == shape ? x : call<kBroadcastTo>(BroadcastToAttrs{shape}, x);
}

Tensor concat(std::span<const Tensor> xs, std::int64_t dim) {
  return std::move(call_lists<kConcat>(ConcatAttrs{dim}, {xs})[0]);
}

Tensor narrow(const Tensor& x, std::int64_t dim, std::int64_t start, std::int64_t length) {
  return call<kNarrow>(NarrowAttrs{dim, start, length}, x);
}

void register_ops_shape() {
  register_op<kBroadcastTo>();
  register_op<kNarrow>();
  register_op<kNarrowGrad>();
  register_op<kConcat>();
}

}  // namespace weft
