// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>

#include <vector>

#include "weft/core/memory.h"
#include "weft/core/tensor.h"

namespace weft {
namespace {

// From the thread's cache: [TensorImpl | Storage | data] is one small block.
void small_tensor(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(empty({4}).impl());
}
BENCHMARK(small_tensor);

void view(benchmark::State& state) {
  const Tensor x = empty({4});
  const Shape shape({2, 2});
  for (auto _ : state) benchmark::DoNotOptimize(view_as(x, shape).impl());
}
BENCHMARK(view);

// From the pool, with a cached block: a lock, a best fit, a split and a merge.
void pooled_tensor(benchmark::State& state) {
  const Tensor neighbour = empty({state.range(0)});
  for (auto _ : state) benchmark::DoNotOptimize(empty({state.range(0)}).impl());
}
BENCHMARK(pooled_tensor)->Arg(100'000)->Arg(1'000'000)->Arg(10'000'000);

// 64 blocks of several sizes at once, freed in another order.
void pooled_mixture(benchmark::State& state) {
  std::vector<Tensor> tensors(64);
  std::size_t step = 0;
  for (auto _ : state) {
    const std::size_t at = step * 37 % tensors.size();
    tensors[at] = {};
    tensors[at] = empty({static_cast<std::int64_t>(20'000 + step * 7919 % 50 * 10'000)});
    ++step;
  }
}
BENCHMARK(pooled_mixture);

void report(benchmark::State& state) {
  std::vector<Tensor> tensors;
  for (int i = 0; i < 10'000; ++i) tensors.push_back(empty({16}));
  for (auto _ : state) benchmark::DoNotOptimize(memory::report());
}
BENCHMARK(report)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace weft

BENCHMARK_MAIN();
