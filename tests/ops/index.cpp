// SPDX-License-Identifier: Apache-2.0
#include "weft/ops/index.h"

#include <gtest/gtest.h>

#include "tests/ops/support/op_row.h"

namespace weft::test {
namespace {

std::vector<Tensor> embedding_reference(In x) {
  const std::vector<double> indices = x[0].to_vector(), weight = x[1].to_vector();
  const auto width = static_cast<std::size_t>(x[1].shape(1));
  std::vector<double> y;
  for (const double index : indices) {
    const auto row = static_cast<std::size_t>(index);
    for (std::size_t i = 0; i < width; ++i) y.push_back(weight[row * width + i]);
  }
  const Shape& shape = x[0].shape();
  return {Tensor::from(y, shape.inserted(shape.rank(), x[1].shape(1)))};
}

Sample embedding_sample(const char* name, const Shape& indices, std::int64_t rows,
                        std::int64_t width, DType index = DType::i64) {
  return {.name = name,
          .args = {{.shape = indices, .fill = Fill::index, .bound = rows, .dtype = index},
                   {.shape = {rows, width}}},
          .run = [](In t) { return std::vector{embedding(t[0], t[1])}; },
          .reference = embedding_reference};
}

template <class T = std::int64_t>
Tensor indices(const std::vector<T>& values) {
  return Tensor::from(values, {static_cast<std::int64_t>(values.size())});
}

Tensor ones(const Shape& shape) { return empty(shape).fill_(1); }

const OpRows rows{
    OpRow{
        .op = "embedding",
        .samples =
            {
                embedding_sample("one", {1}, 3, 4),
                embedding_sample("odd", {7}, 5, 33),
                embedding_sample("i32 indices", {9}, 4, 8, DType::i32),
                embedding_sample("two dimensions of indices", {3, 5}, 11, 6),
                embedding_sample("scalar index", {}, 5, 3),
                embedding_sample("one row", {20}, 1, 7),
                embedding_sample("width 1", {6}, 9, 1),
                embedding_sample("no indices", {0}, 4, 5),
                embedding_sample("no columns", {3}, 4, 0),
                embedding_sample("wider than a block", {12}, 5, 1111),
                embedding_sample("many indices", {4000}, 40, 9),
            },
        .errors =
            {
                {.name = "beyond the rows, the lowest position named",
                 .run = [] { embedding(indices({0, 10, 11}), ones({10, 2})); },
                 .kind = ErrorKind::index,
                 .message = "embedding: indices[1] is 10 but weight has 10 rows"},
                {.name = "negative",
                 .run = [] { embedding(indices<std::int32_t>({0, -1}), ones({10, 2})); },
                 .kind = ErrorKind::index,
                 .message = "embedding: indices[1] is -1 but weight has 10 rows"},
                {.name = "floating indices",
                 .run = [] { embedding(ones({3}), ones({10, 2})); },
                 .kind = ErrorKind::dtype,
                 .message = "embedding: indices is f32[3] but indices must be i32 or i64"},
                {.name = "weight of one dimension",
                 .run = [] { embedding(indices({0}), ones({10})); },
                 .kind = ErrorKind::shape,
                 .message = "embedding: weight is f32[10] but must have 2 dimensions [V, D]"},
                {.name = "padding beyond the rows",
                 .run = [] { embedding(indices({0}), ones({10, 2}), {.padding_index = 10}); },
                 .kind = ErrorKind::value,
                 .message = "embedding: padding_index is 10 but weight has 10 rows; it must be -1 "
                            "(none) or one of them"},
            },
        .grad_ops = {"embedding_grad"},
    },
};

TEST(Embedding, SumsTheGradientsOfARowThatIsPickedOften) {
  Tensor weight = ones({4, 2}).requires_grad_();
  embedding(indices({2, 0, 2}), weight).backward(Tensor::of({{1, 2}, {3, 4}, {5, 6}}));
  EXPECT_EQ(weight.grad().to_vector(), (std::vector<double>{3, 4, 0, 0, 6, 8, 0, 0}));
}

TEST(Embedding, AddsGradientsOfTwoPasses) {
  Tensor weight = ones({3, 1}).requires_grad_();
  embedding(indices({1}), weight).backward(Tensor::of({2, 0}).slice(0, 1).reshape({1, 1}));
  embedding(indices({1, 0}), weight).backward(Tensor::of({3, 4}).reshape({2, 1}));
  EXPECT_EQ(weight.grad().to_vector(), (std::vector<double>{4, 5, 0}));
}

TEST(Embedding, GivesThePaddingRowNoGradient) {
  Tensor weight = ones({3, 2}).requires_grad_();
  const Tensor y = embedding(indices({1, 2}), weight, {.padding_index = 1});
  EXPECT_EQ(y.to_vector(), std::vector<double>(4, 1.0));
  y.backward(ones({2, 2}));
  EXPECT_EQ(weight.grad().to_vector(), (std::vector<double>{0, 0, 0, 0, 1, 1}));
}

TEST(Embedding, SumsHalvesInF32) {
  // In bf16 a sum of ones would stop at 256.
  Tensor weight = empty({2, 1}, {.dtype = DType::bf16}).fill_(0).requires_grad_();
  const Tensor zeros = empty({1000}, {.dtype = DType::i64}).fill_(0);
  embedding(zeros, weight).backward(empty({1000, 1}, {.dtype = DType::bf16}).fill_(1));
  EXPECT_EQ(weight.grad().to_vector(), (std::vector<double>{1000, 0}));
}

}  // namespace
}  // namespace weft::test
