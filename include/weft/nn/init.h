// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weft/core/tensor.h"
#include "weft/nn/module.h"

/// Starting values. Every function overwrites `w`, any floating dtype on any device, and returns
/// it. The random ones draw from the session's stream `init` on the host, one draw per tensor, so
/// the values depend on the seed and on how many tensors were drawn before, not on the device.
namespace weft::nn::init {

/// Inputs and outputs of one unit: [out, in] and [O, KH, KW, I] (times the kernel's area). Throws
/// Error(shape) on fewer than two dimensions.
struct Fans {
  std::int64_t in = 0;
  std::int64_t out = 0;
};
WEFT_API Fans fans_of(const Shape& weight);

WEFT_API Tensor zeros(Tensor w);
WEFT_API Tensor ones(Tensor w);
WEFT_API Tensor constant(Tensor w, double value);
/// U[low, high).
WEFT_API Tensor uniform(Tensor w, double low = 0, double high = 1);
WEFT_API Tensor normal(Tensor w, double mean = 0, double std = 1);
/// N(mean, std²) with what falls outside [mean - cut·std, mean + cut·std] drawn again.
WEFT_API Tensor truncated_normal(Tensor w, double mean = 0, double std = 1, double cut = 2);
/// Glorot & Bengio 2010: variance 2 / (fan_in + fan_out), times gain².
WEFT_API Tensor xavier_uniform(Tensor w, double gain = 1);
WEFT_API Tensor xavier_normal(Tensor w, double gain = 1);
/// He et al. 2015: variance 2 / ((1 + slope²) fan_in), for ReLU with that negative slope.
WEFT_API Tensor kaiming_uniform(Tensor w, double slope = 0);
WEFT_API Tensor kaiming_normal(Tensor w, double slope = 0);
/// Saxe et al. 2014: as a matrix [first dimension, the rest], orthonormal rows or columns,
/// whichever are fewer, times gain.
WEFT_API Tensor orthogonal(Tensor w, double gain = 1);

/// The names that `apply` takes: `default`, `zeros`, ..., `orthogonal`.
WEFT_API std::vector<std::string> names();
/// Draws every parameter called `weight` of two or more dimensions afresh by the function `name`
/// (with its defaults) and sets the biases beside them to 0. `default` leaves each layer's own
/// values. Throws Error(unsupported) with the nearest name.
WEFT_API void apply(Module& module, std::string_view name);

}  // namespace weft::nn::init
