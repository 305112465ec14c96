// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>

#include "weft/math/clamp.h"
#include "weft/math/log.h"

namespace weft::math {

/// Error function within 4 ULP: x + x P(x^2) below 1, and above it 1 - R(x)^8 with R minimax for
/// erfc^(1/8) on [1, 4]; at 4 erf rounds to 1.
WEFT_FORMULA float erf(float x) {
  const float u = std::fabs(x) > 4.0f ? 4.0f : std::fabs(x);
  const float t = u * u;
  float p = 7.88911508e-5f;
  p = p * t - 0.000802083995f;
  p = p * t + 0.00518953519f;
  p = p * t - 0.0268544445f;
  p = p * t + 0.112836002f;
  p = p * t - 0.376126271f;
  p = p * t + 0.128379166f;
  float r = 0.000149879070f;
  r = r * u - 0.00247003193f;
  r = r * u + 0.0129270961f;
  r = r * u - 0.0113761861f;
  r = r * u - 0.0614232746f;
  r = r * u - 0.145062463f;
  r = r * u + 1.00083518f;
  r = r * r;
  r = r * r;
  const float tail = 1.0f - r * r;
  const float head = x + x * p;
  return u < 1.0f ? head : std::copysign(tail, x);
}
WEFT_FORMULA double erf(double x) { return std::erf(x); }

/// Inverse of erf on (-1, 1): Giles 2010, "Approximating the erfinv function", single precision.
WEFT_FORMULA float erfinv(float x) {
  const float w = -log((1.0f - x) * (1.0f + x));
  const float a = w - 2.5f;
  float p = 2.81022636e-08f;
  p = p * a + 3.43273939e-07f;
  p = p * a - 3.5233877e-06f;
  p = p * a - 4.39150654e-06f;
  p = p * a + 0.00021858087f;
  p = p * a - 0.00125372503f;
  p = p * a - 0.00417768164f;
  p = p * a + 0.246640727f;
  p = p * a + 1.50140941f;
  const float b = std::sqrt(w) - 3.0f;
  float q = -0.000200214257f;
  q = q * b + 0.000100950558f;
  q = q * b + 0.00134934322f;
  q = q * b - 0.00367342844f;
  q = q * b + 0.00573950773f;
  q = q * b - 0.0076224613f;
  q = q * b + 0.00943887047f;
  q = q * b + 1.00167406f;
  q = q * b + 2.83297682f;
  return (w < 5.0f ? p : q) * x;
}

}  // namespace weft::math
