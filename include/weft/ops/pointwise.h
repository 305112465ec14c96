// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weft/core/tensor.h"

namespace weft {

/// Sum, difference, product and quotient, element by element. Shapes broadcast as in NumPy, dtypes
/// promote (docs/dtypes.md); a number takes the tensor's dtype. Integers wrap around; `div` needs a
/// floating dtype. Throws Error(shape) on shapes that do not broadcast, Error(dtype) on bool, on
/// integers given to `div`, and on a fractional number with an integer tensor.
WEFT_API Tensor add(const Tensor& a, const Tensor& b);
WEFT_API Tensor add(const Tensor& a, double b);
WEFT_API Tensor add(double a, const Tensor& b);
WEFT_API Tensor sub(const Tensor& a, const Tensor& b);
WEFT_API Tensor sub(const Tensor& a, double b);
WEFT_API Tensor sub(double a, const Tensor& b);
WEFT_API Tensor mul(const Tensor& a, const Tensor& b);
WEFT_API Tensor mul(const Tensor& a, double b);
WEFT_API Tensor mul(double a, const Tensor& b);
WEFT_API Tensor div(const Tensor& a, const Tensor& b);
WEFT_API Tensor div(const Tensor& a, double b);
WEFT_API Tensor div(double a, const Tensor& b);

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator+(const Tensor& a, double b) { return add(a, b); }
inline Tensor operator+(double a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator-(const Tensor& a, double b) { return sub(a, b); }
inline Tensor operator-(double a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator*(const Tensor& a, double b) { return mul(a, b); }
inline Tensor operator*(double a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator/(const Tensor& a, double b) { return div(a, b); }
inline Tensor operator/(double a, const Tensor& b) { return div(a, b); }
inline Tensor operator-(const Tensor& x) { return mul(x, -1.0); }

/// These rebind `a` to a new tensor; only `copy_`, `fill_` and optimizers write in place.
inline Tensor& operator+=(Tensor& a, const Tensor& b) { return a = add(a, b); }
inline Tensor& operator+=(Tensor& a, double b) { return a = add(a, b); }
inline Tensor& operator-=(Tensor& a, const Tensor& b) { return a = sub(a, b); }
inline Tensor& operator-=(Tensor& a, double b) { return a = sub(a, b); }
inline Tensor& operator*=(Tensor& a, const Tensor& b) { return a = mul(a, b); }
inline Tensor& operator*=(Tensor& a, double b) { return a = mul(a, b); }
inline Tensor& operator/=(Tensor& a, const Tensor& b) { return a = div(a, b); }
inline Tensor& operator/=(Tensor& a, double b) { return a = div(a, b); }

/// max(x, 0); NaN stays NaN. Floating dtypes.
WEFT_API Tensor relu(const Tensor& x);

struct GeluOptions {
  bool tanh = false;  ///< the tanh form instead of x Phi(x)
};
/// Gaussian error linear unit, Hendrycks & Gimpel 2016. Floating dtypes. Absolute error below 1e-6
/// |x|.
WEFT_API Tensor gelu(const Tensor& x, GeluOptions options = {});

}  // namespace weft
