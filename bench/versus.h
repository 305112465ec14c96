// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

/// Weft against the raw library in one run: short rounds of each by turns, so that a change of
/// clock or load meets both; the best round of each counts.
namespace weft::bench {

/// oneDNN's calls on this thread stay on it. Its OpenMP runtime is not one that we link.
inline void one_openmp_thread() {
  if (void* set = dlsym(RTLD_DEFAULT, "omp_set_num_threads"))
    reinterpret_cast<void (*)(int)>(set)(1);
}

template <class F>
double seconds_of(F&& call) {
  const auto begin = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

struct Versus {
  double raw = 1e30;
  double weft = 1e30;
};

/// `raw` and `weft` run once and return the seconds that count.
template <class Raw, class Weft>
Versus measure(Raw&& raw, Weft&& weft) {
  Versus best;
  const double once = std::max(raw(), weft());
  const int calls = std::clamp(static_cast<int>(2e-3 / once), 1, 20000);
  for (int round = 0; round < 15; ++round) {
    double raw_sum = 0, weft_sum = 0;
    for (int i = 0; i < calls; ++i) raw_sum += raw();
    for (int i = 0; i < calls; ++i) weft_sum += weft();
    best.raw = std::min(best.raw, raw_sum / calls);
    best.weft = std::min(best.weft, weft_sum / calls);
  }
  return best;
}

inline void print_header() {
  std::printf("%-34s %10s %10s %9s %9s %7s\n", "", "raw us", "weft us", "raw GF/s", "weft GF/s",
              "ratio");
}

/// One line; the ratio is the share of the raw speed that Weft reaches.
inline void print_line(const std::string& what, double flops, const Versus& v) {
  std::printf("%-34s %10.2f %10.2f %9.1f %9.1f %6.1f%%\n", what.c_str(), v.raw * 1e6, v.weft * 1e6,
              flops / v.raw * 1e-9, flops / v.weft * 1e-9, 100 * v.raw / v.weft);
}

}  // namespace weft::bench
