// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <type_traits>

/// Blocks of one row, and sums over them whose order depends on the length alone. Everything here
/// is inlined into the ISA clones that call it.
namespace weft::cpu {

#define WEFT_INLINE inline __attribute__((always_inline))

/// What elements of T are computed and summed in.
template <class T>
using Wide = std::conditional_t<std::is_same_v<T, double>, double, float>;

inline constexpr std::int64_t kLanes = 16;
/// Elements that a kernel keeps in a local buffer: a multiple of kLanes, small enough for L1.
inline constexpr std::int64_t kBlock = 512;

/// 16 running sums; element i goes to lane i % 16, in the body and in the remainder.
template <class C>
struct LaneSums {
  C lanes[kLanes] = {};

  /// Adds f(i) for i in [0, n). Calls but the last must have n % 16 == 0.
  template <class F>
  WEFT_INLINE void add(std::int64_t n, const F& f) {
    std::int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      for (std::int64_t l = 0; l < kLanes; ++l) lanes[l] += f(i + l);
    }
    for (std::int64_t l = 0; i + l < n; ++l) lanes[l] += f(i + l);
  }

  WEFT_INLINE C total() const {
    C sums[kLanes / 2];
    for (std::int64_t l = 0; l < kLanes / 2; ++l) sums[l] = lanes[l] + lanes[l + kLanes / 2];
    for (std::int64_t half = kLanes / 4; half > 0; half /= 2) {
      for (std::int64_t l = 0; l < half; ++l) sums[l] += sums[l + half];
    }
    return sums[0];
  }
};

/// The greatest of 16 lanes; NaN is passed over.
template <class C>
struct LaneMax {
  C lanes[kLanes];

  WEFT_INLINE LaneMax() {
    for (C& lane : lanes) lane = -std::numeric_limits<C>::infinity();
  }
  template <class F>
  WEFT_INLINE void add(std::int64_t n, const F& f) {
    std::int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      for (std::int64_t l = 0; l < kLanes; ++l) lanes[l] = greater(f(i + l), lanes[l]);
    }
    for (std::int64_t l = 0; i + l < n; ++l) lanes[l] = greater(f(i + l), lanes[l]);
  }
  WEFT_INLINE C total() const {
    C max = lanes[0];
    for (const C lane : lanes) max = greater(lane, max);
    return max;
  }
  static WEFT_INLINE C greater(C a, C b) { return a > b ? a : b; }
};

/// `n` elements as C: in place where T is C, else converted into `buffer`.
template <class C, class T>
WEFT_INLINE const C* widened(const T* x, std::int64_t n, C* buffer) {
  if constexpr (std::is_same_v<T, C>) {
    return x;
  } else {
    for (std::int64_t i = 0; i < n; ++i) buffer[i] = static_cast<C>(x[i]);
    return buffer;
  }
}

/// Writes f(i) to y[i] for i in [0, n).
template <class T, class F>
WEFT_INLINE void store(T* __restrict y, std::int64_t n, const F& f) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = static_cast<T>(f(i));
}

/// `fn(begin, length)` over blocks of [0, n).
template <class F>
WEFT_INLINE void for_blocks(std::int64_t n, const F& fn) {
  for (std::int64_t begin = 0; begin < n; begin += kBlock) fn(begin, std::min(kBlock, n - begin));
}

}  // namespace weft::cpu
