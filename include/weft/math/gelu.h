// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weft/math/erf.h"
#include "weft/math/exp.h"

/// GELU, Hendrycks & Gimpel 2016, in the exact form x Phi(x) and the tanh form. Arguments are
/// clamped where the result no longer changes, so that infinities give the limits and not inf * 0.
namespace weft::math {

template <class T>
WEFT_FORMULA T gelu_erf(T x) {
  const T left = x < T(-30) ? T(-30) : x;
  return T(0.5) * left * (T(1) + erf(left * T(0.70710678118654752)));
}

template <class T>
WEFT_FORMULA T gelu_erf_derivative(T x) {
  x = clamp(x, T(-30), T(30));
  const T cdf = T(0.5) * (T(1) + erf(x * T(0.70710678118654752)));
  return cdf + x * (T(0.39894228040143268) * exp(T(-0.5) * x * x));
}

/// exp(-2 u) with u = sqrt(2/pi) (x + 0.044715 x^3): tanh's form is x / (1 + exp(-2 u)), without
/// the cancellation of 1 + tanh(u) at the left. Finite for x >= -10, where the result is below
/// 1e-36.
template <class T>
WEFT_FORMULA T gelu_tanh_decay(T x) {
  return exp(x * (T(-1.5957691216057308) - T(0.071354816272600249) * x * x));
}

template <class T>
WEFT_FORMULA T gelu_tanh(T x) {
  const T left = x < T(-10) ? T(-10) : x;
  return left / (T(1) + gelu_tanh_decay(left));
}

template <class T>
WEFT_FORMULA T gelu_tanh_derivative(T x) {
  x = clamp(x, T(-10), T(10));
  const T decay = gelu_tanh_decay(x);
  const T gate = T(1) / (T(1) + decay);
  const T slope = T(1.5957691216057308) + T(0.21406444881780075) * x * x;
  return gate + x * slope * (gate * decay) * gate;
}

}  // namespace weft::math
