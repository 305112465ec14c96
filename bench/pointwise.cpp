// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/pointwise.h"

#include <benchmark/benchmark.h>

#include "bench/copy_rate.h"
#include "weft/autograd/autograd.h"
#include "weft/core/context.h"
#include "weft/core/threads.h"
#include "weft/ops/cast.h"
#include "weft/ops/create.h"
#include "weft/ops/random.h"
#include "weft/ops/reduce.h"
#include "weft/ops/shape.h"

// Elementwise, reducing and moving ops at 64 MiB per tensor on one thread: GB/s of their own
// traffic and its share of the copy rate; add[4] in ns.
namespace weft::bench {
namespace {

constexpr std::int64_t kFloats = kBytes / 4;

double bytes_of(const Tensor& x) { return static_cast<double>(x.nbytes()); }

/// `op` on a fresh output each time: the pool gives the same block again.
template <class F>
void unary(benchmark::State& state, const Tensor& x, const F& op) {
  set_num_threads(1);
  const double bytes = bytes_of(x) + bytes_of(op(x));
  measure_traffic(state, bytes, [&] { benchmark::DoNotOptimize(op(x)); });
  set_num_threads(0);
}

template <class F>
void binary(benchmark::State& state, const Tensor& a, const Tensor& b, const F& op) {
  set_num_threads(1);
  const double bytes = bytes_of(a) + bytes_of(b) + bytes_of(op(a, b));
  measure_traffic(state, bytes, [&] { benchmark::DoNotOptimize(op(a, b)); });
  set_num_threads(0);
}

/// Backward of `op` alone: reads g and x (or y), writes dx.
template <class F>
void slope(benchmark::State& state, const F& op) {
  set_num_threads(1);
  Tensor x = randn({kFloats}, {.requires_grad = true});
  const Tensor g = ones({kFloats});
  const Tensor y = op(x);
  measure_traffic(state, 3 * bytes_of(x), [&] {
    benchmark::DoNotOptimize(grad({&y, 1}, {&x, 1}, {&g, 1}, {.retain_graph = true}));
  });
  set_num_threads(0);
}

Tensor matrix() { return randn({kFloats / 1024, 1024}); }
Tensor halves(DType dtype) { return randn({2 * kFloats}).to(dtype); }

void add_small(benchmark::State& state) {
  const Tensor a = ones({4}), b = ones({4});
  for (auto _ : state) benchmark::DoNotOptimize(add(a, b));
}
BENCHMARK(add_small);

#define WEFT_BENCH(name, ...)                         \
  void name(benchmark::State& state) { __VA_ARGS__; } \
  BENCHMARK(name)->Unit(benchmark::kMillisecond)

WEFT_BENCH(add_same_shape,
           binary(state, matrix(), matrix(), [](auto& a, auto& b) { return a + b; }));
WEFT_BENCH(mul_last_dimension,
           binary(state, matrix(), randn({1024}), [](auto& a, auto& b) { return a * b; }));
WEFT_BENCH(add_ten_columns, binary(state, randn({kFloats / 10, 10}), randn({10}),
                                   [](auto& a, auto& b) { return a + b; }));
WEFT_BENCH(mul_first_dimension, binary(state, matrix(), randn({kFloats / 1024, 1}),
                                       [](auto& a, auto& b) { return a * b; }));
WEFT_BENCH(div_number, unary(state, matrix(), [](auto& x) { return x / 3.0; }));
WEFT_BENCH(add_bf16, binary(state, halves(DType::bf16), halves(DType::bf16),
                            [](auto& a, auto& b) { return a + b; }));
WEFT_BENCH(add_f16, binary(state, halves(DType::f16), halves(DType::f16),
                           [](auto& a, auto& b) { return a + b; }));
WEFT_BENCH(relu_forward, unary(state, matrix(), [](auto& x) { return relu(x); }));
WEFT_BENCH(relu_backward, slope(state, [](auto& x) { return relu(x); }));
WEFT_BENCH(gelu_forward, unary(state, matrix(), [](auto& x) { return gelu(x); }));
WEFT_BENCH(gelu_backward, slope(state, [](auto& x) { return gelu(x); }));
WEFT_BENCH(gelu_tanh_forward,
           unary(state, matrix(), [](auto& x) { return gelu(x, {.tanh = true}); }));
WEFT_BENCH(gelu_tanh_backward, slope(state, [](auto& x) { return gelu(x, {.tanh = true}); }));
WEFT_BENCH(gelu_bf16, unary(state, halves(DType::bf16), [](auto& x) { return gelu(x); }));
WEFT_BENCH(cast_f32_bf16, unary(state, matrix(), [](auto& x) { return cast(x, DType::bf16); }));
WEFT_BENCH(cast_bf16_f32,
           unary(state, halves(DType::bf16), [](auto& x) { return cast(x, DType::f32); }));
WEFT_BENCH(cast_f32_f16, unary(state, matrix(), [](auto& x) { return cast(x, DType::f16); }));
WEFT_BENCH(sum_all, unary(state, matrix(), [](auto& x) { return sum(x); }));
WEFT_BENCH(sum_rows, unary(state, matrix(), [](auto& x) { return sum(x, {.dim = 1}); }));
WEFT_BENCH(sum_columns, unary(state, matrix(), [](auto& x) { return sum(x, {.dim = 0}); }));
WEFT_BENCH(sum_ten_columns,
           unary(state, randn({kFloats / 10, 10}), [](auto& x) { return sum(x, {.dim = 0}); }));
WEFT_BENCH(concat_columns,
           binary(state, matrix(), matrix(), [](auto& a, auto& b) { return concat({a, b}, 1); }));
WEFT_BENCH(dropout_forward, unary(state, matrix(), [](auto& x) { return dropout(x); }));
WEFT_BENCH(normal_draw, unary(state, empty({1}), [](auto&) { return randn({kFloats}); }));

}  // namespace
}  // namespace weft::bench

BENCHMARK_MAIN();
