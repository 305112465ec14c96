// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "weft/nn/module.h"
#include "weft/ops/conv.h"

namespace weft::nn {

/// Padding that keeps the image's size at stride 1.
struct Same {};
inline constexpr Same same{};

/// Zeros round an image: one number, {height, width}, or `nn::same`.
class Padding {
 public:
  constexpr Padding(std::int64_t both) : size_(both) {}
  constexpr Padding(std::int64_t height, std::int64_t width) : size_(height, width) {}
  constexpr Padding(Pair size) : size_(size) {}
  constexpr Padding(Same) : size_(0), same_(true) {}
  constexpr bool is_same() const { return same_; }
  constexpr Pair size() const { return size_; }

 private:
  Pair size_;
  bool same_ = false;
};

struct Conv2dOptions {
  Pair kernel = 3;
  Pair stride = 1;
  Padding padding = 0;
  Pair dilation = 1;
  std::int64_t groups = 1;
  bool bias = true;
};

/// Images [N, H, W, in] to [N, OH, OW, out] (see `conv2d`); weight [out, KH, KW, in/groups], bias
/// [out], both U(±1/√fan_in). Throws Error(value) for `same` with a stride, or with a kernel that
/// would need more zeros on one side than on the other, and when groups do not divide in and out.
class WEFT_API Conv2d : public Module {
 public:
  Conv2d(std::int64_t in, std::int64_t out, const Conv2dOptions& options = {});
  Tensor forward(const Tensor& x) override;

  const Parameter& weight() const { return weight_; }
  const Parameter& bias() const { return bias_; }  ///< undefined without bias

 private:
  Parameter weight_;
  Parameter bias_;
  weft::Conv2dOptions options_;
};

/// The largest value of each window of images [N, H, W, C] (see `max_pool2d`).
class WEFT_API MaxPool2d : public Module {
 public:
  explicit MaxPool2d(const MaxPool2dOptions& options = {});
  Tensor forward(const Tensor& x) override;

 private:
  MaxPool2dOptions options_;
};

}  // namespace weft::nn
