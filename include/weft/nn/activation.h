// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "weft/nn/module.h"

namespace weft::nn {

/// max(x, 0).
class WEFT_API ReLU : public Module {
 public:
  ReLU() : Module("ReLU") {}
  Tensor forward(const Tensor& x) override;
};

struct GELUOptions {
  bool tanh = false;  ///< the tanh approximation instead of the exact form
};

/// x·Φ(x), Hendrycks & Gimpel 2016.
class WEFT_API GELU : public Module {
 public:
  explicit GELU(const GELUOptions& options = {}) : Module("GELU"), options_(options) {}
  Tensor forward(const Tensor& x) override;

 private:
  GELUOptions options_;
};

/// Probabilities along `dim`.
class WEFT_API Softmax : public Module {
 public:
  explicit Softmax(std::int64_t dim = -1) : Module("Softmax"), dim_(dim) {}
  Tensor forward(const Tensor& x) override;

 private:
  std::int64_t dim_;
};

/// In training, zeroes each element with probability p and scales the others by 1/(1-p); else the
/// identity. Srivastava et al. 2014.
class WEFT_API Dropout : public Module {
 public:
  /// Throws Error(value) unless 0 <= p < 1.
  explicit Dropout(double p = 0.5);
  Tensor forward(const Tensor& x) override;

 private:
  double p_;
};

/// [N, ...] to [N, product], in the order of memory: an image N, H, W, C becomes rows, columns,
/// channels.
class WEFT_API Flatten : public Module {
 public:
  Flatten() : Module("Flatten") {}
  Tensor forward(const Tensor& x) override;
};

}  // namespace weft::nn
