// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <type_traits>

namespace weft::cpu {

/// Runs `run(context, i)` for i in [0, count), on the pool when `count > 1`, the caller taking
/// part. Nested calls run serially. The first exception by position is rethrown once all chunks
/// ended.
void run_chunks(std::int64_t count, void (*run)(void* context, std::int64_t i), void* context);

/// `fn(i)` for i in [0, count). What a chunk computes must depend on `i` alone, so that results do
/// not depend on the number of threads.
template <class F>
void parallel_chunks(std::int64_t count, F&& fn) {
  run_chunks(
      count,
      [](void* context, std::int64_t i) {
        (*static_cast<std::remove_reference_t<F>*>(context))(i);
      },
      &fn);
}

/// `fn(begin, end)` over [0, n) in chunks of `grain` (the last may be shorter): split by size
/// alone. `grain` should be about 30 us of work; fewer elements run serially.
template <class F>
void parallel_for(std::int64_t n, std::int64_t grain, F&& fn) {
  if (n <= grain) {
    if (n > 0) fn(std::int64_t{0}, n);
    return;
  }
  parallel_chunks((n + grain - 1) / grain, [&](std::int64_t i) {
    const std::int64_t begin = i * grain;
    fn(begin, begin + grain < n ? begin + grain : n);
  });
}

}  // namespace weft::cpu
