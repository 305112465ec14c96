// SPDX-License-Identifier: Apache-2.0
// Kernels on CUDA: memory-bound ones against a copy on the device, matrix products in TFLOP/s, and
// what a launch costs. 512 MiB a tensor, many times the L2. Without a device it says so and
// measures nothing.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "weft/core/backend.h"
#include "weft/core/context.h"
#include "weft/ops/create.h"
#include "weft/ops/matmul.h"
#include "weft/ops/norm.h"
#include "weft/ops/optimizer.h"
#include "weft/ops/pointwise.h"
#include "weft/ops/random.h"
#include "weft/ops/reduce.h"
#include "weft/ops/softmax.h"

namespace weft::bench {
namespace {

constexpr Device kCuda(DeviceKind::cuda, 0);
constexpr std::int64_t kBytes = std::int64_t{512} << 20;

/// Seconds of one of `calls` calls, queued together: launches overlap as they do in a step.
template <class F>
double seconds_of(int calls, const F& call) {
  synchronize(kCuda);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < calls; ++i) call();
  synchronize(kCuda);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / calls;
}

/// The fastest batch of 10 calls.
template <class F>
double best_of(benchmark::State& state, const F& call) {
  const NoGrad no_grad;
  for (int i = 0; i < 3; ++i) call();
  double best = 1e30;
  for (auto _ : state) {
    const double seconds = seconds_of(10, call);
    state.SetIterationTime(seconds);
    best = std::min(best, seconds);
  }
  return best;
}

Tensor normal(std::int64_t width, DType dtype) {
  const std::int64_t count = kBytes / static_cast<std::int64_t>(size_of(dtype));
  return randn({count / width, width}, {.device = Device()}).to(kCuda).to(dtype);
}

double copy_rate() {
  static const double rate = [] {
    const NoGrad no_grad;
    const Tensor from = zeros({kBytes / 4}, {.device = kCuda});
    Tensor to = zeros({kBytes / 4}, {.device = kCuda});
    double best = 1e30;
    for (int i = 0; i < 10; ++i) {
      best = std::min(best, seconds_of(10, [&] { to.copy_(from); }));
    }
    return 2.0 * static_cast<double>(kBytes) / best;
  }();
  return rate;
}

/// `tensors` of kBytes are read or written by each call.
template <class F>
void traffic(benchmark::State& state, double tensors, const F& call) {
  const double rate = tensors * static_cast<double>(kBytes) / best_of(state, call);
  state.counters["GB/s"] = rate / 1e9;
  state.counters["of_copy"] = rate / copy_rate();
}

void Copy(benchmark::State& state) {
  const Tensor from = normal(1024, DType::f32);
  Tensor to = zeros_like(from);
  traffic(state, 2, [&] { to.copy_(from); });
}
BENCHMARK(Copy)->UseManualTime();

template <DType dtype>
void Add(benchmark::State& state) {
  const Tensor a = normal(1024, dtype), b = normal(1024, dtype);
  traffic(state, 3, [&] { add(a, b); });
}
BENCHMARK(Add<DType::f32>)->UseManualTime();
BENCHMARK(Add<DType::bf16>)->UseManualTime();

template <DType dtype>
void AddBias(benchmark::State& state) {
  const Tensor a = normal(1024, dtype), bias = ones({1024}, {.dtype = dtype, .device = kCuda});
  traffic(state, 2, [&] { add(a, bias); });
}
BENCHMARK(AddBias<DType::f32>)->UseManualTime();
BENCHMARK(AddBias<DType::bf16>)->UseManualTime();

template <DType dtype>
void Gelu(benchmark::State& state) {
  const Tensor x = normal(1024, dtype);
  traffic(state, 2, [&] { gelu(x, {.tanh = true}); });
}
BENCHMARK(Gelu<DType::f32>)->UseManualTime();
BENCHMARK(Gelu<DType::bf16>)->UseManualTime();

template <DType dtype>
void LayerNorm(benchmark::State& state) {
  const std::int64_t width = state.range(0);
  const Tensor x = normal(width, dtype);
  const Tensor weight = ones({width}, {.dtype = dtype, .device = kCuda});
  traffic(state, 2, [&] { layer_norm(x, {.weight = weight, .bias = weight}); });
}
BENCHMARK(LayerNorm<DType::f32>)->Arg(768)->Arg(4096)->UseManualTime();
BENCHMARK(LayerNorm<DType::bf16>)->Arg(768)->Arg(4096)->UseManualTime();

template <DType dtype>
void Softmax(benchmark::State& state) {
  const Tensor x = normal(state.range(0), dtype);
  traffic(state, 2, [&] { softmax(x); });
}
BENCHMARK(Softmax<DType::f32>)->Arg(1024)->Arg(32768)->UseManualTime();
BENCHMARK(Softmax<DType::bf16>)->Arg(1024)->Arg(32768)->UseManualTime();

void SumAll(benchmark::State& state) {
  const Tensor x = normal(1024, DType::f32);
  traffic(state, 1, [&] { sum(x); });
}
BENCHMARK(SumAll)->UseManualTime();

void SumColumns(benchmark::State& state) {
  const Tensor x = normal(1024, DType::f32);
  traffic(state, 1, [&] { sum(x, {.dim = {0}}); });
}
BENCHMARK(SumColumns)->UseManualTime();

void SumRows(benchmark::State& state) {
  const Tensor x = normal(state.range(0), DType::f32);
  traffic(state, 1, [&] { sum(x, {.dim = {1}}); });
}
BENCHMARK(SumRows)->Arg(16)->Arg(1024)->UseManualTime();

// A parameter of kBytes: p, g, m, v are read for the step and p, m, v written, g is also read for
// its norm.
void AdamW(benchmark::State& state) {
  const Shape shape{kBytes / 4};
  const std::vector<Tensor> params = {zeros(shape, {.device = kCuda})};
  const std::vector<Tensor> grads = {ones(shape, {.device = kCuda})};
  const std::vector<Tensor> m = {zeros(shape, {.device = kCuda})},
                            v = {zeros(shape, {.device = kCuda})};
  StepSettings settings;
  settings.groups[0] = {1e-3, 0.01};
  Tensor step_state = make_step_state(settings, kCuda);
  Tensor updates = zeros({1}, {.dtype = DType::i32, .device = kCuda});
  const Tensor groups = zeros({1}, {.dtype = DType::i32, .device = kCuda});
  traffic(state, 8, [&] {
    begin_update(step_state, updates, grads);
    adam_step({step_state, groups, updates, params, grads}, m, v, {});
  });
}
BENCHMARK(AdamW)->UseManualTime();

// Zeros would let the chip run faster than real numbers do.
template <DType dtype>
void Matmul(benchmark::State& state) {
  const std::int64_t n = state.range(0);
  const Tensor a = randn({n, n}, {.device = Device()}).to(kCuda).to(dtype);
  const Tensor b = randn({n, n}, {.device = Device()}).to(kCuda).to(dtype);
  const double seconds = best_of(state, [&] { matmul(a, b, {.transpose_b = true}); });
  const auto side = static_cast<double>(n);
  state.counters["TFLOP/s"] = 2.0 * side * side * side / seconds / 1e12;
}
BENCHMARK(Matmul<DType::f32>)->Arg(1024)->Arg(4096)->UseManualTime();
BENCHMARK(Matmul<DType::bf16>)->Arg(1024)->Arg(4096)->Arg(8192)->UseManualTime();

// What a call costs the host: 4 elements, 1000 calls queued.
void SmallAdd(benchmark::State& state) {
  const NoGrad no_grad;
  const Tensor a = ones({4}, {.device = kCuda});
  for (auto _ : state) state.SetIterationTime(seconds_of(1000, [&] { add(a, a); }));
}
BENCHMARK(SmallAdd)->UseManualTime();

}  // namespace
}  // namespace weft::bench

int main(int argc, char** argv) {
  using namespace weft;
  if (!device_exists(bench::kCuda)) {
    std::printf("no CUDA device: %s\n", absence_of(DeviceKind::cuda).c_str());
    return 0;
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
