// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>

#include "weft/math/clamp.h"
#include "weft/math/exp.h"

/// GELU, Hendrycks & Gimpel 2016, in the exact form x Phi(x) and the tanh form. Arguments are
/// clamped where the result no longer changes, so that infinities give the limits and not inf * 0.
namespace weft::math {

/// 1 - Phi(u) for u in [0, 6], relative error below 1e-6 above 1e-3 and absolute below 1e-9: the
/// eighth power of a minimax polynomial for its eighth root, which is nearly a parabola.
WEFT_FORMULA float normal_tail(float u) {
  float r = -3.07351097e-7f;
  r = r * u + 7.65029898e-6f;
  r = r * u - 6.12730112e-5f;
  r = r * u + 3.73780400e-5f;
  r = r * u + 0.00149930980f;
  r = r * u - 0.000667649052f;
  r = r * u - 0.0319297045f;
  r = r * u - 0.0914572733f;
  r = r * u + 0.917004026f;
  r = r * r;
  r = r * r;
  return r * r;
}
WEFT_FORMULA double normal_tail(double u) { return 0.5 * std::erfc(u * 0.70710678118654752); }

template <class T>
WEFT_FORMULA T normal_cdf(T x) {
  const T tail = normal_tail(std::fabs(x));
  return x < T(0) ? tail : T(1) - tail;
}

/// Beyond, 1 - Phi is below 1e-9 in f32 and 1e-200 in f64.
template <class T>
inline constexpr T kGeluReach = sizeof(T) == 8 ? T(30) : T(6);

template <class T>
WEFT_FORMULA T gelu_erf(T x) {
  return (x < -kGeluReach<T> ? -kGeluReach<T> : x) *
         normal_cdf(clamp(x, -kGeluReach<T>, kGeluReach<T>));
}

template <class T>
WEFT_FORMULA T gelu_erf_derivative(T x) {
  x = clamp(x, -kGeluReach<T>, kGeluReach<T>);
  return normal_cdf(x) + x * (T(0.39894228040143268) * exp_normal(T(-0.5) * x * x));
}

/// exp(-2 u) with u = sqrt(2/pi) (x + 0.044715 x^3): tanh's form is x / (1 + exp(-2 u)), without
/// the cancellation of 1 + tanh(u) at the left. Finite for x >= -10, where the result is below
/// 1e-36.
template <class T>
WEFT_FORMULA T gelu_tanh_decay(T x) {
  return exp_normal(x * (T(-1.5957691216057308) - T(0.071354816272600249) * x * x));
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
