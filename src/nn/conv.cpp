// SPDX-License-Identifier: Apache-2.0
#include "weft/nn/conv.h"

#include <algorithm>
#include <cmath>

#include "nn/conv_shapes.h"
#include "nn/layer_checks.h"
#include "weft/base/checked.h"
#include "weft/nn/init.h"

namespace weft::nn {
namespace {

std::string text_of(Pair pair) { return pair.h == pair.w ? cat(pair.h) : cat(pair.h, "x", pair.w); }

std::int64_t same_padding(std::int64_t kernel, std::int64_t stride, std::int64_t dilation) {
  if (stride != 1) {
    throw Error(ErrorKind::value, cat("Conv2d: padding is same but stride is ", stride),
                "give the padding as a number");
  }
  const std::int64_t total = checked_mul(dilation, kernel - 1, "Conv2d: padding");
  if (total % 2 != 0) {
    throw Error(ErrorKind::value,
                cat("Conv2d: padding is same but kernel ", kernel, " with dilation ", dilation,
                    " needs ", total, " zeros, one more on one side"),
                "use an odd kernel");
  }
  return total / 2;
}

}  // namespace

Pair padding_of(const Conv2dOptions& o) {
  if (!o.padding.is_same()) return o.padding.size();
  return {same_padding(o.kernel.h, o.stride.h, o.dilation.h),
          same_padding(o.kernel.w, o.stride.w, o.dilation.w)};
}

void require_conv2d(std::int64_t in, std::int64_t out, const Conv2dOptions& o) {
  const std::string_view layer = "Conv2d";
  require_at_least(layer, "in", in, 1);
  require_at_least(layer, "out", out, 1);
  require_at_least(layer, "groups", o.groups, 1);
  for (const Pair& pair : {o.kernel, o.stride, o.dilation}) {
    require_at_least(layer, "kernel, stride or dilation", std::min(pair.h, pair.w), 1);
  }
  const Pair padding = padding_of(o);
  require_at_least(layer, "padding", std::min(padding.h, padding.w), 0);
  if (in % o.groups != 0 || out % o.groups != 0) {
    throw Error(ErrorKind::value,
                cat("Conv2d: groups is ", o.groups, " but must divide in ", in, " and out ", out));
  }
}

Conv2d::Conv2d(std::int64_t in, std::int64_t out, const Conv2dOptions& o) : Module("Conv2d") {
  require_conv2d(in, out, o);
  options_ = {
      .stride = o.stride, .padding = padding_of(o), .dilation = o.dilation, .groups = o.groups};
  const Shape shape{out, o.kernel.h, o.kernel.w, in / o.groups};
  const double bound = 1 / std::sqrt(static_cast<double>(init::fans_of(shape).in));
  weight_ = parameter("weight", init::uniform(empty(shape), -bound, bound));
  if (o.bias) bias_ = parameter("bias", init::uniform(empty({out}), -bound, bound));
  describe_as(cat(in, " -> ", out, ", kernel ", text_of(o.kernel), o.bias ? "" : ", no bias"));
}

Tensor Conv2d::forward(const Tensor& x) { return conv2d(x, weight_, bias_, options_); }

MaxPool2d::MaxPool2d(const MaxPool2dOptions& o) : Module("MaxPool2d"), options_(o) {
  require_at_least("MaxPool2d", "kernel", std::min(o.kernel.h, o.kernel.w), 1);
  const Pair stride = o.stride.value_or(o.kernel);
  require_at_least("MaxPool2d", "stride", std::min(stride.h, stride.w), 1);
  describe_as(cat("kernel ", text_of(o.kernel)));
}

Tensor MaxPool2d::forward(const Tensor& x) { return max_pool2d(x, options_); }

}  // namespace weft::nn
