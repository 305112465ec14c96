// SPDX-License-Identifier: Apache-2.0
#include "weft/nn/activation.h"

#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/ops/pointwise.h"
#include "weft/ops/random.h"
#include "weft/ops/softmax.h"

namespace weft::nn {

Tensor ReLU::forward(const Tensor& x) { return relu(x); }
Tensor GELU::forward(const Tensor& x) { return gelu(x, {.tanh = options_.tanh}); }
Tensor Softmax::forward(const Tensor& x) { return softmax(x, {.dim = dim_}); }

Dropout::Dropout(double p) : Module("Dropout"), p_(p) {
  if (!(p >= 0 && p < 1)) {
    throw Error(ErrorKind::value, cat("Dropout: p is ", p, " but must be in [0, 1)"));
  }
  describe_as(cat("p = ", p));
}

Tensor Dropout::forward(const Tensor& x) {
  return is_training() && p_ > 0 ? dropout(x, {.p = p_, .training = true}) : x;
}

Tensor Flatten::forward(const Tensor& x) {
  if (x.rank() == 0) {
    throw Error(ErrorKind::shape, "Flatten: x is a scalar but needs a batch dimension");
  }
  return x.reshape({x.shape()[0], x.shape().numel(1, x.rank())});
}

}  // namespace weft::nn
