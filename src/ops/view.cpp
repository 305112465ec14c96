// SPDX-License-Identifier: Apache-2.0
#include "weft/op/attrs/view.h"

#include "op/call.h"
#include "op/transfer.h"
#include "ops/register.h"
#include "weft/base/checked.h"

// Ops that share their input's bytes: they run as composites, so that the tape and graph see an op
// while no kernel moves anything.
namespace weft {

namespace {

Shape reshaped(const Infer& infer, const Dims& dims) {
  const Shape& from = infer.shape(0);
  Dims to = dims;
  int open = -1;
  std::int64_t known = 1;
  for (int i = 0; i < to.rank(); ++i) {
    if (to[i] == -1 && open < 0) {
      open = i;
    } else if (to[i] < 0) {
      infer.fail(ErrorKind::shape,
                 cat("to ", to_string(dims), ": extents must be >= 0, and one may be -1"));
    } else {
      known = checked_mul(known, to[i], "reshape");
    }
  }
  if (open >= 0 && known > 0) to[open] = from.numel() / known;
  const bool fits = open >= 0 ? known > 0 && from.numel() % known == 0 : known == from.numel();
  if (!fits) {
    infer.fail(ErrorKind::shape, cat(infer.text(0), " with ", from.numel(),
                                     " elements and cannot become ", to_string(dims)));
  }
  return Shape(to);
}

constexpr OpDef kReshape{
    .name = "reshape",
    .inputs = {"x"},
    .outputs = {"y"},
    .attrs = attrs_of<ReshapeAttrs>,
    .infer =
        [](Infer& infer) {
          infer.out(0, reshaped(infer, infer.attrs<ReshapeAttrs>().shape), infer.dtype(0));
        },
    .backward = [](const Backward& b) { return Grads{b.grad().reshape(b.input_shape(0))}; },
    .composite =
        [](const Composite& c) {
          Dims dims = c.attrs<ReshapeAttrs>().shape;
          std::int64_t known = 1;
          for (const std::int64_t extent : dims) known *= extent == -1 ? 1 : extent;
          for (int i = 0; i < dims.rank(); ++i) {
            if (dims[i] == -1) dims[i] = c.in(0).numel() / known;
          }
          Outputs outputs;
          outputs[0] = view_as(c.in(0), Shape(dims));
          return outputs;
        },
};

void infer_slice_rows(Infer& infer) {
  const auto& attrs = infer.attrs<SliceRowsAttrs>();
  const Shape& shape = infer.shape(0);
  if (shape.rank() == 0)
    infer.fail(ErrorKind::shape, cat(infer.text(0), " and has no rows to slice"));
  if (attrs.begin < 0 || attrs.begin > attrs.end || attrs.end > shape[0]) {
    infer.fail(ErrorKind::index, cat(infer.text(0), " but rows [", attrs.begin, ", ", attrs.end,
                                     ") are asked for; they must lie within [0, ", shape[0], ")"));
  }
  infer.out(0, shape.with(0, attrs.end - attrs.begin), infer.dtype(0));
}

void infer_slice_rows_grad(Infer& infer) {
  infer.out(0, infer.shape(0).with(0, infer.attrs<SliceRowsGradAttrs>().rows), infer.dtype(0));
}

constexpr OpDef kSliceRowsGrad{
    .name = "slice_rows_grad",
    .inputs = {"g"},
    .outputs = {"dx"},
    .attrs = attrs_of<SliceRowsGradAttrs>,
    .infer = infer_slice_rows_grad,
    .backward =
        [](const Backward& b) {
          const auto& attrs = b.attrs<SliceRowsGradAttrs>();
          return Grads{b.grad().slice(attrs.begin, attrs.begin + b.input_shape(0)[0])};
        },
    .composite =
        [](const Composite& c) {
          const auto& attrs = c.attrs<SliceRowsGradAttrs>();
          const Tensor& g = c.in(0);
          Outputs outputs;
          outputs[0] =
              empty(g.shape().with(0, attrs.rows), {.dtype = g.dtype(), .device = g.device()});
          outputs[0].fill_(0);
          copy_into(view_rows(outputs[0], attrs.begin, attrs.begin + g.shape(0)), g, false);
          return outputs;
        },
};

constexpr OpDef kSliceRows{
    .name = "slice_rows",
    .inputs = {"x"},
    .outputs = {"y"},
    .attrs = attrs_of<SliceRowsAttrs>,
    .infer = infer_slice_rows,
    .backward =
        [](const Backward& b) {
          const SliceRowsGradAttrs attrs{b.attrs<SliceRowsAttrs>().begin, b.input_shape(0)[0]};
          return Grads{call<kSliceRowsGrad>(attrs, b.grad())};
        },
    .composite =
        [](const Composite& c) {
          const auto& attrs = c.attrs<SliceRowsAttrs>();
          Outputs outputs;
          outputs[0] = view_rows(c.in(0), attrs.begin, attrs.end);
          return outputs;
        },
};

}  // namespace

Tensor Tensor::reshape(const Dims& dims) const { return call<kReshape>(ReshapeAttrs{dims}, *this); }

Tensor Tensor::slice(std::int64_t begin, std::int64_t end) const {
  return call<kSliceRows>(SliceRowsAttrs{begin, end}, *this);
}

void register_ops_view() {
  register_op<kReshape>();
  register_op<kSliceRowsGrad>();
  register_op<kSliceRows>();
}

}  // namespace weft
