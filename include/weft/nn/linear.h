// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "weft/nn/module.h"

namespace weft::nn {

struct LinearOptions {
  bool bias = true;
};

/// x [..., in] to x·weightᵀ + bias [..., out]; weight [out, in], bias [out], both U(±1/√in).
class WEFT_API Linear : public Module {
 public:
  Linear(std::int64_t in, std::int64_t out, const LinearOptions& options = {});
  /// Shares `weight` (and `bias`) with whatever else holds them: a tied output layer. Throws
  /// Error(shape).
  explicit Linear(const Parameter& weight, const Parameter& bias = {});
  Tensor forward(const Tensor& x) override;

  const Parameter& weight() const { return weight_; }
  const Parameter& bias() const { return bias_; }  ///< undefined without bias

 private:
  Parameter weight_;
  Parameter bias_;
};

struct EmbeddingOptions {
  std::int64_t padding_index = -1;  ///< a row that is 0 and learns nothing; -1 for none
};

/// Indices [...] (i32 or i64) to rows of weight [count, size]: [..., size]; weight N(0, 1).
class WEFT_API Embedding : public Module {
 public:
  Embedding(std::int64_t count, std::int64_t size, const EmbeddingOptions& options = {});
  Tensor forward(const Tensor& indices) override;

  const Parameter& weight() const { return weight_; }

 private:
  Parameter weight_;
  std::int64_t padding_index_;
};

}  // namespace weft::nn
