// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/pointwise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/ops/support/op_row.h"
#include "tests/ops/support/plain.h"
#include "weft/autograd/autograd.h"
#include "weft/op/attrs/pointwise.h"
#include "weft/op/registry.h"

namespace weft::test {
namespace {

using Number = double (*)(double, double);
using Binary = Tensor (*)(const Tensor&, const Tensor&);

std::vector<Tensor> elementwise(const Tensor& a, const Tensor& b, Number f) {
  const Shape shape = broadcast(a.shape(), b.shape(), "reference");
  const std::vector<double> x = a.to_vector();
  const std::vector<double> y = b.to_vector();
  std::vector<double> result;
  for (std::int64_t i = 0; i < shape.numel(); ++i) {
    result.push_back(
        f(x[broadcast_index(i, shape, a.shape())], y[broadcast_index(i, shape, b.shape())]));
  }
  return {Tensor::from(result, shape)};
}

std::vector<Sample> binary_samples(Binary op, Number f) {
  const std::pair<const char*, std::pair<Shape, Shape>> shapes[] = {
      {"one element", {{1}, {1}}},
      {"scalars", {{}, {}}},
      {"same shape", {{7, 33}, {7, 33}}},
      {"several chunks", {{70000}, {70000}}},
      {"scalar right", {{5, 3}, {}}},
      {"scalar left", {{}, {4}}},
      {"last dimension, short", {{301, 10}, {10}}},
      {"last dimension, long", {{3, 1031}, {1031}}},
      {"last dimension on the left", {{6}, {257, 6}}},
      {"first dimension", {{2, 1, 1}, {2, 3, 5}}},
      {"outer product", {{9, 1}, {1, 11}}},
      {"middle dimension", {{2, 3, 4, 5}, {3, 1, 5}}},
      {"every other dimension", {{2, 1, 3, 1}, {1, 4, 1, 2}}},
      {"long rows, one number each", {{2, 70001}, {2, 1}}},
      {"zero rows", {{0, 3}, {3}}},
      {"broadcast to zero", {{1, 3}, {0, 1}}},
  };
  std::vector<Sample> samples;
  for (const auto& [name, pair] : shapes) {
    samples.push_back(
        {.name = name,
         .args = {{.shape = pair.first}, {.shape = pair.second, .fill = Fill::off_zero}},
         .run = [=](In x) { return std::vector{op(x[0], x[1])}; },
         .reference = [=](In x) { return elementwise(x[0], x[1], f); }});
  }
  return samples;
}

Sample number_sample(const char* name, Tensor (*run)(const Tensor&), double (*f)(double)) {
  return {.name = name,
          .args = {{.shape = {5, 7}, .fill = Fill::off_zero}},
          .run = [=](In x) { return std::vector{run(x[0])}; },
          .reference =
              [=](In x) {
                std::vector<double> values = x[0].to_vector();
                for (double& value : values) value = f(value);
                return std::vector{Tensor::from(values, x[0].shape())};
              }};
}

Sample unary_sample(const char* name, const Shape& shape, Fill fill, Tensor (*run)(const Tensor&),
                    double (*f)(double)) {
  Sample sample = number_sample(name, run, f);
  sample.args = {{.shape = shape, .fill = fill, .scale = 2}};
  return sample;
}

std::vector<Sample> unary_samples(Fill fill, Tensor (*run)(const Tensor&), double (*f)(double)) {
  std::vector<Sample> samples;
  const std::pair<const char*, Shape> shapes[] = {
      {"scalar", {}},        {"one element", {1}},        {"odd", {13}},
      {"batch 1", {1, 17}},  {"matrix", {7, 33}},         {"image", {2, 3, 5, 4}},
      {"zero size", {0, 4}}, {"several chunks", {70001}},
  };
  for (const auto& [name, shape] : shapes)
    samples.push_back(unary_sample(name, shape, fill, run, f));
  return samples;
}

template <class T>
std::vector<T> joined(std::vector<T> a, std::vector<T> b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Tensor integers(DType dtype) { return empty({3}, {.dtype = dtype}).fill_(1); }

std::vector<ErrorCase> arithmetic_errors(const std::string& op, Binary run,
                                         Tensor (*half)(const Tensor&)) {
  return {
      {.name = "shapes that do not broadcast",
       .run = [=] { run(empty({2, 3}), empty({4})); },
       .kind = ErrorKind::shape,
       .message = op + ": shapes [2,3] and [4] do not broadcast: dimension -1 is 3 and 4; they "
                       "must be equal or 1"},
      {.name = "bool",
       .run = [=] { run(integers(DType::boolean), integers(DType::boolean)); },
       .kind = ErrorKind::dtype,
       .message = op == "div" ? "div: a is bool[3] but must be floating"
                              : op + ": a is bool[3] but must be a number"},
      {.name = "fraction with integers",
       .run = [=] { half(integers(DType::i32)); },
       .kind = ErrorKind::dtype,
       .message = op == "div" ? "div: a is i32[3] but must be floating"
                              : op + ": the number 0.5 does not fit the dtype: a is i32[3]"},
      {.name = "undefined operand",
       .run = [=] { run(empty({2}), Tensor()); },
       .kind = ErrorKind::value,
       .message = op + ": b is an undefined tensor but is required"},
  };
}

double phi(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }
double gelu_tanh(double x) {
  return 0.5 * x *
         (1 + std::tanh(std::sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
}

std::vector<ErrorCase> floating_errors(const std::string& op, Tensor (*run)(const Tensor&)) {
  std::vector<ErrorCase> errors;
  for (const DType dtype : {DType::i32, DType::u8, DType::boolean}) {
    errors.push_back({.name = to_string(dtype),
                      .run = [=] { run(integers(dtype)); },
                      .kind = ErrorKind::dtype,
                      .message = cat(op, ": x is ", dtype, "[3] but must be floating")});
  }
  return errors;
}

const OpRows rows{
    OpRow{
        .op = "add",
        .samples = joined(binary_samples(add, [](double a, double b) { return a + b; }),
                          {number_sample(
                               "number right", [](const Tensor& x) { return x + 2.5; },
                               [](double x) { return x + 2.5; }),
                           number_sample(
                               "number left", [](const Tensor& x) { return 0.25 + x; },
                               [](double x) { return 0.25 + x; })}),
        .errors = arithmetic_errors("add", add, [](const Tensor& x) { return x + 0.5; }),
        .grad_ops = {"sum_to"},
    },
    OpRow{
        .op = "sub",
        .samples = joined(binary_samples(sub, [](double a, double b) { return a - b; }),
                          {number_sample(
                               "number right", [](const Tensor& x) { return x - 2.5; },
                               [](double x) { return x - 2.5; }),
                           number_sample(
                               "number left", [](const Tensor& x) { return 1.0 - x; },
                               [](double x) { return 1.0 - x; })}),
        .errors = arithmetic_errors("sub", sub, [](const Tensor& x) { return x - 0.5; }),
    },
    OpRow{
        .op = "mul",
        .samples = joined(
            binary_samples(mul, [](double a, double b) { return a * b; }),
            {number_sample(
                 "number right", [](const Tensor& x) { return x * -2.5; },
                 [](double x) { return x * -2.5; }),
             number_sample(
                 "number left", [](const Tensor& x) { return 3.0 * x; },
                 [](double x) { return 3.0 * x; }),
             number_sample(
                 "unary minus", [](const Tensor& x) { return -x; }, [](double x) { return -x; })}),
        .errors = arithmetic_errors("mul", mul, [](const Tensor& x) { return x * 0.5; }),
    },
    OpRow{
        .op = "div",
        .samples = joined(binary_samples(div, [](double a, double b) { return a / b; }),
                          {number_sample(
                               "number right", [](const Tensor& x) { return x / 4.0; },
                               [](double x) { return x / 4.0; }),
                           number_sample(
                               "number left", [](const Tensor& x) { return 1.0 / x; },
                               [](double x) { return 1.0 / x; })}),
        .errors = arithmetic_errors("div", div, [](const Tensor& x) { return x / 0.5; }),
        .tolerance_scale = 2.0,
    },
    OpRow{
        .op = "relu",
        .samples = unary_samples(Fill::off_zero, relu, [](double x) { return x < 0 ? 0.0 : x; }),
        .errors = floating_errors("relu", relu),
        .grad_ops = {"relu_grad"},
    },
    OpRow{
        .op = "gelu",
        .samples = joined(
            unary_samples(
                Fill::normal, [](const Tensor& x) { return gelu(x); },
                [](double x) { return x * phi(x); }),
            unary_samples(
                Fill::normal, [](const Tensor& x) { return gelu(x, {.tanh = true}); }, gelu_tanh)),
        .errors = floating_errors("gelu", [](const Tensor& x) { return gelu(x); }),
        .grad_ops = {"gelu_grad"},
    },
};

TEST(Pointwise, OperatorsComputeTheirFormulas) {
  const Tensor a = Tensor::of({1, 2, 3});
  const Tensor b = Tensor::of({4, 8, 2});
  EXPECT_EQ((a + b).to_vector(), (std::vector<double>{5, 10, 5}));
  EXPECT_EQ((a - b).to_vector(), (std::vector<double>{-3, -6, 1}));
  EXPECT_EQ((a * b).to_vector(), (std::vector<double>{4, 16, 6}));
  EXPECT_EQ((a / b).to_vector(), (std::vector<double>{0.25, 0.25, 1.5}));
  EXPECT_EQ((-a).to_vector(), (std::vector<double>{-1, -2, -3}));
  EXPECT_EQ((2.0 - a).to_vector(), (std::vector<double>{1, 0, -1}));
  EXPECT_EQ((6.0 / a).to_vector(), (std::vector<double>{6, 3, 2}));
}

TEST(Pointwise, PromotesDtypes) {
  const auto one = [](DType dtype) { return integers(dtype); };
  EXPECT_EQ((one(DType::f32) + one(DType::i64)).dtype(), DType::f32);
  EXPECT_EQ((one(DType::bf16) * one(DType::f16)).dtype(), DType::f32);
  EXPECT_EQ((one(DType::f64) - one(DType::f32)).dtype(), DType::f64);
  EXPECT_EQ((one(DType::i32) + one(DType::u8)).dtype(), DType::i32);
}

TEST(Pointwise, NumbersTakeTheTensorsDtype) {
  for (const DType dtype :
       {DType::f64, DType::f32, DType::bf16, DType::f16, DType::i64, DType::i32, DType::u8}) {
    const Tensor y = integers(dtype) * 3.0 + 2.0;
    EXPECT_EQ(y.dtype(), dtype);
    EXPECT_EQ(y.to_vector(), std::vector<double>(3, 5.0)) << to_string(dtype);
  }
}

TEST(Pointwise, PromotedOperandsGetGradientsOfTheirOwnDtype) {
  Tensor a = Tensor::of({1, 2, 3}, {.dtype = DType::bf16, .requires_grad = true});
  Tensor b = Tensor::of({4, 5, 6}, {.dtype = DType::f32, .requires_grad = true});
  mul(a, b).backward(Tensor::of({1, 1, 1}));
  EXPECT_EQ(a.grad().dtype(), DType::bf16);
  EXPECT_EQ(a.grad().to_vector(), (std::vector<double>{4, 5, 6}));
  EXPECT_EQ(b.grad().dtype(), DType::f32);
}

TEST(Pointwise, IntegersWrapAround) {
  const Tensor x = empty({2}, {.dtype = DType::i32}).fill_(2147483647.0);
  EXPECT_EQ((x + 1.0).to_vector(), std::vector<double>(2, -2147483648.0));
  EXPECT_EQ((empty({1}, {.dtype = DType::u8}).fill_(200) * 2.0).to_vector(),
            std::vector<double>{144.0});
}

TEST(Pointwise, CompoundAssignmentRebinds) {
  Tensor a = Tensor::of({1, 2});
  const Tensor before = a;
  a += Tensor::of({1, 1});
  a *= 2.0;
  EXPECT_EQ(a.to_vector(), (std::vector<double>{4, 6}));
  EXPECT_EQ(before.to_vector(), (std::vector<double>{1, 2}));
}

TEST(Pointwise, NanAndInfinityPassThrough) {
  const double inf = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const DType dtype : {DType::f64, DType::f32, DType::bf16, DType::f16}) {
    const Tensor x = Tensor::of({nan, inf, -inf}).to(dtype);
    for (const Tensor& y : {relu(x), gelu(x), gelu(x, {.tanh = true}), x + 1.0, x * x}) {
      EXPECT_TRUE(std::isnan(y.to_vector()[0])) << to_string(dtype);
      EXPECT_EQ(y.to_vector()[1], inf) << to_string(dtype);
    }
    EXPECT_EQ(relu(x).to_vector()[2], 0) << to_string(dtype);
    EXPECT_NEAR(gelu(x).to_vector()[2], 0, 1e-6) << to_string(dtype);
  }
}

TEST(Pointwise, EveryLengthAndOffsetGivesTheSameBits) {
  std::vector<float> values(300);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) * 0.037f - 5.0f;
  const std::vector<double> all = gelu(Tensor::from(values, {300})).to_vector();
  for (std::int64_t begin = 0; begin < 40; ++begin) {
    for (std::int64_t n = 1; n < 80; ++n) {
      const std::span<const float> part(values.data() + begin, static_cast<std::size_t>(n));
      const std::vector<double> y = gelu(Tensor::from(part, Shape({n}))).to_vector();
      for (std::int64_t i = 0; i < n; ++i) {
        ASSERT_EQ(y[static_cast<std::size_t>(i)], all[static_cast<std::size_t>(begin + i)]);
      }
    }
  }
}

TEST(Pointwise, SecondDerivativesOfArithmetic) {
  Tensor x = Tensor::of({2.0, 3.0}, {.dtype = DType::f64, .requires_grad = true});
  const Tensor y = 1.0 / x;
  const Tensor ones = empty({2}, {.dtype = DType::f64}).fill_(1);
  const std::vector<Tensor> first = grad({&y, 1}, {&x, 1}, {&ones, 1}, {.create_graph = true});
  const std::vector<Tensor> second = grad({first.data(), 1}, {&x, 1}, {&ones, 1});
  EXPECT_NEAR(second[0].to_vector()[0], 2.0 / 8.0, 1e-12);
  EXPECT_NEAR(second[0].to_vector()[1], 2.0 / 27.0, 1e-12);
}

TEST(Pointwise, SideMustNameTheMissingOperand) {
  try {
    call_op(op_named("add"), BinaryAttrs{1.0, ScalarSide::left},
            {Tensor::of({1}), Tensor::of({2})});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "add: side is left; needs exactly the other operand as a tensor");
  }
}

}  // namespace
}  // namespace weft::test
