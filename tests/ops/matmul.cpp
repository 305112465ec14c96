// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/matmul.h"

#include <gtest/gtest.h>

#include <cmath>

#include "op/recorder.h"
#include "tests/ops/support/row_data.h"
#include "weft/amp/autocast.h"
#include "weft/autograd/autograd.h"
#include "weft/core/threads.h"
#include "weft/op/registry.h"
#include "weft/ops/pointwise.h"
#include "weft/ops/reduce.h"

namespace weft::test {
namespace {

/// Element [r, c] of the last two dimensions of a matrix at `base`, read transposed or not.
double element(std::span<const double> x, std::int64_t base, std::int64_t rows,
               std::int64_t columns, bool transposed, std::int64_t r, std::int64_t c) {
  return x[static_cast<std::size_t>(base + (transposed ? c * rows + r : r * columns + c))];
}

/// The product with leading dimensions broadcast, element by element.
std::vector<Tensor> matmul_reference(In x, bool ta, bool tb) {
  const Shape &a = x[0].shape(), &b = x[1].shape();
  const auto lead = [](const Shape& s) {
    return Shape(std::span(s.begin(), static_cast<std::size_t>(s.rank() - 2)));
  };
  const Shape batch = broadcast(lead(a), lead(b), "reference");
  const std::int64_t m = a[a.rank() - (ta ? 1 : 2)], k = a[a.rank() - (ta ? 2 : 1)],
                     n = b[b.rank() - (tb ? 2 : 1)];
  const auto matrix_of = [&](const Shape& s, std::int64_t i) {
    std::int64_t result = 0, step = 1;
    for (int d = 0; d < batch.rank(); ++d) {
      const int at = batch.rank() - 1 - d, own = s.rank() - 3 - d;
      const std::int64_t extent = own < 0 ? 1 : s[own];
      result += extent == 1 ? 0 : i % batch[at] * step;
      step *= extent;
      i /= batch[at];
    }
    return result;
  };
  const auto av = x[0].data<double>(), bv = x[1].data<double>();
  std::vector<double> y;
  for (std::int64_t i = 0; i < batch.numel(); ++i) {
    for (std::int64_t r = 0; r < m; ++r) {
      for (std::int64_t c = 0; c < n; ++c) {
        double sum = 0;
        for (std::int64_t p = 0; p < k; ++p) {
          sum += element(av, matrix_of(a, i) * m * k, m, k, ta, r, p) *
                 element(bv, matrix_of(b, i) * k * n, k, n, tb, p, c);
        }
        y.push_back(sum);
      }
    }
  }
  const Shape out = batch.inserted(batch.rank(), m).inserted(batch.rank() + 1, n);
  return {Tensor::from(y, out)};
}

Sample matmul_sample(const char* name, Shape a, Shape b, bool ta = false, bool tb = false) {
  return {.name = name,
          .args = {{.shape = a}, {.shape = b}},
          .run =
              [=](In x) {
                return std::vector{matmul(x[0], x[1], {.transpose_a = ta, .transpose_b = tb})};
              },
          .reference = [=](In x) { return matmul_reference(x, ta, tb); }};
}

double activate(Activation activation, double x) {
  switch (activation) {
    case Activation::none:
      return x;
    case Activation::relu:
      return x < 0 ? 0 : x;
    case Activation::gelu:
      return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case Activation::gelu_tanh:
      return 0.5 * x *
             (1 + std::tanh(std::sqrt(2 / 3.141592653589793) * (x + 0.044715 * x * x * x)));
  }
  return 0;
}

std::vector<Tensor> linear_reference(In x, Activation activation) {
  const auto xv = x[0].data<double>(), w = x[1].data<double>();
  const std::int64_t out = x[1].shape(0), in = x[1].shape(1);
  const std::int64_t rows = x[0].shape().numel(0, x[0].rank() - 1);
  std::vector<double> y;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t o = 0; o < out; ++o) {
      double sum = x.size() > 2 ? x[2].data<double>()[static_cast<std::size_t>(o)] : 0;
      for (std::int64_t i = 0; i < in; ++i) {
        sum += xv[static_cast<std::size_t>(r * in + i)] * w[static_cast<std::size_t>(o * in + i)];
      }
      y.push_back(activate(activation, sum));
    }
  }
  return {Tensor::from(y, x[0].shape().with(x[0].rank() - 1, out))};
}

