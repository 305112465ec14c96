// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "cpu/clones.h"
#include "cpu/convert.h"
#include "cpu/parallel.h"
#include "cpu/register.h"
#include "weft/op/attrs/cast.h"
#include "weft/op/registry.h"

namespace weft::cpu {

namespace {

constexpr std::int64_t kGrain = 65536;

/// A stored bool: reading any other byte as `bool` would be undefined.
struct Bool {
  std::uint8_t byte;
};

template <class F>
void with_type(DType dtype, const F& fn) {
  switch (dtype) {
    case DType::f64:
      return fn(double{});
    case DType::f32:
      return fn(float{});
    case DType::bf16:
      return fn(bf16{});
    case DType::f16:
      return fn(f16{});
    case DType::i64:
      return fn(std::int64_t{});
    case DType::i32:
      return fn(std::int32_t{});
    case DType::u8:
      return fn(std::uint8_t{});
    case DType::boolean:
      return fn(Bool{});
  }
}

template <class T>
inline constexpr bool is_half_type = std::is_same_v<T, bf16> || std::is_same_v<T, f16>;

template <class To, class From>
inline To saturated(From x) {
  using Limits = std::numeric_limits<To>;
  if constexpr (std::is_integral_v<From>) {
    if constexpr (sizeof(From) <= sizeof(To) && std::is_signed_v<To>) {
      return static_cast<To>(x);
    } else {
      const auto wide = static_cast<std::int64_t>(x);
      return static_cast<To>(std::clamp<std::int64_t>(wide, Limits::min(), Limits::max()));
    }
  } else {
    // The greatest From that still fits: To's maximum itself may round up.
    constexpr int kLostBits = Limits::digits - std::numeric_limits<From>::digits;
    constexpr To kFits =
        kLostBits > 0 ? static_cast<To>(Limits::max() >> kLostBits << kLostBits) : Limits::max();
    From v = x == x ? x : From{0};
    v = v < static_cast<From>(Limits::min()) ? static_cast<From>(Limits::min()) : v;
    v = v > static_cast<From>(kFits) ? static_cast<From>(kFits) : v;
    const To fits = static_cast<To>(v);
    return x > static_cast<From>(kFits) ? Limits::max() : fits;
  }
}

template <class To, class From>
inline To converted(From x) {
  if constexpr (std::is_same_v<From, Bool>) {
    return converted<To>(static_cast<std::uint8_t>(x.byte != 0));
  } else if constexpr (is_half_type<From>) {
    return converted<To>(static_cast<float>(x));
  } else if constexpr (std::is_same_v<To, Bool>) {
    return Bool{static_cast<std::uint8_t>(x != From{0})};
  } else if constexpr (is_half_type<To>) {
    return To(static_cast<float>(x));
  } else if constexpr (std::is_integral_v<To>) {
    return saturated<To>(x);
  } else {
    return static_cast<To>(x);
  }
}

template <class To, class From>
WEFT_CLONES void convert_hot(To* to, const From* from, std::int64_t n) {
#pragma GCC ivdep
  for (std::int64_t i = 0; i < n; ++i) to[i] = converted<To>(from[i]);
}

/// Pairs that training converts by the batch: clones of all would be 200 KB.
template <class To, class From>
void convert_loop(To* to, const From* from, std::int64_t n) {
  constexpr bool kFromPixels = std::is_same_v<To, float> && std::is_same_v<From, std::uint8_t>;
  if constexpr (kFromPixels || (is_half_type<To> && std::is_same_v<From, float>) ||
                (is_half_type<From> && std::is_same_v<To, float>)) {
    convert_hot(to, from, n);
  } else {
    for (std::int64_t i = 0; i < n; ++i) to[i] = converted<To>(from[i]);
  }
}

void copy_bytes(std::byte* to, const std::byte* from, std::size_t bytes) {
  parallel_for(static_cast<std::int64_t>(bytes), kGrain * 4,
               [&](std::int64_t begin, std::int64_t end) {
                 std::memcpy(to + begin, from + begin, static_cast<std::size_t>(end - begin));
               });
}

void convert_tensor(const TensorArg& to, const TensorArg& from) {
  if (to.dtype == from.dtype) {
    if (to.data != from.data && to.numel > 0) {
      copy_bytes(to.data, from.data, static_cast<std::size_t>(to.numel) * size_of(to.dtype));
    }
    return;
  }
  with_type(to.dtype, [&]<class To>(To) {
    with_type(from.dtype, [&]<class From>(From) {
      if constexpr (!std::is_same_v<To, From>) {
        parallel_for(to.numel, kGrain, [&](std::int64_t begin, std::int64_t end) {
          convert_loop(to.as<To>() + begin, from.as<From>() + begin, end - begin);
        });
      }
    });
  });
}

void cast(const KernelArgs& args) { convert_tensor(args.out(), args.in(0)); }
void copy(const KernelArgs& args) { convert_tensor(args.in(0), args.in(1)); }

void fill(const KernelArgs& args) {
  const TensorArg& target = args.in(0);
  with_type(target.dtype, [&]<class T>(T) {
    const T value = converted<T>(args.attrs<FillAttrs>().value);
    parallel_for(target.numel, kGrain, [&](std::int64_t begin, std::int64_t end) {
      std::fill(target.as<T>() + begin, target.as<T>() + end, value);
    });
  });
}

constexpr std::initializer_list<DType> kAll = {DType::f64, DType::f32, DType::bf16, DType::f16,
                                               DType::i64, DType::i32, DType::u8,   DType::boolean};

}  // namespace

void widen(const bf16* from, float* to, std::int64_t n) { convert_loop(to, from, n); }
void widen(const f16* from, float* to, std::int64_t n) { convert_loop(to, from, n); }
void narrow(const float* from, bf16* to, std::int64_t n) { convert_loop(to, from, n); }
void narrow(const float* from, f16* to, std::int64_t n) { convert_loop(to, from, n); }

void register_cast() {
  add_kernel("cast", DeviceKind::cpu, kAll, {.variant = "portable", .run = cast});
  add_kernel("fill", DeviceKind::cpu, kAll, {.variant = "portable", .run = fill});
  add_kernel("copy", DeviceKind::cpu, kAll, {.variant = "portable", .run = copy});
}

}  // namespace weft::cpu
