// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/norm.h"

#include "op/call.h"
#include "ops/register.h"
#include "weft/op/attrs/norm.h"

namespace weft {

namespace {

DType wide(DType dtype) { return dtype == DType::f64 ? DType::f64 : DType::f32; }

/// Converts x, weight? and bias? to one dtype, which is returned.
DType promote_affine(Infer& infer, int weight, int bias) {
  DType dtype = infer.dtype(0);
  for (const int i : {weight, bias}) {
    if (infer.has(i)) dtype = promote(dtype, infer.dtype(i));
  }
  for (const int i : {0, weight, bias}) {
    if (infer.has(i)) infer.cast_input(i, dtype);
  }
  return dtype;
}

void check_affine(Infer& infer, int i, const Shape& wanted, std::string_view why) {
  if (!infer.has(i)) return;
  infer.require_floating(i);
  infer.require_shape(i, wanted, why);
}

void check_eps(const Infer& infer, double eps) {
  if (!(eps >= 0)) infer.fail(ErrorKind::value, cat("eps is ", eps, " but must be >= 0"));
}

/// dx?, dweight?, dbias? of a normalisation.
void infer_norm_grad(Infer& infer) {
  const Shape weight = infer.has(2) ? infer.shape(2) : Shape();
  infer.out(0, infer.shape(1), infer.dtype(1));
  infer.out(1, weight, infer.dtype(1));
  infer.out(2, weight, infer.dtype(1));
}

struct LeadingAndTrailing {
  Shape leading;
  Shape trailing;
};

LeadingAndTrailing split_shape(const Shape& shape, std::int64_t dims) {
  const auto lead = static_cast<std::size_t>(shape.rank() - dims);
  return {Shape(shape.span().first(lead)), Shape(shape.span().subspan(lead))};
}

void infer_layer_norm(Infer& infer) {
  const auto& attrs = infer.attrs<LayerNormAttrs>();
  infer.require_floating(0);
  check_eps(infer, attrs.eps);
  const Shape& x = infer.shape(0);
  if (attrs.dims < 1 || attrs.dims > x.rank()) {
    infer.fail(ErrorKind::value, cat("dims is ", attrs.dims, " but ", infer.text(0),
                                     "; dims must be in [1, ", x.rank(), "]"));
  }
  const auto [leading, trailing] = split_shape(x, attrs.dims);
  check_affine(infer, 1, trailing, "the trailing dimensions of x");
  check_affine(infer, 2, trailing, "the trailing dimensions of x");
  const DType dtype = promote_affine(infer, 1, 2);
  infer.out(0, x, dtype);
  infer.out(1, leading, wide(dtype));
  infer.out(2, leading, wide(dtype));
}

void infer_layer_norm_grad(Infer& infer) {
  infer_norm_grad(infer);
  const Shape trailing = split_shape(infer.shape(1), infer.attrs<LayerNormAttrs>().dims).trailing;
  infer.out(1, trailing, infer.dtype(1));
  infer.out(2, trailing, infer.dtype(1));
}

constexpr OpDef kLayerNormGrad{
    .name = "layer_norm_grad",
    .inputs = {"grad", "x", "weight?", "mean", "rstd"},
    .outputs = {"dx?", "dweight?", "dbias?"},
    .attrs = attrs_of<LayerNormAttrs>,
    .infer = infer_layer_norm_grad,
    .cost =
        [](const CallInfo& c) {
          return Cost{.flops = 14.0 * static_cast<double>(c.in(1).numel), .bytes = c.traffic()};
        },
    .accumulates = 0b110,
    .key = 1,
};

/// Bits of the gradients of x, weight and bias that are wanted, the inputs' indices given.
std::uint32_t wanted_grads(const Backward& b, int weight, int bias) {
  return static_cast<std::uint32_t>(b.needs(0)) |
         (static_cast<std::uint32_t>(b.needs(weight)) << 1) |
         (static_cast<std::uint32_t>(b.needs(bias)) << 2);
}

constexpr OpDef kLayerNorm{
    .name = "layer_norm",
    .inputs = {"x", "weight?", "bias?"},
    .outputs = {"y", "mean?", "rstd?"},
    .attrs = attrs_of<LayerNormAttrs>,
    .infer = infer_layer_norm,
    .backward =
        [](const Backward& b) {
          const Dest into[] = {{}, b.sink(1), b.sink(2)};
          Outputs grads = call_into<kLayerNormGrad>(
              b.attrs<LayerNormAttrs>(), {.want = wanted_grads(b, 1, 2), .into = into}, b.grad(),
              b.input(0), b.input(1), b.output(1), b.output(2));
          return Grads{grads[0], grads[1], grads[2]};
        },
    .saves = {{{.inputs = 0b011, .outputs = 0b110}}},
    .cost =
        [](const CallInfo& c) {
          return Cost{.flops = 8.0 * static_cast<double>(c.in(0).numel), .bytes = c.traffic()};
        },
    .autocast = Cast::fp32,
};

void infer_batch_norm(Infer& infer) {
  const auto& attrs = infer.attrs<BatchNormAttrs>();
  infer.require_floating(0);
  check_eps(infer, attrs.eps);
  const Shape& x = infer.shape(0);
  if (x.rank() == 0) infer.fail(ErrorKind::shape, "x is a scalar but needs a channel dimension");
  const Shape channels{x.back()};
  check_affine(infer, 3, channels, "one value per channel, the last dimension of x");
  check_affine(infer, 4, channels, "one value per channel, the last dimension of x");
  const DType dtype = promote_affine(infer, 3, 4);
  for (const int i : {1, 2}) {
    infer.require_shape(i, channels, "one value per channel, the last dimension of x");
    if (infer.dtype(i) != wide(dtype)) {
      infer.fail(ErrorKind::dtype,
                 cat(infer.text(i), " but must be ", wide(dtype), " when x is ", dtype));
    }
  }
  infer.out(0, x, dtype);
  infer.out(1, channels, wide(dtype));
  infer.out(2, channels, wide(dtype));
}

void infer_batch_norm_train(Infer& infer) {
  infer_batch_norm(infer);
  const auto& attrs = infer.attrs<BatchNormAttrs>();
  if (!(attrs.momentum >= 0 && attrs.momentum <= 1)) {
    infer.fail(ErrorKind::value, cat("momentum is ", attrs.momentum, " but must be in [0, 1]"));
  }
  const Shape& x = infer.shape(0);
  const std::int64_t count = x.numel(0, x.rank() - 1);
  if (count < 2) {
    infer.fail(
        ErrorKind::shape,
        cat(infer.text(0), ", ", count, " values per channel, but training needs at least 2"),
        "use a larger batch, or pass {.training = false}");
  }
}

void infer_batch_norm_grad(Infer& infer) {
  infer_norm_grad(infer);
  const Shape channels{infer.shape(1).back()};
  infer.out(1, channels, infer.dtype(1));
  infer.out(2, channels, infer.dtype(1));
}

constexpr OpDef kBatchNormGrad{
    .name = "batch_norm_grad",
    .inputs = {"grad", "x", "weight?", "mean", "rstd"},
    .outputs = {"dx?", "dweight?", "dbias?"},
    .attrs = attrs_of<BatchNormAttrs>,
    .infer = infer_batch_norm_grad,
    .cost =
        [](const CallInfo& c) {
          return Cost{.flops = 12.0 * static_cast<double>(c.in(1).numel), .bytes = c.traffic()};
        },
    .accumulates = 0b110,
    .key = 1,
};

Grads batch_norm_backward(const Backward& b) {
  const Dest into[] = {{}, b.sink(3), b.sink(4)};
  Outputs grads = call_into<kBatchNormGrad>(b.attrs<BatchNormAttrs>(),
                                            {.want = wanted_grads(b, 3, 4), .into = into}, b.grad(),
                                            b.input(0), b.input(3), b.output(1), b.output(2));
  return Grads{grads[0], Tensor(), Tensor(), grads[1], grads[2]};
}

// Two records: only training writes the running statistics, which may be read-only in evaluation.
constexpr OpDef kBatchNorm{
    .name = "batch_norm",
    .inputs = {"x", "running_mean", "running_var", "weight?", "bias?"},
    .outputs = {"y", "mean?", "rstd?"},
    .attrs = attrs_of<BatchNormAttrs>,
    .infer = infer_batch_norm,
    .backward = batch_norm_backward,
    .saves = {{{.inputs = 0b01001, .outputs = 0b110}}},
    .cost = pointwise_cost,
    .autocast = Cast::fp32,
};

constexpr OpDef kBatchNormTrain{
    .name = "batch_norm_train",
    .inputs = {"x", "running_mean", "running_var", "weight?", "bias?"},
    .outputs = {"y", "mean?", "rstd?"},
    .attrs = attrs_of<BatchNormAttrs>,
    .infer = infer_batch_norm_train,
    .backward = batch_norm_backward,
    .saves = {{{.inputs = 0b01001, .outputs = 0b110}}},
    .cost =
        [](const CallInfo& c) {
          return Cost{.flops = 8.0 * static_cast<double>(c.in(0).numel), .bytes = c.traffic()};
        },
    .autocast = Cast::fp32,
    .mutates = 0b00110,
};

}  // namespace

Tensor layer_norm(const Tensor& x, const LayerNormOptions& o) {
  return call_into<kLayerNorm>(LayerNormAttrs{o.eps, o.dims}, {}, x, o.weight, o.bias)[0];
}

Tensor batch_norm(const Tensor& x, Tensor& running_mean, Tensor& running_var,
                  const BatchNormOptions& o) {
  const BatchNormAttrs attrs{o.momentum, o.eps, o.training};
  if (o.training) {
    return call_into<kBatchNormTrain>(attrs, {}, x, running_mean, running_var, o.weight, o.bias)[0];
  }
  return call_into<kBatchNorm>(attrs, {}, x, running_mean, running_var, o.weight, o.bias)[0];
}

void register_ops_norm() {
  register_op<kLayerNorm>();
  register_op<kLayerNormGrad>();
  register_op<kBatchNorm>();
  register_op<kBatchNormTrain>();
  register_op<kBatchNormGrad>();
}

}  // namespace weft
