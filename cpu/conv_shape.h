// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>

#include "weft/op/attrs/conv.h"
#include "weft/op/kernel.h"

namespace weft::cpu {

/// A convolution of images [n,h,w,c] with weight [o,kh,kw,c/groups] into [n,oh,ow,o].
struct ConvShape {
  DType dtype = DType::f32;
  bool bias = false;
  std::int64_t n = 0, h = 0, w = 0, c = 0;
  std::int64_t o = 0, kh = 1, kw = 1;
  std::int64_t oh = 0, ow = 0;
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t padding_h = 0, padding_w = 0;
  std::int64_t dilation_h = 1, dilation_w = 1;
  std::int64_t groups = 1;
  auto operator<=>(const ConvShape&) const = default;

  std::int64_t group_inputs() const { return c / groups; }
  std::int64_t group_outputs() const { return o / groups; }
  /// Products that make one output.
  std::int64_t depth() const { return kh * kw * group_inputs(); }
  std::int64_t image() const { return h * w * c; }
  std::int64_t positions() const { return oh * ow; }
  std::int64_t weights() const { return o * depth(); }
  double flops() const {
    return 2.0 * static_cast<double>(n * positions() * o) * static_cast<double>(depth());
  }
  bool empty() const { return n * h * w * c == 0 || n * positions() * o == 0; }
  /// Pieces of about 8 MFLOP (30 us of one core): by shape alone.
  std::int64_t pieces(std::int64_t most) const {
    return static_cast<std::int64_t>(
        std::clamp(flops() / 8e6, 1.0, static_cast<double>(std::max<std::int64_t>(most, 1))));
  }
};

template <class Attrs>
ConvShape conv_steps(const Attrs& a) {
  ConvShape s;
  s.stride_h = a.stride_h, s.stride_w = a.stride_w;
  s.padding_h = a.padding_h, s.padding_w = a.padding_w;
  s.dilation_h = a.dilation_h, s.dilation_w = a.dilation_w;
  s.groups = a.groups;
  return s;
}

/// Of a `conv2d` call.
inline ConvShape forward_shape(const KernelArgs& args, DType dtype) {
  ConvShape s = conv_steps(args.attrs<Conv2dAttrs>());
  const Shape &x = *args.in(0).shape, &weight = *args.in(1).shape, &y = *args.out().shape;
  s.dtype = dtype;
  s.bias = args.in(2).present();
  s.n = x[0], s.h = x[1], s.w = x[2], s.c = x[3];
  s.o = weight[0], s.kh = weight[1], s.kw = weight[2];
  s.oh = y[1], s.ow = y[2];
  return s;
}

/// Of a `conv2d_grad` call; without x and weight (only dbias wanted) the channels are unknown and
/// 0.
inline ConvShape grad_shape(const KernelArgs& args, DType dtype) {
  const auto& a = args.attrs<Conv2dGradAttrs>();
  ConvShape s = conv_steps(a);
  const Shape& g = *args.in(0).shape;
  s.dtype = dtype;
  s.n = g[0], s.oh = g[1], s.ow = g[2], s.o = g[3];
  s.h = a.input_h, s.w = a.input_w, s.kh = a.kernel_h, s.kw = a.kernel_w;
  if (args.in(1).present())
    s.c = args.in(1).shape->back();
  else if (args.in(2).present())
    s.c = args.in(2).shape->back() * a.groups;
  return s;
}

}  // namespace weft::cpu
