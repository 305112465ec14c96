// SPDX-License-Identifier: Apache-2.0
#include "weft/nn/linear.h"

#include <cmath>

#include "nn/layer_checks.h"
#include "weft/nn/init.h"
#include "weft/ops/index.h"
#include "weft/ops/matmul.h"

namespace weft::nn {

Linear::Linear(std::int64_t in, std::int64_t out, const LinearOptions& options) : Module("Linear") {
  require_at_least("Linear", "in", in, 1);
  require_at_least("Linear", "out", out, 1);
  // torch.nn.Linear: kaiming_uniform with slope √5, which is U(±1/√in).
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  weight_ = parameter("weight", init::uniform(empty({out, in}), -bound, bound));
  if (options.bias) bias_ = parameter("bias", init::uniform(empty({out}), -bound, bound));
  describe_as(cat(in, " -> ", out, options.bias ? "" : ", no bias"));
}

Linear::Linear(const Parameter& weight, const Parameter& bias) : Module("Linear") {
  if (!weight.defined() || weight.shape().rank() != 2) {
    throw Error(ErrorKind::shape, cat("Linear: weight is ", weight ? describe(weight) : "undefined",
                                      " but must have two dimensions [out, in]"));
  }
  if (bias && bias.shape() != Shape{weight.shape()[0]}) {
    throw Error(ErrorKind::shape, cat("Linear: bias is ", describe(bias), " but weight ",
                                      describe(weight), " needs ", weight.shape()[0], " elements"));
  }
  weight_ = parameter("weight", weight);
  if (bias) bias_ = parameter("bias", bias);
  describe_as(cat(weight.shape()[1], " -> ", weight.shape()[0], bias ? "" : ", no bias"));
}

Tensor Linear::forward(const Tensor& x) { return linear(x, weight_, bias_); }

Embedding::Embedding(std::int64_t count, std::int64_t size, const EmbeddingOptions& options)
    : Module("Embedding"), padding_index_(options.padding_index) {
  require_at_least("Embedding", "count", count, 1);
  require_at_least("Embedding", "size", size, 1);
  if (padding_index_ < -1 || padding_index_ >= count) {
    throw Error(ErrorKind::value, cat("Embedding: padding_index is ", padding_index_,
                                      " but must be -1 (none) or a row below ", count));
  }
  Tensor rows = init::normal(empty({count, size}));
  if (padding_index_ >= 0) rows.slice(padding_index_, padding_index_ + 1).fill_(0);
  weight_ = parameter("weight", rows);
  describe_as(cat(count, " rows of ", size));
}

Tensor Embedding::forward(const Tensor& indices) {
  return embedding(indices, weight_, {.padding_index = padding_index_});
}

}  // namespace weft::nn
