// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/create.h"

#include <gtest/gtest.h>

#include "tests/ops/support/op_row.h"
#include "weft/core/context.h"
#include "weft/op/attrs/create.h"
#include "weft/op/registry.h"

namespace weft::test {
namespace {

/// Writes start + i * step over a tensor like x.
Sample arange_sample(const char* name, std::int64_t count, double start, double step) {
  return {.name = name,
          .args = {{.shape = Shape({count})}},
          .run =
              [=](In x) {
                const Tensor y =
                    empty(x[0].shape(), {.dtype = x[0].dtype(), .device = x[0].device()});
                call_op(op_named("arange"), ArangeAttrs{start, step}, {y});
                return std::vector{y};
              },
          .reference =
              [=](In) {
                std::vector<double> values;
                for (std::int64_t i = 0; i < count; ++i)
                  values.push_back(start + static_cast<double>(i) * step);
                return std::vector{Tensor::from(values, Shape({count}))};
              }};
}

const OpRows rows{
    OpRow{
        .op = "arange",
        .samples = {arange_sample("one", 1, 0, 1), arange_sample("none", 0, 0, 1),
                    arange_sample("odd", 13, 0, 1), arange_sample("from three", 7, 3, 1),
                    arange_sample("down", 9, 4, -0.5), arange_sample("constant", 5, 2, 0),
                    arange_sample("fractions", 33, -2, 0.125),
                    arange_sample("several chunks", 70001, 0, 0.5)},
        .errors = {{.name = "negative count",
                    .run = [] { arange(-1); },
                    .kind = ErrorKind::value,
                    .message = "arange: count is -1; needs 0 or more"},
                   {.name = "zero step",
                    .run = [] { arange(0.0, 1.0, 0.0); },
                    .kind = ErrorKind::value,
                    .message = "arange: step is 0, which does not lead from 0 to 1"},
                   {.name = "wrong direction",
                    .run = [] { arange(1.0, 0.0, 0.5); },
                    .kind = ErrorKind::value,
                    .message = "arange: step is 0.5, which does not lead from 1 to 0"},
                   {.name = "matrix",
                    .run = [] { call_op(op_named("arange"), ArangeAttrs{}, {empty({2, 2})}); },
                    .kind = ErrorKind::shape,
                    .message = "arange: target is f32[2,2] but must have 1 dimensions [N]"}},
        .differentiable = false,
    },
};

TEST(Create, FollowsTheContextUnlessToldOtherwise) {
  Settings settings;
  settings.dtype = DType::bf16;
  const ContextScope scope(settings);
  EXPECT_EQ(zeros({2}).dtype(), DType::bf16);
  EXPECT_EQ(full({2}, 3, {.dtype = DType::i32}).dtype(), DType::i32);
  EXPECT_EQ(arange(3).dtype(), DType::i64);
  EXPECT_EQ(arange(0.0, 3.0).dtype(), DType::bf16);
  EXPECT_EQ(rand({2}).dtype(), DType::bf16);
}

TEST(Create, Fills) {
  EXPECT_EQ(full({2, 2}, 2.5).to_vector(), std::vector<double>(4, 2.5));
  EXPECT_EQ(ones({3}).to_vector(), std::vector<double>(3, 1.0));
  EXPECT_EQ(arange(4).to_vector(), (std::vector<double>{0, 1, 2, 3}));
  EXPECT_EQ(arange(1.0, 2.0, 0.25).to_vector(), (std::vector<double>{1, 1.25, 1.5, 1.75}));
  EXPECT_EQ(arange(3.0, 0.0, -1.0).to_vector(), (std::vector<double>{3, 2, 1}));
  EXPECT_EQ(arange(0).numel(), 0);
}

TEST(Create, LikeTakesShapeAndDtype) {
  const Tensor x = empty({2, 3}, {.dtype = DType::u8});
  EXPECT_EQ(describe(zeros_like(x)), "u8[2,3]");
  EXPECT_EQ(ones_like(x).to_vector(), std::vector<double>(6, 1.0));
}

TEST(Create, CanMakeLeavesThatWantGradients) {
  const Tensor x = randn({3}, {.requires_grad = true});
  EXPECT_TRUE(x.requires_grad());
  EXPECT_TRUE(x.is_leaf());
}

}  // namespace
}  // namespace weft::test
