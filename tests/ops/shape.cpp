// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/shape.h"

#include <gtest/gtest.h>

#include "tests/ops/support/op_row.h"
#include "tests/ops/support/plain.h"
#include "weft/ops/create.h"

namespace weft::test {
namespace {

Sample broadcast_sample(const char* name, const Shape& from, const Shape& to) {
  return {.name = name,
          .args = {{.shape = from}},
          .run = [=](In x) { return std::vector{broadcast_to(x[0], to)}; },
          .reference =
              [=](In x) {
                const std::vector<double> values = x[0].to_vector();
                std::vector<double> result;
                for (std::int64_t i = 0; i < to.numel(); ++i) {
                  result.push_back(values[broadcast_index(i, to, from)]);
                }
                return std::vector{Tensor::from(result, to)};
              }};
}

/// Splits index i of `shape` into (before dim, dim, after dim).
struct Position {
  std::int64_t outer, at, inner;
};
Position position(std::int64_t i, const Shape& shape, int dim) {
  const std::int64_t after = shape.numel(dim + 1, shape.rank());
  return {i / after / shape[dim], i / after % shape[dim], i % after};
}
std::size_t index(const Position& p, const Shape& shape, int dim) {
  return static_cast<std::size_t>(
      (p.outer * shape[dim] + p.at) * shape.numel(dim + 1, shape.rank()) + p.inner);
}

std::vector<Tensor> concat_reference(In xs, int dim) {
  std::int64_t extent = 0;
  for (const Tensor& x : xs) extent += x.shape(dim);
  const Shape shape = xs[0].shape().with(dim, extent);
  std::vector<double> result(static_cast<std::size_t>(shape.numel()));
  std::int64_t start = 0;
  for (const Tensor& x : xs) {
    const std::vector<double> values = x.to_vector();
    for (std::int64_t i = 0; i < x.numel(); ++i) {
      Position p = position(i, x.shape(), dim);
      p.at += start;
      result[index(p, shape, dim)] = values[static_cast<std::size_t>(i)];
    }
    start += x.shape(dim);
  }
  return {Tensor::from(result, shape)};
}

Sample concat_sample(const char* name, std::vector<Shape> shapes, std::int64_t dim) {
  Sample sample{.name = name, .args = {}, .run = {}, .reference = {}};
  for (const Shape& shape : shapes) sample.args.push_back({.shape = shape});
  const int positive = static_cast<int>(dim < 0 ? dim + shapes[0].rank() : dim);
  sample.run = [=](In x) { return std::vector{concat(x, dim)}; };
  sample.reference = [=](In x) { return concat_reference(x, positive); };
  return sample;
}

Sample narrow_sample(const char* name, const Shape& shape, std::int64_t dim, std::int64_t start,
                     std::int64_t length) {
  const int d = static_cast<int>(dim < 0 ? dim + shape.rank() : dim);
  return {.name = name,
          .args = {{.shape = shape}},
          .run = [=](In x) { return std::vector{narrow(x[0], dim, start, length)}; },
          .reference =
              [=](In x) {
                const std::vector<double> values = x[0].to_vector();
                const Shape to = shape.with(d, length);
                std::vector<double> result(static_cast<std::size_t>(to.numel()));
                for (std::int64_t i = 0; i < to.numel(); ++i) {
                  Position p = position(i, to, d);
                  p.at += start;
                  result[static_cast<std::size_t>(i)] = values[index(p, shape, d)];
                }
                return std::vector{Tensor::from(result, to)};
              }};
}

const OpRows rows{
    OpRow{
        .op = "broadcast_to",
        .samples = {broadcast_sample("same shape", {2, 3}, {2, 3}),
                    broadcast_sample("scalar", {}, {4, 5}),
                    broadcast_sample("one element", {1}, {1, 1}),
                    broadcast_sample("rows", {7}, {33, 7}),
                    broadcast_sample("columns", {9, 1}, {9, 13}),
                    broadcast_sample("middle", {3, 1, 5}, {2, 3, 4, 5}),
                    broadcast_sample("outer", {2, 1, 1}, {2, 3, 4}),
                    broadcast_sample("to zero", {1, 3}, {0, 3}),
                    broadcast_sample("several chunks", {2, 1}, {2, 70001})},
        .errors = {{.name = "fewer dimensions",
                    .run = [] { broadcast_to(empty({2, 3}), {3}); },
                    .kind = ErrorKind::shape,
                    .message = "broadcast_to: x is f32[2,3], which does not broadcast to [3]"},
                   {.name = "other extent",
                    .run = [] { broadcast_to(empty({2, 3}), {4, 3}); },
                    .kind = ErrorKind::shape,
                    .message = "broadcast_to: x is f32[2,3], which does not broadcast to [4,3]"},
                   {.name = "shrinking",
                    .run = [] { broadcast_to(empty({2, 3}), {2, 1}); },
                    .kind = ErrorKind::shape,
                    .message = "broadcast_to: x is f32[2,3], which does not broadcast to [2,1]"}},
        .grad_ops = {"sum_to"},
        .tolerance_scale = 2.0,
    },
    OpRow{
        .op = "concat",
        .samples = {concat_sample("rows", {{2, 3}, {4, 3}}, 0),
                    concat_sample("columns", {{5, 3}, {5, 1}, {5, 7}}, 1),
                    concat_sample("middle", {{2, 3, 4}, {2, 2, 4}}, 1),
                    concat_sample("from the end", {{2, 3}, {2, 5}}, -1),
                    concat_sample("one tensor", {{3, 2}}, 0),
                    concat_sample("vectors", {{1}, {1}, {1}}, 0),
                    concat_sample("one is empty", {{0, 3}, {2, 3}}, 0),
                    concat_sample("all are empty", {{2, 0}, {2, 0}}, 1),
                    concat_sample("many", std::vector<Shape>(20, Shape({1, 2})), 0),
                    concat_sample("several chunks", {{2, 70001}, {2, 3}}, 1)},
        .errors =
            {{.name = "empty list",
              .run = [] { concat(std::span<const Tensor>(), 0); },
              .kind = ErrorKind::value,
              .message = "concat: xs is an empty list; needs at least one tensor"},
             {.name = "other extents differ",
              .run = [] { concat({empty({2, 3}), empty({2, 4})}, 0); },
              .kind = ErrorKind::shape,
              .message =
                  "concat: xs[1] is f32[2,4] but xs[0] is f32[2,3]; only dimension 0 may differ"},
             {.name = "dtypes differ",
              .run = [] { concat({empty({2}), arange(2)}); },
              .kind = ErrorKind::dtype,
              .message = "concat: xs[1] is i64[2] but xs[0] is f32[2]; their dtypes must be equal"},
             {.name = "scalars",
              .run = [] { concat({Tensor::of(1.0), Tensor::of(2.0)}); },
              .kind = ErrorKind::shape,
              .message = "concat: xs[0] is f32[] and has no dimension to join"},
             {.name = "dimension out of range",
              .run = [] { concat({empty({2})}, 1); },
              .kind = ErrorKind::index,
              .message = "concat: dim is 1 but the input has shape [2]; dim must be in [-1, 1)"}},
        .grad_ops = {"narrow"},
    },
    OpRow{
        .op = "narrow",
        .samples = {narrow_sample("rows", {5, 3}, 0, 1, 3),
                    narrow_sample("columns", {5, 7}, 1, 2, 4),
                    narrow_sample("from the end", {5, 7}, -1, 6, 1),
                    narrow_sample("middle", {2, 5, 3}, 1, 0, 2), narrow_sample("all", {4}, 0, 0, 4),
                    narrow_sample("none", {4, 2}, 0, 4, 0),
                    narrow_sample("batch 1", {1, 9}, 1, 3, 3),
                    narrow_sample("zero rows", {0, 5}, 1, 1, 2),
                    narrow_sample("several chunks", {2, 80000}, 1, 10, 70001)},
        .errors =
            {{.name = "past the end",
              .run = [] { narrow(empty({2, 3}), 1, 2, 2); },
              .kind = ErrorKind::index,
              .message =
                  "narrow: start 2 and length 2 of dimension 1 are wanted but x is f32[2,3]"},
             {.name = "negative start",
              .run = [] { narrow(empty({2, 3}), 0, -1, 1); },
              .kind = ErrorKind::index,
              .message =
                  "narrow: start -1 and length 1 of dimension 0 are wanted but x is f32[2,3]"},
             {.name = "dimension out of range",
              .run = [] { narrow(empty({2, 3}), 2, 0, 1); },
              .kind = ErrorKind::index,
              .message = "narrow: dim is 2 but the input has shape [2,3]; dim must be in [-2, 2)"}},
        .grad_ops = {"narrow_grad"},
    },
};

TEST(Concat, JoinsEveryDtype) {
  for (const DType dtype : kAllDTypes) {
    const Tensor y = concat({ones({2}, {.dtype = dtype}), zeros({1}, {.dtype = dtype})});
    EXPECT_EQ(y.dtype(), dtype);
    EXPECT_EQ(y.to_vector(), (std::vector<double>{1, 1, 0})) << to_string(dtype);
  }
}

TEST(Concat, ErrorsPrintBothShapes) {
  try {
    concat({empty({2, 3}), empty({5, 4})}, 1);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("f32[2,3]"), std::string::npos);
    EXPECT_NE(error.message().find("f32[5,4]"), std::string::npos);
  }
}

TEST(Concat, OnlyWantedGradientsAreMade) {
  Tensor a = ones({2}, {.requires_grad = true});
  const Tensor b = ones({3});
  concat({a, b}).backward(Tensor::of({1, 2, 3, 4, 5}));
  EXPECT_EQ(a.grad().to_vector(), (std::vector<double>{1, 2}));
  EXPECT_FALSE(b.grad().defined());
}

}  // namespace
}  // namespace weft::test