/// Scaled so that sums stay near 1. With `off_zero` inputs of one feature each, relu sees no kink.
Sample linear_sample(const char* name, Activation activation, Shape x, std::int64_t out, bool bias,
                     Fill fill = Fill::normal) {
  const std::int64_t in = x.back();
  std::vector<Arg> args = {
      {.shape = x, .fill = fill},
      {.shape = {out, in},
       .fill = fill,
       .scale = 1 / std::sqrt(static_cast<double>(std::max<std::int64_t>(in, 1)))}};
  if (bias)
    args.push_back(
        {.shape = {out}, .fill = fill, .scale = activation == Activation::relu ? 0.001 : 1.0});
  return {.name = name,
          .args = args,
          .run =
              [=](In t) {
                return std::vector{
                    linear(t[0], t[1], t.size() > 2 ? t[2] : Tensor(), {.activation = activation})};
              },
          .reference = [=](In t) { return linear_reference(t, activation); }};
}

std::vector<Sample> linear_samples(Activation activation) {
  // relu's kink must not lie within the step of a numeric gradient: one feature, |x w| >= 0.01.
  if (activation == Activation::relu) {
    return {linear_sample("one", activation, {1, 1}, 1, true, Fill::off_zero),
            linear_sample("rows", activation, {33, 1}, 17, true, Fill::off_zero),
            linear_sample("no bias", activation, {7, 1}, 5, false, Fill::off_zero),
            linear_sample("vector", activation, {1}, 9, true, Fill::off_zero),
            linear_sample("three dimensions", activation, {2, 3, 1}, 4, true, Fill::off_zero),
            linear_sample("no rows", activation, {0, 1}, 4, true, Fill::off_zero),
            linear_sample("no outputs", activation, {3, 1}, 0, true, Fill::off_zero),
            linear_sample("wide", activation, {65, 1}, 70, false, Fill::off_zero)};
  }
  return {linear_sample("one", activation, {1, 1}, 1, true),
          linear_sample("odd", activation, {7, 13}, 5, true),
          linear_sample("no bias", activation, {6, 16}, 16, false),
          linear_sample("vector", activation, {19}, 9, true),
          linear_sample("three dimensions", activation, {2, 3, 17}, 4, true),
          linear_sample("no rows", activation, {0, 8}, 4, true),
          linear_sample("no features", activation, {3, 0}, 4, true),
          linear_sample("larger than small", activation, {40, 37}, 34, true),
          linear_sample("batch 1, wide", activation, {1, 70}, 130, true)};
}

