// SPDX-License-Identifier: Apache-2.0
// matmul and linear against dnnl_sgemm on the same operands, one thread. Target: 90 % from 128^3.
#include "weft/ops/matmul.h"

#include "bench/versus.h"
#include "weft/base/text.h"
#include "weft/core/context.h"
#include "weft/core/threads.h"

#if WEFT_HAVE_ONEDNN
#include <oneapi/dnnl/dnnl.h>

namespace weft::bench {
namespace {

struct Product {
  std::int64_t m, n, k;
};

Tensor random_tensor(const Shape& shape, DType dtype = DType::f32) {
  std::vector<float> values(static_cast<std::size_t>(shape.numel()));
  std::uint32_t state = 1;
  for (float& value : values)
    value = static_cast<float>((state = state * 1664525u + 1013904223u) >> 8) * 0x1p-24f - 0.5f;
  return Tensor::from(values, shape).to(dtype);
}

void run(const Product& p, bool ta, bool tb, DType dtype) {
  const Shape a_shape = ta ? Shape{p.k, p.m} : Shape{p.m, p.k},
              b_shape = tb ? Shape{p.n, p.k} : Shape{p.k, p.n};
  const Tensor a = random_tensor(a_shape), b = random_tensor(b_shape);
  const Tensor wa = a.to(dtype), wb = b.to(dtype);
  std::vector<float> c(static_cast<std::size_t>(p.m * p.n));
  const auto raw = [&] {
    return seconds_of([&] {
      dnnl_sgemm(ta ? 'T' : 'N', tb ? 'T' : 'N', p.m, p.n, p.k, 1, a.data<float>().data(),
                 a_shape[1], b.data<float>().data(), b_shape[1], 0, c.data(), p.n);
    });
  };
  const auto weft = [&] {
    return seconds_of([&] { matmul(wa, wb, {.transpose_a = ta, .transpose_b = tb}); });
  };
  const double flops =
      2.0 * static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
  print_line(cat("matmul ", dtype, " ", p.m, "x", p.n, "x", p.k, ta ? " T" : " N", tb ? "T" : "N"),
             flops, measure(raw, weft));
}

void run_linear(const Product& p, Activation activation, const char* name) {
  const Tensor x = random_tensor({p.m, p.k}), weight = random_tensor({p.n, p.k}),
               bias = random_tensor({p.n});
  std::vector<float> c(static_cast<std::size_t>(p.m * p.n));
  const auto raw = [&] {
    return seconds_of([&] {
      dnnl_sgemm('N', 'T', p.m, p.n, p.k, 1, x.data<float>().data(), p.k,
                 weight.data<float>().data(), p.k, 0, c.data(), p.n);
    });
  };
  const auto weft = [&] {
    return seconds_of([&] { linear(x, weight, bias, {.activation = activation}); });
  };
  const double flops =
      2.0 * static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
  print_line(cat("linear ", name, " ", p.m, "x", p.n, "x", p.k), flops, measure(raw, weft));
}

}  // namespace
}  // namespace weft::bench

int main() {
  using namespace weft;
  using namespace weft::bench;
  one_openmp_thread();
  set_num_threads(1);
  const NoGrad no_grad;
  print_header();
  for (const std::int64_t n : {4, 8, 16, 32, 64, 128, 256, 512, 1024})
    run({n, n, n}, false, false, DType::f32);
  for (const Product& p : {Product{128, 128, 784},
                           {128, 10, 128},
                           {32, 512, 512},
                           {1, 4096, 4096},
                           {1024, 3072, 768},
                           {64, 768, 3072}}) {
    for (const auto& [ta, tb] : {std::pair{false, false}, {false, true}, {true, false}})
      run(p, ta, tb, DType::f32);
  }
  for (const std::int64_t n : {64, 128, 256, 512, 1024}) run({n, n, n}, false, false, DType::bf16);
  for (const Product& p :
       {Product{32, 128, 64}, {32, 10, 128}, {128, 128, 128}, {256, 3072, 768}}) {
    run_linear(p, Activation::none, "bias");
    run_linear(p, Activation::relu, "bias, relu");
    run_linear(p, Activation::gelu, "bias, gelu");
  }
}

#else
int main() { std::puts("built without oneDNN: nothing to compare with"); }
#endif
