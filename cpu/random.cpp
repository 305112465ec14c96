// SPDX-License-Identifier: Apache-2.0
#include "cpu/random.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "cpu/clones.h"
#include "cpu/convert.h"
#include "cpu/parallel.h"
#include "cpu/register.h"
#include "weft/math/clamp.h"
#include "weft/math/erf.h"
#include "weft/math/log.h"
#include "weft/math/sincos.h"
#include "weft/op/attrs/random.h"
#include "weft/op/registry.h"

namespace weft::cpu {

namespace {

constexpr std::int64_t kGrain = 32768;
constexpr std::int64_t kBlock = 1024;

WEFT_CLONES void fill_words(std::uint64_t seed, std::uint32_t stream, std::uint64_t draw,
                            std::uint64_t group, std::int64_t groups, std::uint32_t* words) {
  for (std::int64_t g = 0; g < groups; ++g) {
    const PhiloxWords w = philox_group(seed, stream, draw, group + static_cast<std::uint64_t>(g));
    for (int k = 0; k < 4; ++k) words[4 * g + k] = w.w[k];
  }
}

/// `fn(begin, n, words)` for blocks of [0, count), with the random words of elements begin, begin +
/// 1, ...
template <class F>
void with_words(const KernelArgs& args, std::int64_t count, const F& fn) {
  const std::uint64_t draw = draw_of(args.random);
  parallel_for(count, kGrain, [&](std::int64_t begin, std::int64_t end) {
    std::uint32_t words[kBlock];
    for (std::int64_t i = begin; i < end; i += kBlock) {
      const std::int64_t n = std::min(kBlock, end - i);
      random_words(args.random, draw, i / 4, (n + 3) / 4, words);
      fn(i, n, words);
    }
  });
}

template <class T>
WEFT_CLONES void drop(T* y, const T* x, const std::uint32_t* words, std::int64_t n, float p,
                      T scale) {
#pragma GCC ivdep
  for (std::int64_t i = 0; i < n; ++i) y[i] = unit_float(words[i]) >= p ? x[i] * scale : T{0};
}

template <class T>
void dropout(const KernelArgs& args) {
  using C = std::conditional_t<std::is_same_v<T, double>, double, float>;
  const double p = args.attrs<DropoutAttrs>().p;
  const auto scale = static_cast<C>(p < 1 ? 1 / (1 - p) : 0);
  const T* x = args.in(0).as<T>();
  T* y = args.out().as<T>();
  with_words(args, args.out().numel,
             [&](std::int64_t at, std::int64_t n, const std::uint32_t* words) {
               if constexpr (std::is_same_v<T, C>) {
                 drop<C>(y + at, x + at, words, n, static_cast<float>(p), scale);
               } else {
                 C wide[kBlock];
                 widen(x + at, wide, n);
                 drop<C>(wide, wide, words, n, static_cast<float>(p), scale);
                 narrow(wide, y + at, n);
               }
             });
}

/// Rounding may reach `high`, which is not in the interval: low is.
WEFT_CLONES void to_uniform(const std::uint32_t* words, float* y, std::int64_t n, float low,
                            float high) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float value = low + (high - low) * unit_float(words[i]);
    y[i] = value < high ? value : low;
  }
}

/// (0, 1], 2^-32 at least: the radius reaches 6.6 standard deviations.
WEFT_FORMULA float positive_unit(std::uint32_t word) {
  return (static_cast<float>(static_cast<std::int32_t>(word >> 1)) + 0.5f) * 0x1p-31f;
}

/// Words 2i and 2i + 1 give elements 2i and 2i + 1.
WEFT_CLONES void to_normal(const std::uint32_t* words, float* y, std::int64_t pairs, float mean,
                           float std) {
  for (std::int64_t i = 0; i < pairs; ++i) {
    const float radius = std * std::sqrt(-2.0f * math::log(positive_unit(words[2 * i])));
    const math::SinCos turn = math::sincos_turns(unit_float(words[2 * i + 1]));
    y[2 * i] = mean + radius * turn.cos;
    y[2 * i + 1] = mean + radius * turn.sin;
  }
}

struct Truncation {
  float mean, scale, low, high;
  float below, share;  ///< of the distribution: below `low`, and in the interval
};

WEFT_CLONES void to_truncated(const std::uint32_t* words, float* y, std::int64_t n,
                              const Truncation& t) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float middle = unit_float(words[i]) + 0x1p-25f;  // never 0
    const float u = 2.0f * (t.below + t.share * middle) - 1.0f;
    const float z = math::erfinv(math::clamp(u, -1.0f + 0x1p-24f, 1.0f - 0x1p-24f));
    y[i] = math::clamp(t.mean + t.scale * z, t.low, t.high);
  }
}

/// `make(words, values, n)` for blocks of the target, whose elements the values become.
template <class T, class F>
void fill_target(const KernelArgs& args, const F& make) {
  T* target = args.in(0).as<T>();
  with_words(args, args.in(0).numel,
             [&](std::int64_t at, std::int64_t n, const std::uint32_t* words) {
               float values[kBlock];
               make(words, values, n);
               if constexpr (sizeof(T) == 2) {
                 narrow(values, target + at, n);
               } else {
                 std::copy_n(values, n, target + at);
               }
             });
}

template <class T>
void uniform(const KernelArgs& args) {
  const auto& attrs = args.attrs<UniformAttrs>();
  fill_target<T>(args, [&](const std::uint32_t* words, float* y, std::int64_t n) {
    to_uniform(words, y, n, static_cast<float>(attrs.low), static_cast<float>(attrs.high));
  });
}

template <class T>
void normal(const KernelArgs& args) {
  const auto& attrs = args.attrs<NormalAttrs>();
  fill_target<T>(args, [&](const std::uint32_t* words, float* y, std::int64_t n) {
    to_normal(words, y, (n + 1) / 2, static_cast<float>(attrs.mean), static_cast<float>(attrs.std));
  });
}

template <class T>
void truncated_normal(const KernelArgs& args) {
  const auto& attrs = args.attrs<TruncatedNormalAttrs>();
  const auto below = [&](double x) {
    return 0.5 * std::erfc((attrs.mean - x) / attrs.std * std::sqrt(0.5));
  };
  const Truncation truncation{
      .mean = static_cast<float>(attrs.mean),
      .scale = static_cast<float>(attrs.std * std::sqrt(2.0)),
      .low = static_cast<float>(attrs.low),
      .high = static_cast<float>(attrs.high),
      .below = static_cast<float>(below(attrs.low)),
      .share = static_cast<float>(below(attrs.high) - below(attrs.low)),
  };
  fill_target<T>(args, [&](const std::uint32_t* words, float* y, std::int64_t n) {
    to_truncated(words, y, n, truncation);
  });
}

template <class T>
void add_rows() {
  const auto add = [](const char* op, KernelFn run) {
    add_kernel(op, DeviceKind::cpu, {dtype_of<T>}, {.variant = "portable", .run = run});
  };
  add("dropout", dropout<T>);
  add("uniform", uniform<T>);
  add("normal", normal<T>);
  add("truncated_normal", truncated_normal<T>);
}

}  // namespace

void random_words(const RandomAddress& address, std::uint64_t draw, std::int64_t group,
                  std::int64_t groups, std::uint32_t* words) {
  fill_words(address.seed, address.stream, draw, static_cast<std::uint64_t>(group), groups, words);
}

void register_random() {
  add_rows<double>();
  add_rows<float>();
  add_rows<bf16>();
  add_rows<f16>();
}

}  // namespace weft::cpu
