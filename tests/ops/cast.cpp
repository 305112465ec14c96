// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/cast.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/ops/support/op_row.h"
#include "weft/core/context.h"
#include "weft/op/attrs/cast.h"
#include "weft/op/registry.h"
#include "weft/ops/create.h"

namespace weft::test {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::vector<Tensor> same(In x) { return {x[0].detach()}; }

Sample shaped(const char* name, const Shape& shape, Run run, Run reference) {
  return {.name = name,
          .args = {{.shape = shape}},
          .run = std::move(run),
          .reference = std::move(reference)};
}

/// f64 to itself is a copy.
std::vector<Tensor> widened(In x) {
  return {x[0].dtype() == DType::f64 ? x[0].clone() : cast(x[0], DType::f64)};
}

std::vector<Sample> samples_of(const Run& run, const Run& reference) {
  return {shaped("scalar", {}, run, reference),
          shaped("one element", {1}, run, reference),
          shaped("odd", {13}, run, reference),
          shaped("batch 1", {1, 17}, run, reference),
          shaped("matrix", {7, 33}, run, reference),
          shaped("image", {2, 3, 5, 4}, run, reference),
          shaped("zero size", {0, 4}, run, reference),
          shaped("several chunks", {70001}, run, reference)};
}

std::vector<Tensor> filled(In x, double value) {
  Tensor y = empty(x[0].shape(), {.dtype = x[0].dtype(), .device = x[0].device()});
  y.fill_(value);
  return {y};
}

std::vector<Tensor> copied(In x) {
  Tensor y = empty(x[0].shape(), {.dtype = x[0].dtype(), .device = x[0].device()});
  y.copy_(x[0].detach());
  return {y};
}

const OpEntry& copy_op() { return op_named("copy"); }

void copy(const Tensor& target, const Tensor& x) {
  call_op(const_cast<OpEntry&>(copy_op()), NoAttrs{}, {target, x});
}

const OpRows rows{
    OpRow{
        .op = "cast",
        .samples = samples_of(widened, same),
        .errors = {{.name = "undefined",
                    .run = [] { cast(Tensor(), DType::f32); },
                    .kind = ErrorKind::value,
                    .message = "cast: x is an undefined tensor but is required"},
                   {.name = "gradient of an integer",
                    .run = [] { cast(ones({2}, {.requires_grad = true}), DType::i32).backward(); },
                    .kind = ErrorKind::state,
                    .message =
                        "backward: output is i32[2] and depends on nothing that requires grad"},
                   {.name = "gradient for an integer",
                    .run = [] { cast(ones({2}), DType::i64).requires_grad_(); },
                    .kind = ErrorKind::dtype,
                    .message =
                        "requires_grad_: i64[2] is not floating; only floats have gradients"}},
    },
    OpRow{
        .op = "fill",
        .samples =
            samples_of([](In x) { return filled(x, 2.5); }, [](In x) { return filled(x, 2.5); }),
        .errors =
            {{.name = "leaf that requires grad",
              .run = [] { ones({2}, {.requires_grad = true}).fill_(1); },
              .kind = ErrorKind::state,
              .message = "fill: target requires grad and would be written in place"},
             {.name = "undefined",
              .run = [] { call_op(op_named("fill"), FillAttrs{}, {Tensor()}); },
              .kind = ErrorKind::value,
              .message = "fill: target is an undefined tensor but is required"},
             {.name = "read-only memory",
              .run =
                  [] {
                    static float value = 1;
                    Tensor x =
                        Tensor::over(borrow_storage(&value, sizeof value, {}, Storage::kReadOnly,
                                                    "model.safetensors", [] {}),
                                     0, {1}, DType::f32);
                    x.fill_(2);
                  },
              .kind = ErrorKind::state,
              .message =
                  "fill: the target is read-only memory of model.safetensors, must be writable"}},
        .differentiable = false,
    },
    OpRow{
        .op = "copy",
        .samples = samples_of(copied, same),
        .errors = {{.name = "shapes differ",
                    .run = [] { copy(empty({2}), empty({3})); },
                    .kind = ErrorKind::shape,
                    .message =
                        "copy: x is f32[3] but must be [2]: target is f32[2] and is overwritten"},
                   {.name = "leaf that requires grad",
                    .run = [] { copy(ones({2}, {.requires_grad = true}), empty({2})); },
                    .kind = ErrorKind::state,
                    .message = "copy: target requires grad and would be written in place"},
                   {.name = "undefined",
                    .run = [] { copy(empty({2}), Tensor()); },
                    .kind = ErrorKind::value,
                    .message = "copy: x is an undefined tensor but is required"}},
        .differentiable = false,
    },
};

TEST(Cast, EveryPairKeepsSmallIntegers) {
  for (const DType from : kAllDTypes) {
    for (const DType to : kAllDTypes) {
      const Tensor x = Tensor::of({0, 1, 1, 0, 1}).to(from);
      EXPECT_EQ(cast(x, to).dtype(), to);
      EXPECT_EQ(cast(x, to).to_vector(), (std::vector<double>{0, 1, 1, 0, 1}))
          << to_string(from) << to_string(to);
    }
  }
}

TEST(Cast, IntegersTruncateAndSaturate) {
  for (const DType from : {DType::f64, DType::f32}) {
    const Tensor x =
        Tensor::of({1.7, -1.7, 3e9, -3e9, kNan, kInf, -kInf, 255.9, 256}, {.dtype = from});
    EXPECT_EQ(cast(x, DType::i32).to_vector(),
              (std::vector<double>{1, -1, 2147483647, -2147483648.0, 0, 2147483647, -2147483648.0,
                                   255, 256}));
    EXPECT_EQ(cast(x, DType::u8).to_vector(),
              (std::vector<double>{1, 0, 255, 0, 0, 255, 0, 255, 255}));
    EXPECT_EQ(cast(x, DType::i64).data<std::int64_t>()[5],
              std::numeric_limits<std::int64_t>::max());
    EXPECT_EQ(cast(x, DType::i64).data<std::int64_t>()[6],
              std::numeric_limits<std::int64_t>::min());
  }
  const Tensor wide = Tensor::of({-1, 300, 5e12}, {.dtype = DType::i64});
  EXPECT_EQ(cast(wide, DType::u8).to_vector(), (std::vector<double>{0, 255, 255}));
  EXPECT_EQ(cast(wide, DType::i32).to_vector(), (std::vector<double>{-1, 300, 2147483647}));
}

TEST(Cast, BoolIsWhetherNotZero) {
  const Tensor x = Tensor::of({0.0, -0.0, 0.25, kNan, -3.0});
  EXPECT_EQ(cast(x, DType::boolean).to_vector(), (std::vector<double>{0, 0, 1, 1, 1}));
}

TEST(Cast, HalvesRoundToNearestEvenInEveryLane) {
  std::vector<float> values(67);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = std::ldexp(1.0f + static_cast<float>(i) * 0.0131f, static_cast<int>(i) - 30);
  for (const DType half : {DType::bf16, DType::f16}) {
    const std::vector<double> y = cast(Tensor::from(values, {67}), half).to_vector();
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double want = half == DType::bf16 ? static_cast<double>(bf16(values[i]))
                                              : static_cast<double>(f16(values[i]));
      EXPECT_EQ(y[i], want) << i;
    }
  }
}

TEST(Cast, GradientHasTheDtypeOfTheInput) {
  Tensor x = ones({3}, {.requires_grad = true});
  cast(x, DType::bf16).backward(ones({3}, {.dtype = DType::bf16}));
  EXPECT_EQ(x.grad().dtype(), DType::f32);
  EXPECT_EQ(x.grad().to_vector(), (std::vector<double>{1, 1, 1}));
}

TEST(Copy, ConvertsAndBumpsTheVersion) {
  Tensor target = zeros({3}, {.dtype = DType::i32});
  const auto version = target.version();
  target.copy_(Tensor::of({1.5, -2.5, 3}));
  EXPECT_EQ(target.to_vector(), (std::vector<double>{1, -2, 3}));
  EXPECT_GT(target.version(), version);
}

TEST(Fill, SetsEveryDtype) {
  for (const DType dtype : kAllDTypes) {
    EXPECT_EQ(empty({3}, {.dtype = dtype}).fill_(1).to_vector(), (std::vector<double>{1, 1, 1}));
  }
}

}  // namespace
}  // namespace weft::test
