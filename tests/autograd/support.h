// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "weft/core/tensor.h"

/// The few ops that the tape needs, made by the tests: autograd is tested without the built-in
/// ones.
namespace weft::test {

/// a * b, element by element, for f32 and f64; saves both.
Tensor times(const Tensor& a, const Tensor& b);
Tensor floats(const std::vector<float>& values);
/// A leaf that wants a gradient.
Tensor leaf(const std::vector<float>& values);
std::vector<float> values_of(const Tensor& x);

}  // namespace weft::test
