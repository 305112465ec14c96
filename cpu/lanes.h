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

inline constexpr std::int64_t kLanes = 32;
/// Elements that a kernel keeps in a local buffer: a multiple of kLanes, small enough for L1.
inline constexpr std::int64_t kBlock = 512;

/// Running sums; element i goes to lane i % kLanes, in the body and in the remainder.
template <class C>
struct LaneSums {
  C lanes[kLanes] = {};

  /// Adds f(i) for i in [0, n). Calls but the last must have n % kLanes == 0.
  template <class F>
  WEFT_INLINE void add(std::int64_t n, const F& f) {
    C local[kLanes];  // what nothing else can see stays in registers
    std::copy(lanes, lanes + kLanes, local);
    std::int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      for (std::int64_t l = 0; l < kLanes; ++l) local[l] += f(i + l);
    }
    std::copy(local, local + kLanes, lanes);
    for (std::int64_t l = 0; i + l < n; ++l) lanes[l] += f(i + l);
  }

  WEFT_INLINE C total() const { return fold<kLanes / 2>(lanes); }

 private:
  template <std::int64_t kHalf>
  static WEFT_INLINE C fold(const C* values) {
    C sums[kHalf];
    for (std::int64_t l = 0; l < kHalf; ++l) sums[l] = values[l] + values[l + kHalf];
    if constexpr (kHalf == 1) {
      return sums[0];
    } else {
      return fold<kHalf / 2>(sums);
    }
  }
};

/// The greatest element; NaN is passed over.
template <class C>
struct LaneMax {
  C lanes[kLanes];

  WEFT_INLINE LaneMax() {
    for (C& lane : lanes) lane = -std::numeric_limits<C>::infinity();
  }
  template <class F>
  WEFT_INLINE void add(std::int64_t n, const F& f) {
    C local[kLanes];
    std::copy(lanes, lanes + kLanes, local);
    std::int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      for (std::int64_t l = 0; l < kLanes; ++l) local[l] = greater(f(i + l), local[l]);
    }
    std::copy(local, local + kLanes, lanes);
    for (std::int64_t l = 0; i + l < n; ++l) lanes[l] = greater(f(i + l), lanes[l]);
  }
  WEFT_INLINE C total() const { return fold<kLanes / 2>(lanes); }

 private:
  static WEFT_INLINE C greater(C a, C b) { return a > b ? a : b; }
  template <std::int64_t kHalf>
  static WEFT_INLINE C fold(const C* values) {
    C tops[kHalf];
    for (std::int64_t l = 0; l < kHalf; ++l) tops[l] = greater(values[l], values[l + kHalf]);
    if constexpr (kHalf == 1) {
      return tops[0];
    } else {
      return fold<kHalf / 2>(tops);
    }
  }
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

/// A block of one value, in place of an absent vector.
template <class C>
struct Constants {
  C values[kBlock];
  constexpr explicit Constants(C value) {
    for (C& v : values) v = value;
  }
};
template <class C>
inline constexpr Constants<C> kZeros(C{0});
template <class C>
inline constexpr Constants<C> kOnes(C{1});

/// A block of an optional vector as C; `fallback` where it is absent.
template <class C, class T>
WEFT_INLINE const C* block_of(const T* vector, std::int64_t begin, std::int64_t n, C* buffer,
                              const Constants<C>& fallback) {
  return vector != nullptr ? widened(vector + begin, n, buffer) : fallback.values;
}

/// Writes f(i) to y[i] for i in [0, n).
template <class T, class F>
WEFT_INLINE void store(T* __restrict y, std::int64_t n, const F& f) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = static_cast<T>(f(i));
}

/// Asks for `n` elements that will be needed soon: the hardware's own prefetch stops at pages,
/// which for rows of a few KB is too late.
template <class T>
WEFT_INLINE void prefetch(const T* x, std::int64_t n) {
  constexpr auto kLine = static_cast<std::int64_t>(64 / sizeof(T));
  for (std::int64_t i = 0; i < n; i += kLine) __builtin_prefetch(x + i);
}

/// The same for elements that will be written.
template <class T>
WEFT_INLINE void prefetch_for_writing(const T* x, std::int64_t n) {
  constexpr auto kLine = static_cast<std::int64_t>(64 / sizeof(T));
  for (std::int64_t i = 0; i < n; i += kLine) __builtin_prefetch(x + i, 1);
}

/// `fn(begin, length)` over blocks of [0, n).
template <class F>
WEFT_INLINE void for_blocks(std::int64_t n, const F& fn) {
  for (std::int64_t begin = 0; begin < n; begin += kBlock) fn(begin, std::min(kBlock, n - begin));
}

}  // namespace weft::cpu
