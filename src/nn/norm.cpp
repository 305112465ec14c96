// SPDX-License-Identifier: Apache-2.0
#include "weft/nn/norm.h"

#include "nn/layer_checks.h"
#include "weft/core/context.h"
#include "weft/nn/init.h"
#include "weft/ops/norm.h"

namespace weft::nn {

BatchNorm::BatchNorm(std::int64_t channels, const BatchNormOptions& options)
    : Module("BatchNorm"), options_(options) {
  require_at_least("BatchNorm", "channels", channels, 1);
  if (options.affine) {
    weight_ = parameter("weight", init::ones(empty({channels})));
    bias_ = parameter("bias", init::zeros(empty({channels})));
  }
  const DType kept = current_settings().dtype == DType::f64 ? DType::f64 : DType::f32;
  running_mean_ = buffer("running_mean", init::zeros(empty({channels}, {.dtype = kept})));
  running_var_ = buffer("running_var", init::ones(empty({channels}, {.dtype = kept})));
  describe_as(cat(channels));
}

Tensor BatchNorm::forward(const Tensor& x) {
  Tensor mean = running_mean_;
  Tensor var = running_var_;
  return batch_norm(x, mean, var,
                    {.weight = weight_,
                     .bias = bias_,
                     .training = is_training(),
                     .momentum = options_.momentum,
                     .eps = options_.eps});
}

LayerNorm::LayerNorm(const Shape& shape, const LayerNormOptions& options)
    : Module("LayerNorm"), shape_(shape), options_(options) {
  require_at_least("LayerNorm", "number of dimensions", shape.rank(), 1);
  require_at_least("LayerNorm", "number of elements", shape.numel(), 1);
  if (options.affine) {
    weight_ = parameter("weight", init::ones(empty(shape)));
    bias_ = parameter("bias", init::zeros(empty(shape)));
  }
  describe_as(to_string(shape));
}

Tensor LayerNorm::forward(const Tensor& x) {
  const int first = x.rank() - shape_.rank();
  for (int i = 0; i < shape_.rank(); ++i) {
    if (first < 0 || x.shape()[first + i] != shape_[i]) {
      throw Error(ErrorKind::shape, cat("LayerNorm: x is ", describe(x),
                                        " but its last dimensions must be ", shape_));
    }
  }
  return layer_norm(x,
                    {.weight = weight_, .bias = bias_, .eps = options_.eps, .dims = shape_.rank()});
}

}  // namespace weft::nn
