// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/reduce.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/ops/support/op_row.h"
#include "tests/ops/support/plain.h"
#include "weft/core/threads.h"

namespace weft::test {
namespace {

/// x summed to `kept`, its shape with some extents 1, each sum divided by `divisor`.
Tensor summed(const Tensor& x, const Shape& kept, double divisor) {
  const std::vector<double> values = x.to_vector();
  std::vector<double> sums(static_cast<std::size_t>(kept.numel()));
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    sums[broadcast_index(i, x.shape(), kept)] += values[static_cast<std::size_t>(i)];
  }
  for (double& sum : sums) sum /= divisor;
  return Tensor::from(sums, kept);
}

using Reduce = Tensor (*)(const Tensor&, const ReduceOptions&);

/// `kept` is what keepdim gives; without keepdim its 1s at `dims` go.
Sample reduce_sample(const char* name, Reduce run, bool mean, const Shape& x, const DimList& dims,
                     const Shape& kept, const Shape& result, bool keepdim = false) {
  return {.name = name,
          .args = {{.shape = x}},
          .run = [=](In t) { return std::vector{run(t[0], {.dim = dims, .keepdim = keepdim})}; },
          .reference =
              [=](In t) {
                const double count =
                    static_cast<double>(x.numel()) / static_cast<double>(kept.numel());
                const Tensor y = summed(t[0], kept, mean ? count : 1.0);
                return std::vector{Tensor::from(y.to_vector(), result)};
              }};
}

std::vector<Sample> reduce_samples(Reduce run, bool mean) {
  const auto sample = [=](const char* name, const Shape& x, const DimList& dims, const Shape& kept,
                          const Shape& result, bool keepdim = false) {
    return reduce_sample(name, run, mean, x, dims, kept, result, keepdim);
  };
  return {
      sample("scalar", {}, {}, {}, {}),
      sample("all", {7, 33}, {}, {1, 1}, {}),
      sample("all, kept", {7, 33}, {}, {1, 1}, {1, 1}, true),
      sample("all, several chunks", {3, 70001}, {}, {1, 1}, {}),
      sample("one element", {1}, 0, {1}, {}),
      sample("last", {5, 3}, -1, {5, 1}, {5}),
      sample("last, long", {3, 5000}, 1, {3, 1}, {3}),
      sample("first", {300, 17}, 0, {1, 17}, {17}),
      sample("first, wide", {70, 1200}, 0, {1, 1200}, {1200}),
      sample("first, many rows", {9001, 10}, 0, {1, 10}, {10}),
      sample("middle", {3, 130, 40}, 1, {3, 1, 40}, {3, 40}),
      sample("middle, narrow", {4, 201, 3}, {1}, {4, 1, 3}, {4, 3}),
      sample("all but channels of NHWC", {4, 6, 5, 8}, {0, 1, 2}, {1, 1, 1, 8}, {8}),
      sample("all but channels of NCHW", {4, 3, 6, 5}, {0, 2, 3}, {1, 3, 1, 1}, {1, 3, 1, 1}, true),
      sample("every other", {3, 4, 5, 6}, {-4, -2}, {1, 4, 1, 6}, {4, 6}),
      sample("extent one", {1, 5}, 0, {1, 5}, {5}),
      sample("zero rows", {0, 4}, -1, {0, 1}, {0}),
  };
}

Sample sum_to_sample(const char* name, const Shape& from, const Shape& to) {
  return {.name = name,
          .args = {{.shape = from}},
          .run = [=](In x) { return std::vector{sum_to(x[0], to)}; },
          .reference = [=](In x) { return std::vector{summed(x[0], to, 1.0)}; }};
}

Tensor bools() { return empty({2, 2}, {.dtype = DType::boolean}).fill_(1); }

std::vector<ErrorCase> reduce_errors(const std::string& op, Reduce run) {
  return {
      {.name = "dimension out of range",
       .run = [=] { run(empty({2, 3}), {.dim = 2}); },
       .kind = ErrorKind::index,
       .message = op + ": dim is 2 but the input has shape [2,3]; dim must be in [-2, 2)"},
      {.name = "dimension of a scalar",
       .run = [=] { run(Tensor::of(1.0), {.dim = 0}); },
       .kind = ErrorKind::index,
       .message = op + ": dim is 0 but the input is a scalar"},
      {.name = "dimension given twice",
       .run = [=] { run(empty({2, 3}), {.dim = {1, -1}}); },
       .kind = ErrorKind::value,
       .message = op + ": dimension -1 is given twice in [1,-1]"},
  };
}

const OpRows rows{
    OpRow{
        .op = "sum",
        .samples = reduce_samples(sum, false),
        .errors = reduce_errors("sum", sum),
        .grad_ops = {"broadcast_to"},
        .tolerance_scale = 4.0,
    },
    OpRow{
        .op = "mean",
        .samples = reduce_samples(mean, true),
        .errors = {reduce_errors("mean", mean)[0],
                   reduce_errors("mean", mean)[2],
                   {.name = "bool",
                    .run = [] { mean(bools()); },
                    .kind = ErrorKind::dtype,
                    .message = "mean: x is bool[2,2] but must be floating"}},
    },
    OpRow{
        .op = "sum_to",
        .samples = {sum_to_sample("same shape", {2, 3}, {2, 3}),
                    sum_to_sample("scalar", {4, 5}, {}), sum_to_sample("one element", {1}, {}),
                    sum_to_sample("batch 1", {1, 7}, {7}), sum_to_sample("leading", {60, 33}, {33}),
                    sum_to_sample("inner", {6, 5, 4}, {6, 1, 4}),
                    sum_to_sample("leading and inner", {2, 3, 4, 5}, {3, 1, 5}),
                    sum_to_sample("last", {7, 9}, {7, 1}), sum_to_sample("zero size", {0, 3}, {3})},
        .errors = {{.name = "more dimensions",
                    .run = [] { sum_to(empty({3}), {1, 3}); },
                    .kind = ErrorKind::shape,
                    .message = "sum_to: x is f32[3], which no broadcast of [1,3] gives"},
                   {.name = "other extent",
                    .run = [] { sum_to(empty({4, 3}), {2, 3}); },
                    .kind = ErrorKind::shape,
                    .message = "sum_to: x is f32[4,3], which no broadcast of [2,3] gives"},
                   {.name = "zero extent",
                    .run = [] { sum_to(empty({4, 3}), {0, 3}); },
                    .kind = ErrorKind::shape,
                    .message = "sum_to: x is f32[4,3], which no broadcast of [0,3] gives"}},
        .tolerance_scale = 2.0,
    },
};

TEST(Reduce, IntegersSumToI64) {
  for (const DType dtype : {DType::i64, DType::i32, DType::u8}) {
    const Tensor y = sum(empty({300, 7}, {.dtype = dtype}).fill_(200));
    EXPECT_EQ(y.dtype(), DType::i64);
    EXPECT_EQ(y.item(), 420000);
  }
  EXPECT_EQ(sum(bools(), {.dim = 0}).to_vector(), (std::vector<double>{2, 2}));
}

TEST(Reduce, MeanOfNothingIsNan) {
  EXPECT_TRUE(std::isnan(mean(empty({0})).item()));
  EXPECT_EQ(sum(empty({0})).item(), 0);
  for (const double value : mean(empty({0, 3}), {.dim = 0}).to_vector())
    EXPECT_TRUE(std::isnan(value));
}

TEST(Reduce, LongSumsKeepTheirDigits) {
  std::vector<float> values(20000);
  double exact = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = 1.0f + static_cast<float>(i * 7919 % 10007) * 1e-4f;
    exact += values[i];
  }
  // Pairwise: log2(n) roundings of half an ULP each (Higham 1993).
  const double bound = exact * std::log2(20000.0) * 0x1p-24;
  EXPECT_NEAR(sum(Tensor::from(values, {20000})).item(), exact, bound);
  EXPECT_NEAR(sum(Tensor::from(values, {20000, 1}), {.dim = 0}).item(), exact, bound);
  EXPECT_NEAR(sum(Tensor::from(values, {10000, 2}), {.dim = 0}).to_vector()[0], exact / 2,
              exact * 1e-3);
}

TEST(Reduce, HalvesAreSummedInF32) {
  const Tensor ones = empty({4096}, {.dtype = DType::bf16}).fill_(1);
  EXPECT_EQ(sum(ones).item(), 4096);
  EXPECT_EQ(sum(ones.reshape({2048, 2}), {.dim = 0}).to_vector()[1], 2048);
}

TEST(Reduce, NanReachesTheSum) {
  Tensor x = empty({100, 3}).fill_(1);
  x.mutable_data<float>()[157] = NAN;
  EXPECT_TRUE(std::isnan(sum(x).item()));
  EXPECT_FALSE(std::isnan(sum(x, {.dim = 0}).to_vector()[0]));
  EXPECT_TRUE(std::isnan(sum(x, {.dim = 0}).to_vector()[1]));
}

}  // namespace
}  // namespace weft::test
