// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/conv.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "op/recorder.h"
#include "tests/ops/support/row_data.h"
#include "weft/core/threads.h"
#include "weft/op/registry.h"

namespace weft::test {
namespace {

std::int64_t outputs_of(std::int64_t extent, std::int64_t kernel, std::int64_t stride,
                        std::int64_t padding, std::int64_t dilation) {
  return (extent + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
}

double at(const Tensor& x, std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d) {
  const Shape& s = x.shape();
  return x.data<double>()[static_cast<std::size_t>(((a * s[1] + b) * s[2] + c) * s[3] + d)];
}

/// The definition, one output after the other.
std::vector<Tensor> conv2d_reference(In t, const Conv2dOptions& o) {
  const Shape &x = t[0].shape(), &w = t[1].shape();
  const Shape y = {x[0], outputs_of(x[1], w[1], o.stride.h, o.padding.h, o.dilation.h),
                   outputs_of(x[2], w[2], o.stride.w, o.padding.w, o.dilation.w), w[0]};
  std::vector<double> values;
  for (std::int64_t i = 0; i < y.numel(); ++i) {
    const std::int64_t out = i % y[3], column = i / y[3] % y[2], row = i / y[3] / y[2] % y[1],
                       n = i / y[3] / y[2] / y[1];
    const std::int64_t group = out / (w[0] / o.groups);
    double sum = t.size() > 2 ? t[2].data<double>()[static_cast<std::size_t>(out)] : 0;
    for (std::int64_t kh = 0; kh < w[1]; ++kh) {
      for (std::int64_t kw = 0; kw < w[2]; ++kw) {
        const std::int64_t h = row * o.stride.h - o.padding.h + kh * o.dilation.h;
        const std::int64_t v = column * o.stride.w - o.padding.w + kw * o.dilation.w;
        if (h < 0 || h >= x[1] || v < 0 || v >= x[2]) continue;
        for (std::int64_t c = 0; c < w[3]; ++c)
          sum += at(t[0], n, h, v, group * w[3] + c) * at(t[1], out, kh, kw, c);
      }
    }
    values.push_back(sum);
  }
  return {Tensor::from(values, y)};
}

Sample conv_sample(const char* name, Shape x, Shape weight, bool bias, Conv2dOptions options = {}) {
  const double terms =
      static_cast<double>(std::max<std::int64_t>(weight[1] * weight[2] * weight[3], 1));
  std::vector<Arg> args = {{.shape = x}, {.shape = weight, .scale = 1 / std::sqrt(terms)}};
  if (bias) args.push_back({.shape = {weight[0]}});
  return {.name = name,
          .args = args,
          .run =
              [=](In t) {
                return std::vector{conv2d(t[0], t[1], t.size() > 2 ? t[2] : Tensor(), options)};
              },
          .reference = [=](In t) { return conv2d_reference(t, options); }};
}

std::vector<Tensor> max_pool_reference(In t, const MaxPool2dOptions& o) {
  const Shape& x = t[0].shape();
  const Pair stride = o.stride.value_or(o.kernel);
  const Shape y = {x[0], outputs_of(x[1], o.kernel.h, stride.h, o.padding.h, 1),
                   outputs_of(x[2], o.kernel.w, stride.w, o.padding.w, 1), x[3]};
  std::vector<double> values;
  for (std::int64_t i = 0; i < y.numel(); ++i) {
    const std::int64_t c = i % y[3], column = i / y[3] % y[2], row = i / y[3] / y[2] % y[1],
                       n = i / y[3] / y[2] / y[1];
    double best = -std::numeric_limits<double>::infinity();
    for (std::int64_t h = row * stride.h - o.padding.h;
         h < row * stride.h - o.padding.h + o.kernel.h; ++h) {
      for (std::int64_t w = column * stride.w - o.padding.w;
           w < column * stride.w - o.padding.w + o.kernel.w; ++w) {
        if (h >= 0 && h < x[1] && w >= 0 && w < x[2]) best = std::max(best, at(t[0], n, h, w, c));
      }
    }
    values.push_back(best);
  }
  return {Tensor::from(values, y)};
}

Sample pool_sample(const char* name, Shape x, MaxPool2dOptions options) {
  return {.name = name,
          .args = {{.shape = x, .fill = Fill::spread}},
          .run = [=](In t) { return std::vector{max_pool2d(t[0], options)}; },
          .reference = [=](In t) { return max_pool_reference(t, options); }};
}

const OpRows rows{
    {.op = "conv2d",
     .samples =
         {conv_sample("one", {1, 1, 1, 1}, {1, 1, 1, 1}, true),
          conv_sample("3 x 3, odd channels", {2, 7, 5, 3}, {5, 3, 3, 3}, true, {.padding = 1}),
          conv_sample("one channel", {3, 9, 8, 1}, {16, 3, 3, 1}, true, {.padding = 1}),
          conv_sample("sixteen channels", {2, 8, 8, 16}, {16, 3, 3, 16}, true, {.padding = 1}),
          conv_sample("no bias", {2, 6, 6, 4}, {8, 3, 3, 4}, false),
          conv_sample("1 x 1", {2, 5, 6, 8}, {4, 1, 1, 8}, true),
          conv_sample("1 x 1, stride 2", {2, 5, 6, 8}, {4, 1, 1, 8}, true, {.stride = 2}),
          conv_sample("stride and padding by dimension", {1, 11, 9, 2}, {3, 3, 5, 2}, true,
                      {.stride = {2, 1}, .padding = {1, 2}}),
          conv_sample("dilation", {2, 9, 10, 3}, {4, 3, 2, 3}, true,
                      {.padding = 2, .dilation = {2, 3}}),
          conv_sample("groups", {2, 6, 5, 6}, {4, 3, 3, 3}, true, {.padding = 1, .groups = 2}),
          conv_sample("depthwise", {2, 6, 7, 8}, {8, 3, 3, 1}, true, {.padding = 1, .groups = 8}),
          conv_sample("even kernel", {2, 6, 6, 3}, {4, 2, 4, 3}, true, {.stride = 2}),
          conv_sample("kernel as large as the image", {3, 4, 5, 2}, {6, 4, 5, 2}, true),
          conv_sample("last stride leaves pixels over", {1, 8, 8, 2}, {2, 3, 3, 2}, true,
                      {.stride = 3}),
          conv_sample("padding beyond the kernel", {1, 3, 3, 2}, {2, 2, 2, 2}, true,
                      {.padding = 3}),
          conv_sample("no images", {0, 5, 5, 3}, {4, 3, 3, 3}, true),
          conv_sample("no input channels", {2, 4, 4, 0}, {3, 3, 3, 0}, true),
          conv_sample("no output channels", {2, 4, 4, 3}, {0, 3, 3, 3}, true)},
     .errors =
         {{"channels", [] { conv2d(empty({64, 28, 28, 3}), empty({32, 3, 3, 16})); },
           ErrorKind::shape,
           "conv2d: weight is f32[32,3,3,16] (O,KH,KW,I) but x has 3 channels (f32[64,28,28,3])"},
          {"rank", [] { conv2d(empty({28, 28, 3}), empty({32, 3, 3, 3})); }, ErrorKind::shape,
           "conv2d: x is f32[28,28,3] but must have 4 dimensions [N, H, W, C]"},
          {"kernel larger than image",
           [] { conv2d(empty({1, 2, 2, 3}), empty({4, 5, 5, 3}), {}, {.padding = 1}); },
           ErrorKind::shape,
           "conv2d: the kernel spans 5 but x is f32[1,2,2,3] with padding 1 has 4 in height"},
          {"bias", [] { conv2d(empty({1, 8, 8, 3}), empty({4, 3, 3, 3}), empty({3})); },
           ErrorKind::shape,
           "conv2d: bias is f32[3] but must be [4]: one element for each output channel"},
          {"groups", [] { conv2d(empty({1, 8, 8, 3}), empty({4, 3, 3, 1}), {}, {.groups = 2}); },
           ErrorKind::shape,
           "conv2d: groups is 2 but must divide the 3 channels of x and the 4 of weight"},
          {"stride",
           [] { conv2d(empty({1, 8, 8, 3}), empty({4, 3, 3, 3}), {}, {.stride = {1, 0}}); },
           ErrorKind::value, "conv2d: stride is [1,0] but must be at least 1"},
          {"padding", [] { conv2d(empty({1, 8, 8, 3}), empty({4, 3, 3, 3}), {}, {.padding = -1}); },
           ErrorKind::value, "conv2d: padding is [-1,-1] but must be at least 0"}},
     .grad_ops = {"conv2d_grad"}},
    {.op = "max_pool2d",
     .samples = {pool_sample("one", {1, 1, 1, 1}, {.kernel = 1}),
                 pool_sample("halves", {2, 6, 8, 3}, {}),
                 pool_sample("odd", {2, 7, 5, 17}, {.kernel = 3, .stride = 2}),
                 pool_sample("overlapping", {1, 6, 6, 2}, {.kernel = 3, .stride = 1}),
                 pool_sample("padded", {2, 5, 6, 4}, {.kernel = 3, .stride = 2, .padding = 1}),
                 pool_sample("by dimension", {1, 8, 9, 2},
                             {.kernel = {2, 3}, .stride = Pair{1, 2}, .padding = {0, 1}}),
                 pool_sample("whole image", {3, 4, 5, 2}, {.kernel = {4, 5}}),
                 pool_sample("stride beyond kernel", {1, 9, 9, 2}, {.kernel = 2, .stride = 3}),
                 pool_sample("no images", {0, 4, 4, 3}, {}),
                 pool_sample("no channels", {2, 4, 4, 0}, {})},
     .errors =
         {{"rank", [] { max_pool2d(empty({28, 28, 3})); }, ErrorKind::shape,
           "max_pool2d: x is f32[28,28,3] but must have 4 dimensions [N, H, W, C]"},
          {"padding", [] { max_pool2d(empty({1, 8, 8, 3}), {.kernel = 3, .padding = 2}); },
           ErrorKind::value,
           "max_pool2d: padding is [2,2] but must be at most half the kernel [3,3]"},
          {"kernel larger than image", [] { max_pool2d(empty({1, 2, 8, 3}), {.kernel = 3}); },
           ErrorKind::shape,
           "max_pool2d: the kernel spans 3 but x is f32[1,2,8,3] with padding 0 has 2 in height"},
          {"kernel", [] { max_pool2d(empty({1, 2, 8, 3}), {.kernel = 0, .stride = 1}); },
           ErrorKind::value, "max_pool2d: kernel is [0,0] but must be at least 1"}},
     .grad_ops = {"max_pool2d_grad"}},
};

TEST(MaxPool2d, GivesTheGradientToTheFirstOfTies) {
  Tensor x = Tensor::of({1, 1, 1, 1}).reshape({1, 2, 2, 1}).detach();
  x.requires_grad_();
  max_pool2d(x).backward(Tensor::of({1}).reshape({1, 1, 1, 1}));
  EXPECT_EQ(x.grad().to_vector(), (std::vector<double>{1, 0, 0, 0}));
}

TEST(MaxPool2d, LetsNaNWin) {
  const double nan = std::numeric_limits<double>::quiet_NaN(),
               inf = std::numeric_limits<double>::infinity();
  for (const auto& values : {std::vector{nan, inf, 1.0, 2.0}, std::vector{inf, 1.0, nan, 2.0},
                             std::vector{1.0, 2.0, 3.0, nan}}) {
    EXPECT_TRUE(std::isnan(max_pool2d(Tensor::from(values, {1, 2, 2, 1})).item()));
  }
  EXPECT_EQ(max_pool2d(Tensor::from(std::vector{-inf, -inf, -inf, -inf}, {1, 2, 2, 1})).item(),
            -inf);
}

double dot(const Tensor& a, const Tensor& b) {
  const std::vector<double> x = a.to_vector(), y = b.to_vector();
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += x[i] * y[i];
  return sum;
}

// Large enough for several pieces, the last of fewer images.
TEST(Conv2d, PiecesOfALargeBatchFitTogether) {
  const Sample sample =
      conv_sample("large", {17, 12, 12, 24}, {32, 3, 3, 24}, true, {.padding = 1});
  for (const DType dtype : {DType::f64, DType::f32, DType::bf16, DType::f16}) {
    const std::vector<Tensor> x = as_f64(make_inputs(sample, dtype));
    const Tensor g = as_f64(upstream_for(sample.run, make_inputs(sample, dtype)))[0];
    const Tensor y = sample.reference(x)[0];
    const double linear_part = dot(g, conv2d_reference(std::vector{x[0], x[1]}, {.padding = 1})[0]);
    for (const KernelRow& kernel : op_named("conv2d").kernels.rows(DeviceKind::cpu, dtype)) {
      SCOPED_TRACE(cat(dtype, " ", kernel.variant));
      const VariantPin pin(kernel.variant.data(), false);
      std::vector<Tensor> first;
      for (const int threads : {1, 3}) {
        set_num_threads(threads);
        const std::vector<Tensor> got = run_with_grads(sample.run, make_inputs(sample, dtype));
        if (first.empty()) first = got;
        EXPECT_EQ(compare_bits(got, first), "");
      }
      set_num_threads(0);
      const Tolerance close = tolerance_of(dtype, 10);
      EXPECT_EQ(compare_close(first[0], y, close), "");
      // y is linear in x and in weight: <g, y> = <dx, x> = <dweight, weight>.
      EXPECT_NEAR(dot(first[1], x[0]), linear_part, close.rtol * std::sqrt(dot(g, g) * dot(y, y)));
      EXPECT_NEAR(dot(first[2], x[1]), linear_part, close.rtol * std::sqrt(dot(g, g) * dot(y, y)));
    }
  }
}

TEST(Conv2d, TakesOneDnnWhereItHasAGoodKernel) {
  const auto& rows = op_named("conv2d").kernels.rows(DeviceKind::cpu, DType::f32);
  if (rows[0].variant != "onednn") GTEST_SKIP() << "built without oneDNN";
  const VariantPin pin("onednn");
  conv2d(empty({2, 8, 8, 16}), empty({16, 3, 3, 16}), empty({16}), {.padding = 1});
}

}  // namespace
}  // namespace weft::test