const OpRows rows{
    {.op = "matmul",
     .samples = {matmul_sample("one", {1, 1}, {1, 1}),
                 matmul_sample("odd", {7, 13}, {13, 5}),
                 matmul_sample("transposed a", {13, 7}, {13, 5}, true, false),
                 matmul_sample("transposed b", {7, 13}, {5, 13}, false, true),
                 matmul_sample("both transposed", {13, 7}, {5, 13}, true, true),
                 matmul_sample("full vectors", {6, 32}, {32, 32}),
                 matmul_sample("larger than small", {37, 41}, {41, 35}),
                 matmul_sample("row", {1, 65}, {65, 70}),
                 matmul_sample("column", {70, 65}, {65, 1}),
                 matmul_sample("batch", {3, 4, 5}, {3, 5, 2}),
                 matmul_sample("batch, both transposed", {2, 5, 4}, {2, 3, 5}, true, true),
                 matmul_sample("shared b", {3, 4, 5}, {5, 2}),
                 matmul_sample("shared b transposed", {2, 3, 4, 5}, {2, 5}, false, true),
                 matmul_sample("shared b, transposed a", {3, 5, 4}, {5, 2}, true, false),
                 matmul_sample("shared a", {4, 5}, {3, 5, 2}),
                 matmul_sample("broadcast both ways", {2, 1, 4, 5}, {3, 5, 2}),
                 matmul_sample("broadcast one", {1, 4, 5}, {3, 5, 2}),
                 matmul_sample("no rows", {0, 4}, {4, 3}),
                 matmul_sample("no depth", {3, 0}, {0, 4}),
                 matmul_sample("no batch", {0, 3, 2}, {0, 2, 4})},
     .errors = {{"inner dimensions", [] { matmul(empty({4, 3}), empty({4, 2})); }, ErrorKind::shape,
                 "matmul: a is f32[4,3] and b is f32[4,2]: inner dimensions 3 and 4 differ"},
                {"vector", [] { matmul(empty({3}), empty({3, 2})); }, ErrorKind::shape,
                 "matmul: a is f32[3] but must have at least 2 dimensions"},
                {"leading dimensions", [] { matmul(empty({2, 4, 3}), empty({5, 3, 2})); },
                 ErrorKind::shape,
                 "matmul: a is f32[2,4,3] and b is f32[5,3,2]: leading dimensions [2] and [5] do "
                 "not broadcast"},
                {"integers", [] { matmul(empty({4, 3}, {.dtype = DType::i64}), empty({3, 2})); },
                 ErrorKind::dtype, "matmul: a is i64[4,3] but must be floating"}}},
    {.op = "linear",
     .samples = linear_samples(Activation::none),
     .errors = {{"features", [] { linear(empty({8, 64}), empty({10, 32})); }, ErrorKind::shape,
                 "linear: x is f32[8,64] but weight is f32[10,32] ([out, in]) takes 32 features; "
                 "the last dimension of x is 64"},
                {"weight rank", [] { linear(empty({8, 64}), empty({64})); }, ErrorKind::shape,
                 "linear: weight is f32[64] but must have 2 dimensions [out, in]"},
                {"bias", [] { linear(empty({8, 64}), empty({10, 64}), empty({8})); },
                 ErrorKind::shape,
                 "linear: bias is f32[8] but must be [10]: one element for each of the 10 rows of "
                 "weight"},
                {"scalar x", [] { linear(empty({}), empty({10, 64})); }, ErrorKind::shape,
                 "linear: x is f32[] but must have at least 1 dimension [.., in]"}},
     .grad_ops = {"linear_grad"}},
    {.op = "linear_relu",
     .samples = linear_samples(Activation::relu),
     .errors =
         {{"features",
           [] { linear(empty({8, 64}), empty({10, 32}), {}, {.activation = Activation::relu}); },
           ErrorKind::shape,
           "linear_relu: x is f32[8,64] but weight is f32[10,32] ([out, in]) takes 32 features; "
           "the last dimension of x is 64"},
          {"weight rank",
           [] { linear(empty({8, 64}), empty({64}), {}, {.activation = Activation::relu}); },
           ErrorKind::shape, "linear_relu: weight is f32[64] but must have 2 dimensions [out, in]"},
          {"integers",
           [] {
             linear(empty({8, 64}, {.dtype = DType::i32}), empty({1, 64}), {},
                    {.activation = Activation::relu});
           },
           ErrorKind::dtype, "linear_relu: x is i32[8,64] but must be floating"}},
     .grad_ops = {"linear_grad"}},
    {.op = "linear_gelu",
     .samples =
         [] {
           auto samples = linear_samples(Activation::gelu);
           for (Sample& sample : linear_samples(Activation::gelu_tanh)) {
             sample.name += ", tanh";
             samples.push_back(sample);
           }
           return samples;
         }(),
     .errors =
         {{"features",
           [] { linear(empty({8, 64}), empty({10, 32}), {}, {.activation = Activation::gelu}); },
           ErrorKind::shape,
           "linear_gelu: x is f32[8,64] but weight is f32[10,32] ([out, in]) takes 32 features; "
           "the last dimension of x is 64"},
          {"weight rank",
           [] { linear(empty({8, 64}), empty({64}), {}, {.activation = Activation::gelu}); },
           ErrorKind::shape, "linear_gelu: weight is f32[64] but must have 2 dimensions [out, in]"},
          {"integers",
           [] {
             linear(empty({8, 64}), empty({1, 64}, {.dtype = DType::i32}), {},
                    {.activation = Activation::gelu});
           },
           ErrorKind::dtype, "linear_gelu: weight is i32[1,64] but must be floating"}},
     .grad_ops = {"linear_grad"}},
};

