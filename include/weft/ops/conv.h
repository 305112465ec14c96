// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "weft/core/tensor.h"
#include "weft/op/attrs/conv.h"

/// Convolution and pooling of images [N, H, W, C].
namespace weft {

/// One integer for both image dimensions, or {height, width}.
struct Pair {
  std::int64_t h = 0;
  std::int64_t w = 0;
  constexpr Pair(std::int64_t both) : h(both), w(both) {}
  constexpr Pair(std::int64_t height, std::int64_t width) : h(height), w(width) {}
};

struct Conv2dOptions {
  Pair stride = 1;
  Pair padding = 0;  ///< zeros on both sides
  Pair dilation = 1;
  std::int64_t groups = 1;
};

/// Cross-correlation of `x` [N, H, W, C] with `weight` [O, KH, KW, C/groups] plus `bias` [O],
/// giving [N, OH, OW, O] with OH = floor((H + 2 padding - dilation (KH - 1) - 1) / stride) + 1.
/// Halves accumulate in f32. Throws Error(shape) on a weight, bias or groups that do not fit x or a
/// kernel larger than the padded image, Error(value) on options out of their domain, Error(dtype)
/// on integers.
WEFT_API Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                       const Conv2dOptions& options = {});

struct MaxPool2dOptions {
  Pair kernel = 2;
  std::optional<Pair> stride = {};  ///< the kernel's size when unset
  Pair padding = 0;                 ///< at most half the kernel; padded places never win
};

/// The largest value of each window of `x` [N, H, W, C], giving [N, OH, OW, C] with
/// OH = floor((H + 2 padding - kernel) / stride) + 1. Of equal values the first in row order gets
/// the gradient; a NaN wins over every number. Throws Error(shape | value | dtype).
WEFT_API Tensor max_pool2d(const Tensor& x, const MaxPool2dOptions& options = {});

}  // namespace weft
