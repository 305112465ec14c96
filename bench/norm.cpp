// SPDX-License-Identifier: Apache-2.0
// Row reductions at 64 MiB, one thread: layer_norm, batch_norm, softmax, cross_entropy, forward and
// backward.
#include "weft/ops/norm.h"

#include "bench/copy_rate.h"
#include "weft/core/context.h"
#include "weft/core/threads.h"
#include "weft/ops/loss.h"
#include "weft/ops/softmax.h"

namespace weft::bench {
namespace {

Tensor pattern(std::int64_t width, DType dtype = DType::f32) {
  const std::int64_t count = kBytes / static_cast<std::int64_t>(size_of(dtype));
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>((i * 7919) % 1013) * 0.004f - 2;
  }
  return Tensor::from(values, {count / width, width}).to(dtype);
}

Tensor ones(std::int64_t width, DType dtype = DType::f32) {
  return empty({width}, {.dtype = dtype}).fill_(1);
}

/// `forward(x)` in `dtype`: x is read and y written once.
template <class F>
void forward(benchmark::State& state, DType dtype, const F& run) {
  set_num_threads(1);
  const NoGrad no_grad;
  const Tensor x = pattern(state.range(0), dtype);
  measure_traffic(state, 2.0 * static_cast<double>(kBytes),
                  [&] { benchmark::DoNotOptimize(run(x).impl()); });
}

/// Backward of `y`: what it saved and its gradient are read, dx is written; three tensors.
template <class F>
void backward(benchmark::State& state, const F& run) {
  set_num_threads(1);
  Tensor x = pattern(state.range(0)).requires_grad_();
  const Tensor gradient = pattern(state.range(0));
  for (auto _ : state) {
    state.PauseTiming();
    const Tensor y = run(x);
    x.zero_grad();
    state.ResumeTiming();
    y.backward(gradient);
  }
  const double seconds = static_cast<double>(state.iterations());
  state.counters["GB/s"] = benchmark::Counter(3.0 * static_cast<double>(kBytes) * seconds / 1e9,
                                              benchmark::Counter::kIsRate);
  state.counters["of_copy"] = benchmark::Counter(
      3.0 * static_cast<double>(kBytes) * seconds / copy_rate(), benchmark::Counter::kIsRate);
}

template <DType dtype>
void LayerNorm(benchmark::State& state) {
  const Tensor weight = ones(state.range(0), dtype), bias = ones(state.range(0), dtype);
  forward(state, dtype,
          [&](const Tensor& x) { return layer_norm(x, {.weight = weight, .bias = bias}); });
}
BENCHMARK(LayerNorm<DType::f32>)->Arg(64)->Arg(1024)->Arg(4096)->Unit(benchmark::kMillisecond);
BENCHMARK(LayerNorm<DType::bf16>)->Arg(1024)->Unit(benchmark::kMillisecond);

void LayerNormBackward(benchmark::State& state) {
  Tensor weight = ones(state.range(0)).requires_grad_(),
         bias = ones(state.range(0)).requires_grad_();
  backward(state, [&](const Tensor& x) { return layer_norm(x, {.weight = weight, .bias = bias}); });
}
BENCHMARK(LayerNormBackward)->Arg(1024)->Unit(benchmark::kMillisecond);

void BatchNorm(benchmark::State& state) {
  Tensor mean = ones(state.range(0)), variance = ones(state.range(0));
  const Tensor weight = ones(state.range(0)), bias = ones(state.range(0));
  forward(state, DType::f32, [&](const Tensor& x) {
    return batch_norm(x, mean, variance,
                      {.weight = weight, .bias = bias, .training = state.range(1) != 0});
  });
}
BENCHMARK(BatchNorm)->Args({64, 0})->Args({64, 1})->Unit(benchmark::kMillisecond);

template <DType dtype>
void Softmax(benchmark::State& state) {
  forward(state, dtype, [](const Tensor& x) { return softmax(x); });
}
BENCHMARK(Softmax<DType::f32>)->Arg(64)->Arg(1024)->Arg(32768)->Unit(benchmark::kMillisecond);
BENCHMARK(Softmax<DType::bf16>)->Arg(1024)->Unit(benchmark::kMillisecond);

void SoftmaxBackward(benchmark::State& state) {
  backward(state, [](const Tensor& x) { return softmax(x); });
}
BENCHMARK(SoftmaxBackward)->Arg(1024)->Unit(benchmark::kMillisecond);

void CrossEntropy(benchmark::State& state) {
  set_num_threads(1);
  const NoGrad no_grad;
  const Tensor x = pattern(state.range(0));
  const Tensor targets = empty({x.shape(0)}, {.dtype = DType::i64}).fill_(3);
  measure_traffic(state, static_cast<double>(kBytes),
                  [&] { benchmark::DoNotOptimize(cross_entropy(x, targets).impl()); });
}
BENCHMARK(CrossEntropy)->Arg(64)->Arg(1024)->Arg(32768)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace weft::bench

BENCHMARK_MAIN();