TEST(Matmul, HintsAtTheFlagThatMakesItFit) {
  try {
    matmul(empty({4, 3}), empty({4, 2}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.hint(), "pass {.transpose_a = true}");
  }
  try {
    matmul(empty({4, 3}), empty({5, 3}));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.hint(), "pass {.transpose_b = true}");
  }
}

// Large enough to be cut into four pieces, the last ones smaller.
constexpr std::int64_t kRows = 300, kColumns = 310, kDepth = 200;

/// Runs `sample` in every variant of `op` with 1 and 3 threads: forward and gradients close to
/// `want`, bits equal.
void expect_pieces_fit(const char* op, const Sample& sample, DType dtype, In want) {
  for (const KernelRow& kernel : op_named(op).kernels.rows(DeviceKind::cpu, dtype)) {
    if (kernel.variant == "small") continue;
    SCOPED_TRACE(cat(op, " ", dtype, " ", kernel.variant));
    const VariantPin pin(kernel.variant.data(), false);
    std::vector<Tensor> first;
    for (const int threads : {1, 3}) {
      set_num_threads(threads);
      const std::vector<Tensor> inputs = make_inputs(sample, dtype);
      const std::vector<Tensor> got = run_with_grads(sample.run, inputs);
      if (first.empty()) first = got;
      EXPECT_EQ(compare_bits(got, first), "");
    }
    set_num_threads(0);
    for (std::size_t i = 0; i < want.size(); ++i) {
      EXPECT_EQ(compare_close(first[i], want[i], tolerance_of(dtype, 10)), "") << "result " << i;
    }
  }
}

TEST(Matmul, PiecesOfALargeProductFitTogether) {
  const Sample sample = matmul_sample("large", {kRows, kDepth}, {kDepth, kColumns});
  for (const DType dtype : {DType::f64, DType::f32, DType::bf16, DType::f16}) {
    const std::vector<Tensor> x = as_f64(make_inputs(sample, dtype));
    const std::vector<Tensor> g = as_f64(upstream_for(sample.run, make_inputs(sample, dtype)));
    const std::vector<Tensor> want = {matmul_reference(x, false, false)[0],
                                      matmul_reference(std::vector{g[0], x[1]}, false, true)[0],
                                      matmul_reference(std::vector{x[0], g[0]}, true, false)[0]};
    expect_pieces_fit("matmul", sample, dtype, want);
  }
}

TEST(Linear, PiecesOfALargeProductFitTogether) {
  const Sample sample = linear_sample("large", Activation::none, {kRows, kDepth}, kColumns, true);
  for (const DType dtype : {DType::f64, DType::f32, DType::bf16, DType::f16}) {
    const std::vector<Tensor> x = as_f64(make_inputs(sample, dtype));
    const std::vector<Tensor> g = as_f64(upstream_for(sample.run, make_inputs(sample, dtype)));
    const Tensor ones = Tensor::from(std::vector<double>(kRows, 1.0), {1, kRows});
    const std::vector<Tensor> want = {
        linear_reference(x, Activation::none)[0],
        matmul_reference(std::vector{g[0], x[1]}, false, false)[0],
        matmul_reference(std::vector{g[0], x[0]}, true, false)[0],
        matmul_reference(std::vector{ones, g[0]}, false, false)[0].reshape({kColumns})};
    expect_pieces_fit("linear", sample, dtype, want);
  }
}

