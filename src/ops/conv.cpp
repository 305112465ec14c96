// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/conv.h"

#include <array>

#include "op/call.h"
#include "ops/register.h"
#include "weft/base/checked.h"

namespace weft {
namespace {

void require_at_least(const Infer& infer, const char* name, std::int64_t h, std::int64_t w,
                      std::int64_t least) {
  if (h < least || w < least) {
    infer.fail(ErrorKind::value, cat(name, " is ", Dims{h, w}, " but must be at least ", least));
  }
}

/// How many windows fit; `span` is what one covers. Throws Error(shape) when not even one does.
std::int64_t windows(const Infer& infer, std::int64_t extent, std::int64_t padding,
                     std::int64_t span, std::int64_t stride, const char* dimension) {
  const std::int64_t padded =
      checked_add(extent, checked_mul(padding, 2, "padding"), "padded image");
  if (span > padded) {
    infer.fail(ErrorKind::shape,
               cat("the kernel spans ", span, " but ", infer.text(0), " with padding ", padding,
                   " has ", padded, " in ", dimension));
  }
  return (padded - span) / stride + 1;
}

std::int64_t dilated(std::int64_t kernel, std::int64_t dilation) {
  return checked_add(checked_mul(kernel - 1, dilation, "dilated kernel"), 1, "dilated kernel");
}

void check_channels(const Infer& infer, std::int64_t groups) {
  const Shape &x = infer.shape(0), &weight = infer.shape(1);
  if (groups < 1)
    infer.fail(ErrorKind::value, cat("groups is ", groups, " but must be at least 1"));
  if (x[3] % groups != 0 || weight[0] % groups != 0) {
    infer.fail(ErrorKind::shape, cat("groups is ", groups, " but must divide the ", x[3],
                                     " channels of x and the ", weight[0], " of weight"));
  }
  if (weight[3] != x[3] / groups) {
    infer.fail(
        ErrorKind::shape,
        cat(infer.text(1), " (O,KH,KW,I) but x has ", x[3], " channels (", describe(infer.in(0)),
            ")", groups > 1 ? cat(" in ", groups, " groups") : std::string()),
        cat("weight's last dimension must be ", x[3] / groups));
  }
}

void infer_conv2d(Infer& infer) {
  const auto& a = infer.attrs<Conv2dAttrs>();
  for (int i : {0, 1}) infer.require_floating(i);
  infer.require_rank(0, 4, "[N, H, W, C]");
  infer.require_rank(1, 4, "[O, KH, KW, C/groups]");
  require_at_least(infer, "stride", a.stride_h, a.stride_w, 1);
  require_at_least(infer, "padding", a.padding_h, a.padding_w, 0);
  require_at_least(infer, "dilation", a.dilation_h, a.dilation_w, 1);
  check_channels(infer, a.groups);
  const Shape &x = infer.shape(0), &weight = infer.shape(1);
  require_at_least(infer, "kernel", weight[1], weight[2], 1);
  const std::int64_t oh =
      windows(infer, x[1], a.padding_h, dilated(weight[1], a.dilation_h), a.stride_h, "height");
  const std::int64_t ow =
      windows(infer, x[2], a.padding_w, dilated(weight[2], a.dilation_w), a.stride_w, "width");
  DType dtype = DType::f32;
  if (infer.has(2)) {
    infer.require_floating(2);
    infer.require_shape(2, {weight[0]}, "one element for each output channel");
    dtype = infer.promote_inputs({0, 1, 2});
  } else {
    dtype = infer.promote_inputs({0, 1});
  }
  infer.out(0, {x[0], oh, ow, weight[0]}, dtype);
}

/// 2 · outputs · products per output
double conv_flops(const TensorArg& y, const TensorArg& weight) {
  const Shape& w = *weight.shape;
  return 2.0 * static_cast<double>(y.numel) * static_cast<double>(w[1] * w[2] * w[3]);
}

Cost conv2d_cost(const CallInfo& call) {
  return {.flops = conv_flops(call.out(), call.in(1)), .bytes = call.traffic()};
}

/// Inputs g [N,OH,OW,O], x (there when dweight is wanted), weight (there when dx is).
void infer_conv2d_grad(Infer& infer) {
  const auto& a = infer.attrs<Conv2dGradAttrs>();
  const Shape& g = infer.shape(0);
  if (infer.has(2))
    infer.out(0, {g[0], a.input_h, a.input_w, infer.shape(2)[3] * a.groups}, infer.dtype(0));
  if (infer.has(1))
    infer.out(1, {g[3], a.kernel_h, a.kernel_w, infer.shape(1)[3] / a.groups}, infer.dtype(0));
  infer.out(2, {g[3]}, infer.dtype(0));
}

Cost conv2d_grad_cost(const CallInfo& call) {
  const auto& a = call.attrs<Conv2dGradAttrs>();
  const TensorArg &x = call.in(1), &weight = call.in(2);
  double channels = 0;
  if (x.present()) channels += static_cast<double>(x.shape->back()) / static_cast<double>(a.groups);
  if (weight.present()) channels += static_cast<double>(weight.shape->back());
  return {.flops = 2.0 * static_cast<double>(call.in(0).numel) *
                   static_cast<double>(a.kernel_h * a.kernel_w) * channels,
          .bytes = call.traffic()};
}

constexpr OpDef kConv2dGrad{
    .name = "conv2d_grad",
    .inputs = {"g", "x?", "weight?"},
    .outputs = {"dx?", "dweight?", "dbias?"},
    .attrs = attrs_of<Conv2dGradAttrs>,
    .infer = infer_conv2d_grad,
    .cost = conv2d_grad_cost,
    .accumulates = 0b110,
    .key = 0,
};

Grads conv2d_backward(const Backward& b) {
  const auto& a = b.attrs<Conv2dAttrs>();
  const Shape &x = b.input_shape(0), &weight = b.input_shape(1);
  const Conv2dGradAttrs attrs{a.stride_h,   a.stride_w,   a.padding_h, a.padding_w,
                              a.dilation_h, a.dilation_w, a.groups,    x[1],
                              x[2],         weight[1],    weight[2]};
  std::uint32_t want = 0;
  for (int i = 0; i < 3; ++i) want |= b.needs(i) ? 1u << i : 0u;
  const Tensor kept_x = b.needs(1) ? b.input(0) : Tensor();
  const Tensor kept_weight = b.needs(0) ? b.input(1) : Tensor();
  const std::array<Dest, 3> into = {Dest{}, b.sink(1), b.sink(2)};
  const Outputs grads =
      call_into<kConv2dGrad>(attrs, {.want = want, .into = into}, b.grad(), kept_x, kept_weight);
  return {grads[0], grads[1], grads[2]};
}

constexpr OpDef kConv2d{
    .name = "conv2d",
    .inputs = {"x", "weight", "bias?"},
    .outputs = {"y"},
    .attrs = attrs_of<Conv2dAttrs>,
    .infer = infer_conv2d,
    .backward = conv2d_backward,
    .saves = {{{.for_grad = 0, .inputs = 0b10}, {.for_grad = 1, .inputs = 0b01}}},
    .cost = conv2d_cost,
    .autocast = Cast::lower,
};

void infer_max_pool2d(Infer& infer) {
  const auto& a = infer.attrs<MaxPool2dAttrs>();
  infer.require_floating(0);
  infer.require_rank(0, 4, "[N, H, W, C]");
  require_at_least(infer, "kernel", a.kernel_h, a.kernel_w, 1);
  require_at_least(infer, "stride", a.stride_h, a.stride_w, 1);
  require_at_least(infer, "padding", a.padding_h, a.padding_w, 0);
  if (a.padding_h > a.kernel_h / 2 || a.padding_w > a.kernel_w / 2) {
    infer.fail(ErrorKind::value,
               cat("padding is ", Dims{a.padding_h, a.padding_w},
                   " but must be at most half the kernel ", Dims{a.kernel_h, a.kernel_w}));
  }
  const Shape& x = infer.shape(0);
  if (x[1] > INT32_MAX / std::max<std::int64_t>(x[2], 1)) {
    infer.fail(ErrorKind::shape,
               cat(infer.text(0), " but an image must have fewer than 2^31 pixels"));
  }
  const Shape y = {x[0], windows(infer, x[1], a.padding_h, a.kernel_h, a.stride_h, "height"),
                   windows(infer, x[2], a.padding_w, a.kernel_w, a.stride_w, "width"), x[3]};
  infer.out(0, y, infer.dtype(0));
  infer.out(1, y, DType::i32);
}

Cost max_pool2d_cost(const CallInfo& call) {
  const auto& a = call.attrs<MaxPool2dAttrs>();
  return {
      .flops = static_cast<double>(call.out().numel) * static_cast<double>(a.kernel_h * a.kernel_w),
      .bytes = call.traffic()};
}

void infer_max_pool2d_grad(Infer& infer) {
  const auto& a = infer.attrs<MaxPool2dGradAttrs>();
  const Shape& g = infer.shape(0);
  infer.out(0, {g[0], a.input_h, a.input_w, g[3]}, infer.dtype(0));
}

constexpr OpDef kMaxPool2dGrad{
    .name = "max_pool2d_grad",
    .inputs = {"g", "index"},
    .outputs = {"dx"},
    .attrs = attrs_of<MaxPool2dGradAttrs>,
    .infer = infer_max_pool2d_grad,
    .cost = pointwise_cost,
};

/// `index` holds, for every output, the place of its value in the image: row · W + column.
constexpr OpDef kMaxPool2d{
    .name = "max_pool2d",
    .inputs = {"x"},
    .outputs = {"y", "index?"},
    .attrs = attrs_of<MaxPool2dAttrs>,
    .infer = infer_max_pool2d,
    .backward =
        [](const Backward& b) {
          const Shape& x = b.input_shape(0);
          return Grads{call<kMaxPool2dGrad>(MaxPool2dGradAttrs{x[1], x[2]}, b.grad(), b.output(1))};
        },
    .saves = {{{.for_grad = 0, .outputs = 0b10}}},
    .cost = max_pool2d_cost,
};

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2dOptions& o) {
  const Conv2dAttrs attrs{o.stride.h,   o.stride.w,   o.padding.h, o.padding.w,
                          o.dilation.h, o.dilation.w, o.groups};
  return call<kConv2d>(attrs, x, weight, bias);
}

Tensor max_pool2d(const Tensor& x, const MaxPool2dOptions& o) {
  const Pair stride = o.stride.value_or(o.kernel);
  const MaxPool2dAttrs attrs{o.kernel.h, o.kernel.w, stride.h, stride.w, o.padding.h, o.padding.w};
  return call_into<kMaxPool2d>(attrs, {}, x)[0];
}

void register_ops_conv() {
  register_op<kConv2d>();
  register_op<kConv2dGrad>();
  register_op<kMaxPool2d>();
  register_op<kMaxPool2dGrad>();
}

}  // namespace weft
