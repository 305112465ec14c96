// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "weft/nn/module.h"

namespace weft::nn {

struct BatchNormOptions {
  double momentum = 0.1;  ///< weight of a new batch in the running statistics
  double eps = 1e-5;
  bool affine = true;  ///< learn weight and bias
};

/// Normalises each channel, the last dimension of x [..., channels], over all others: by the batch
/// in training, by the running statistics in evaluation. weight [channels] starts at 1, bias at 0.
/// Ioffe & Szegedy 2015.
class WEFT_API BatchNorm : public Module {
 public:
  explicit BatchNorm(std::int64_t channels, const BatchNormOptions& options = {});
  Tensor forward(const Tensor& x) override;

  const Parameter& weight() const { return weight_; }  ///< undefined unless affine
  const Parameter& bias() const { return bias_; }
  /// f32 (f64 in an f64 model); the mean starts at 0, the variance at 1.
  const Buffer& running_mean() const { return running_mean_; }
  const Buffer& running_var() const { return running_var_; }

 private:
  Parameter weight_;
  Parameter bias_;
  Buffer running_mean_;
  Buffer running_var_;
  BatchNormOptions options_;
};

struct LayerNormOptions {
  double eps = 1e-5;
  bool affine = true;  ///< learn weight and bias
};

/// Normalises over the trailing dimensions `shape` of each x [..., shape...]; weight and bias have
/// that shape. Ba et al. 2016.
class WEFT_API LayerNorm : public Module {
 public:
  explicit LayerNorm(const Shape& shape, const LayerNormOptions& options = {});
  explicit LayerNorm(std::int64_t size, const LayerNormOptions& options = {})
      : LayerNorm(Shape{size}, options) {}
  Tensor forward(const Tensor& x) override;

  const Parameter& weight() const { return weight_; }  ///< undefined unless affine
  const Parameter& bias() const { return bias_; }

 private:
  Parameter weight_;
  Parameter bias_;
  Shape shape_;
  LayerNormOptions options_;
};

}  // namespace weft::nn