TEST(LinearGelu, KeepsTheValueBeforeInEveryPiece) {
  const Sample sample = linear_sample("large", Activation::gelu, {kRows, kDepth}, kColumns, true);
  for (const DType dtype : {DType::f32, DType::bf16}) {
    expect_pieces_fit("linear_gelu", sample, dtype,
                      run_with_grads(sample.run, as_f64(make_inputs(sample, dtype))));
  }
}

TEST(Linear, AddsItsGradientsToF32SinksUnderAutocast) {
  for (const DType half : {DType::bf16, DType::f16}) {
    for (const char* variant : {"onednn", "onednn_f32", "portable"}) {
      SCOPED_TRACE(cat(half, " ", variant));
      const VariantPin pin(variant, false);
      const Autocast autocast(half);
      const Sample sample = linear_sample("", Activation::relu, {5, 7}, 3, true);
      std::vector<Tensor> x = make_inputs(sample, DType::f32);
      const Tensor g = Tensor::from(std::vector<float>(15, 1.0f), {5, 3}).to(half);
      sample.run(x)[0].backward(g);
      const std::vector<double> once[] = {x[1].grad().to_vector(), x[2].grad().to_vector()};
      sample.run(x)[0].backward(g);
      for (std::size_t i : {1u, 2u}) {
        EXPECT_EQ(x[i].grad().dtype(), DType::f32);
        const std::vector<double> twice = x[i].grad().to_vector();
        for (std::size_t e = 0; e < twice.size(); ++e) EXPECT_EQ(twice[e], 2 * once[i - 1][e]);
      }
    }
  }
}

/// |d/dx sum(linear(x, weight, bias)²)|²: a scalar whose gradients need the gradient of
/// linear_grad.
Tensor gradient_norm(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const Tensor y = linear(x, weight, bias);
  const Tensor loss = sum(mul(y, y));
  const Tensor inputs[] = {x, weight, bias};
  const std::vector<Tensor> g = grad({&loss, 1}, inputs, {}, {.create_graph = true});
  return add(add(sum(mul(g[0], g[0])), sum(mul(g[1], g[1]))), sum(mul(g[2], g[2])));
}

TEST(Linear, HasSecondDerivatives) {
  const Sample sample = linear_sample("", Activation::none, {2, 3, 4}, 5, true);
  std::vector<Tensor> x = make_inputs(sample, DType::f64);
  for (Tensor& input : x) input.requires_grad_();
  gradient_norm(x[0], x[1], x[2]).backward();
  constexpr double kStep = 1e-6;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::vector<double> values = x[i].to_vector(), got = x[i].grad().to_vector();
    for (std::size_t e = 0; e < values.size(); ++e) {
      const auto at = [&](double shift) {
        std::vector<Tensor> moved = make_inputs(sample, DType::f64);
        std::vector<double> changed = values;
        changed[e] += shift;
        moved[i] = Tensor::from(changed, x[i].shape());
        for (Tensor& input : moved) input.requires_grad_();
        return gradient_norm(moved[0], moved[1], moved[2]).item();
      };
      const double numeric = (at(kStep) - at(-kStep)) / (2 * kStep);
      EXPECT_NEAR(got[e], numeric, 1e-5 + 1e-5 * std::abs(numeric))
          << "input " << i << " element " << e;
    }
  }
}

TEST(LinearRelu, NamesWhatHasNoSecondDerivative) {
  Tensor x = Tensor::of({{1, 2}}, {.requires_grad = true});
  const Tensor y = sum(linear(x, Tensor::of({{3, 4}}), {}, {.activation = Activation::relu}));
  const std::vector<Tensor> g = grad({&y, 1}, {&x, 1}, {}, {.create_graph = true});
  try {
    sum(g[0]).backward();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "linear_grad: no second derivative with activation relu");
  }
}

}  // namespace
}  // namespace weft::test
