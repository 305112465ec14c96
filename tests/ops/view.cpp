// SPDX-License-Identifier: Apache-2.0
#include "tests/ops/support/op_row.h"

namespace weft::test {
namespace {

// The values of x, in order, as a tensor of another shape.
Tensor with_shape(const Tensor& x, const Shape& shape) {
  return Tensor::from(x.to_vector(), shape);
}

Sample reshape_sample(const char* name, Shape from, Dims to, Shape result) {
  return {name,
          {{.shape = from}},
          [to](In x) { return std::vector<Tensor>{x[0].reshape(to)}; },
          [result](In x) { return std::vector<Tensor>{with_shape(x[0], result)}; }};
}

Sample slice_sample(const char* name, Shape from, std::int64_t begin, std::int64_t end) {
  return {name,
          {{.shape = from}},
          [=](In x) { return std::vector<Tensor>{x[0].slice(begin, end)}; },
          [=](In x) {
            const std::vector<double> all = x[0].to_vector();
            const std::int64_t row = x[0].shape().numel(1, x[0].rank());
            const std::vector<double> kept(all.begin() + begin * row, all.begin() + end * row);
            return std::vector<Tensor>{Tensor::from(kept, x[0].shape().with(0, end - begin))};
          }};
}

const OpRows rows{
    OpRow{
        .op = "reshape",
        .samples = {reshape_sample("flatten", {2, 3}, {6}, {6}),
                    reshape_sample("batch 1", {1, 5}, {5, 1}, {5, 1}),
                    reshape_sample("inferred extent", {4, 6}, {3, -1}, {3, 8}),
                    reshape_sample("to scalar", {1, 1}, {}, {}),
                    reshape_sample("from scalar", {}, {1, 1, 1}, {1, 1, 1}),
                    reshape_sample("zero size", {0, 3}, {3, 0}, {3, 0}),
                    reshape_sample("odd extents", {7, 3, 5}, {15, 7}, {15, 7}),
                    reshape_sample("same shape", {2, 2}, {2, 2}, {2, 2})},
        .errors = {{"count differs", [] { empty({2, 3}).reshape({4}); }, ErrorKind::shape,
                    "reshape: x is f32[2,3] with 6 elements and cannot become [4]"},
                   {"two open extents", [] { empty({4}).reshape({-1, -1}); }, ErrorKind::shape,
                    "reshape: to [-1,-1]: extents must be >= 0, and one may be -1"},
                   {"does not divide", [] { empty({5}).reshape({2, -1}); }, ErrorKind::shape,
                    "reshape: x is f32[5] with 5 elements and cannot become [2,-1]"}},
    },
    OpRow{
        .op = "slice_rows",
        .samples = {slice_sample("middle", {5, 3}, 1, 4), slice_sample("first", {4}, 0, 1),
                    slice_sample("last", {4, 2}, 3, 4), slice_sample("all", {3, 3}, 0, 3),
                    slice_sample("none", {3, 3}, 2, 2), slice_sample("batch 1", {1, 7}, 0, 1),
                    slice_sample("zero rows", {0, 2}, 0, 0),
                    slice_sample("images", {4, 3, 5, 2}, 1, 3)},
        .errors =
            {{"beyond the end", [] { empty({3, 2}).slice(1, 4); }, ErrorKind::index,
              "slice_rows: x is f32[3,2] but rows [1, 4) are asked for; they must lie within [0, "
              "3)"},
             {"reversed", [] { empty({3}).slice(2, 1); }, ErrorKind::index,
              "slice_rows: x is f32[3] but rows [2, 1) are asked for; they must lie within [0, 3)"},
             {"scalar", [] { empty({}).slice(0, 0); }, ErrorKind::shape,
              "slice_rows: x is f32[] and has no rows to slice"}},
        .grad_ops = {"slice_rows_grad"},
    },
};

}  // namespace
}  // namespace weft::test
