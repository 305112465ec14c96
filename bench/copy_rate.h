// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <vector>

/// Memory-bound kernels are judged against a plain copy on the same machine in the same run.
namespace weft::bench {

inline constexpr std::int64_t kBytes = std::int64_t{64} << 20;

/// Bytes read plus written per second by one thread's memcpy of 64 MiB; the best of 20, measured
/// once.
inline double copy_rate() {
  static const double rate = [] {
    std::vector<char> source(kBytes, 1), target(kBytes);
    double best = 0;
    for (int i = 0; i < 20; ++i) {
      const auto start = std::chrono::steady_clock::now();
      std::memcpy(target.data(), source.data(), kBytes);
      benchmark::DoNotOptimize(target.data());
      benchmark::ClobberMemory();
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
      best = std::max(best, 2.0 * static_cast<double>(kBytes) / seconds.count());
    }
    return best;
  }();
  return rate;
}

/// Runs `step`, which moves `bytes` per call at least, and reports GB/s and the share of the copy
/// rate.
template <class F>
void measure_traffic(benchmark::State& state, double bytes, F&& step) {
  copy_rate();
  double best = 0;
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    step();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::max(best, bytes / seconds.count());
  }
  state.counters["GB/s"] = best / 1e9;
  state.counters["of_copy"] = best / copy_rate();
}

}  // namespace weft::bench
