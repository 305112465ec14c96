// SPDX-License-Identifier: Apache-2.0
#include "weft/core/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

#include "core/host_read.h"
#include "core/tensor_alloc.h"
#include "tests/support/expect_error.h"
#include "weft/core/context.h"
#include "weft/core/memory.h"

namespace weft {
namespace {

TEST(Tensor, IsMadeFromLiterals) {
  EXPECT_EQ(describe(Tensor::of(3)), "f32[]");
  EXPECT_EQ(describe(Tensor::of({1, 2, 3})), "f32[3]");
  const Tensor matrix = Tensor::of({{1, 2}, {3, 4}, {5, 6}});
  EXPECT_EQ(describe(matrix), "f32[3,2]");
  EXPECT_EQ(matrix.to_vector(), (std::vector<double>{1, 2, 3, 4, 5, 6}));
  for (const DType dtype : kAllDTypes) {
    const Tensor x = Tensor::of({0, 1}, {.dtype = dtype});
    EXPECT_EQ(x.dtype(), dtype);
    EXPECT_EQ(x.to_vector(), (std::vector<double>{0, 1}));
  }
}

TEST(Tensor, RefusesLiteralsThatDoNotFit) {
  EXPECT_WEFT_ERROR(Tensor::of({{1, 2}, {3}}), shape,
                    "Tensor::of: row 1 has 1 values but row 0 has 2");
  EXPECT_WEFT_ERROR(Tensor::of({1, 256}, {.dtype = DType::u8}), value,
                    "Tensor::of: value 256 at position 1 does not fit dtype u8");
  EXPECT_WEFT_ERROR(Tensor::of({0.5}, {.dtype = DType::i64}), value, "value 0.5 at position 0");
  EXPECT_WEFT_ERROR(Tensor::of({std::nan("")}, {.dtype = DType::i32}), value, "value nan");
  EXPECT_WEFT_ERROR(Tensor::of({0x1p63}, {.dtype = DType::i64}), value, "does not fit dtype i64");
  EXPECT_EQ(Tensor::of({-0x1p63}, {.dtype = DType::i64}).item(), -0x1p63);
}

TEST(Tensor, FollowsTheContextsDefaults) {
  Settings settings;
  settings.dtype = DType::f64;
  const ContextScope scope(settings);
  EXPECT_EQ(empty({2}).dtype(), DType::f64);
  EXPECT_EQ(Tensor::of(1).dtype(), DType::f64);
  EXPECT_EQ(empty({2}, {.dtype = DType::f16}).dtype(), DType::f16);
}

TEST(Tensor, CopiesValues) {
  std::vector<std::int32_t> values = {1, 2, 3, 4};
  const Tensor x = Tensor::from(values, {2, 2});
  values[0] = 9;
  EXPECT_EQ(x.data<std::int32_t>()[0], 1);
  EXPECT_EQ(x.shape(-1), 2);
  EXPECT_WEFT_ERROR(Tensor::from(values, {3}), shape,
                    "Tensor::from: 4 values are given but shape [3] needs 3");
  EXPECT_WEFT_ERROR(x.shape(2), index, "shape: dim is 2");
}

TEST(Tensor, KnowsItsLengthShapeElementsAndBytes) {
  const Tensor x = empty({2, 3, 4}, {.dtype = DType::f16});
  EXPECT_EQ(x.shape(), Shape({2, 3, 4}));
  EXPECT_EQ(x.shape(0), 2);
  EXPECT_EQ(x.shape(-1), 4);
  EXPECT_EQ(x.rank(), 3);
  EXPECT_EQ(x.numel(), 24);
  EXPECT_EQ(x.nbytes(), 48u);
  EXPECT_EQ(x.device(), Device());
}

TEST(Tensor, DataAsksForTheRightType) {
  Tensor x = Tensor::of({1, 2});
  EXPECT_WEFT_ERROR(x.data<double>(), dtype,
                    "data: elements are read as f64 but the tensor is f32[2]");
  EXPECT_WEFT_ERROR(x.mutable_data<std::int64_t>(), dtype, "read as i64");
}

TEST(Tensor, WritingBumpsTheVersionThatViewsShare) {
  Tensor x = Tensor::of({{1, 2}, {3, 4}});
  const Tensor row = view_rows(x, 1, 2);
  EXPECT_EQ(row.version(), x.version());
  const std::uint32_t before = x.version();
  x.mutable_data<float>()[2] = 7;
  EXPECT_EQ(row.version(), before + 1);
  EXPECT_EQ(row.to_vector(), (std::vector<double>{7, 4}));
}

TEST(Tensor, ViewsShareBytes) {
  const Tensor x = Tensor::of({{1, 2, 3}, {4, 5, 6}});
  const Tensor flat = view_as(x, {6});
  EXPECT_EQ(flat.data<float>().data(), x.data<float>().data());
  EXPECT_EQ(view_rows(x, 2, 2).shape(), Shape({0, 3}));
  EXPECT_EQ(x.detach().impl()->storage, x.impl()->storage);
  EXPECT_FALSE(x.detach().same_as(x));
  EXPECT_WEFT_ERROR(view_as(x, {4}), shape,
                    "view_as: f32[2,3] has 6 elements but shape [4] needs 4");
  EXPECT_WEFT_ERROR(view_rows(x, 1, 3), index,
                    "slice: rows [1, 3) are wanted of f32[2,3], need 0 <= begin <= end <= 2");
  EXPECT_WEFT_ERROR(view_rows(x, 1, 0), index, "rows [1, 0)");
  EXPECT_WEFT_ERROR(view_rows(x, -1, 1), index, "rows [-1, 1)");
  EXPECT_WEFT_ERROR(view_rows(Tensor::of(1), 0, 1), shape, "is a scalar and has no rows");
}

TEST(Tensor, ItemNeedsOneElement) {
  EXPECT_EQ(Tensor::of(2.5).item(), 2.5);
  EXPECT_EQ(Tensor::of({7}).item<int>(), 7);
  EXPECT_WEFT_ERROR(Tensor::of({1, 2}).item(), shape,
                    "item: the tensor is f32[2], needs exactly one element");
  EXPECT_WEFT_ERROR(empty({0}).item(), shape, "needs exactly one element");
}

TEST(Tensor, HoldsZeroElements) {
  const Tensor x = empty({0, 3});
  EXPECT_EQ(x.nbytes(), 0u);
  EXPECT_TRUE(x.to_vector().empty());
  EXPECT_EQ(Tensor::from(std::vector<float>{}, {0}).numel(), 0);
}

TEST(Tensor, RefusesSizesThatOverflow) {
  EXPECT_WEFT_ERROR(empty({std::int64_t{1} << 61}, {.dtype = DType::f64}), value,
                    "tensor: 2305843009213693952 * 8 is too large for 63 bits");
}

TEST(Tensor, DataStartsOnACacheLine) {
  for (const std::int64_t count : {1, 3, 100, 5000, 8000, 9000, 100000}) {
    const Tensor x = empty({count});
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(x.impl()->data) % 64, 0u) << count;
    EXPECT_EQ(x.impl()->storage->bytes, x.nbytes());
  }
}

TEST(Tensor, OnlyFloatsWantGradients) {
  EXPECT_TRUE(empty({2}, {.requires_grad = true}).requires_grad());
  EXPECT_TRUE(Tensor::of(1, {.requires_grad = true}).is_leaf());
  EXPECT_WEFT_ERROR(empty({2}, {.dtype = DType::i64, .requires_grad = true}), dtype,
                    "empty: requires_grad is given for i64[2], needs a floating dtype");
}

// Whichever of tensor and view goes last, the block goes with it, once.
TEST(TensorLifetime, BlockOutlivesTensorOrViewWhicheverIsLast) {
  for (const std::int64_t count : {4, 100000}) {
    const std::size_t before = memory::live_bytes();
    {
      Tensor x = empty({count});
      x.mutable_data<float>()[0] = 5;
      Tensor view = view_as(x, {1, count});
      x = {};
      Tensor other = empty({count});
      other.mutable_data<float>()[0] = 6;
      EXPECT_EQ(view.data<float>()[0], 5);
      Tensor y = view_as(view, {count});
      view = {};
      EXPECT_EQ(y.data<float>()[0], 5);
    }
    EXPECT_EQ(memory::live_bytes(), before);
  }
}

TEST(TensorLifetime, AReboundTensorKeepsItsPlace) {
  const std::size_t before = memory::live_bytes();
  {
    Tensor x = Tensor::of({1, 2});
    const Tensor view = view_as(x, {2, 1});
    const std::uint32_t version = x.version();
    const Tensor source = Tensor::of({3, 4});
    for (int i = 0; i < 2; ++i) {
      rebind(*x.impl(), StorageRef::share(source.impl()->storage), source.impl()->data);
    }
    EXPECT_GT(x.version(), version);
    EXPECT_EQ(x.to_vector(), (std::vector<double>{3, 4}));
    EXPECT_EQ(view.to_vector(), (std::vector<double>{1, 2}));
    StorageRef fresh = make_storage(8, Device());
    std::byte* data = fresh->data;
    rebind(*x.impl(), std::move(fresh), data);
    EXPECT_EQ(x.impl()->data, data);
  }
  EXPECT_EQ(memory::live_bytes(), before);
}

class Traced : public RefCounted {
 public:
  explicit Traced(int& deaths) : deaths_(deaths) {}

 private:
  ~Traced() override { ++deaths_; }
  int& deaths_;
};

TEST(TensorLifetime, NodeAndLeafGoWithTheTensor) {
  int deaths = 0;
  {
    const Tensor x = empty({2});
    x.impl()->node = new Traced(deaths);
    x.impl()->leaf = new Traced(deaths);
    const Tensor copy = x;
  }
  EXPECT_EQ(deaths, 2);
}

int host_reads = 0;

TEST(Tensor, ReadsByTheHostAreReportedWhileAStepIsRecorded) {
  const Tensor x = Tensor::of({1, 2});
  host_reads = 0;
  set_host_read_hook([](const Tensor&) { ++host_reads; });
  x.to_vector();
  EXPECT_EQ(host_reads, 0);
  // Never followed: only its presence counts below the op layer.
  thread_state.recorder = reinterpret_cast<StepRecorder*>(&host_reads);
  x.to_vector();
  x.data<float>();
  view_rows(x, 0, 1).item();
  thread_state.recorder = nullptr;
  set_host_read_hook(nullptr);
  EXPECT_EQ(host_reads, 3);
}

TEST(TensorPrint, ShowsNestedRowsWithFourDigits) {
  EXPECT_EQ(to_string(Tensor::of(3)), "3 f32[]");
  EXPECT_EQ(to_string(Tensor::of({1, -2, 30})), "[ 1, -2, 30] f32[3]");
  EXPECT_EQ(to_string(Tensor::of({{0.5, 1}, {2, -3.14159}})),
            "[[ 0.500,  1.000],\n [ 2.000, -3.142]] f32[2,2]");
  EXPECT_EQ(to_string(Tensor::of({123.456, 0.5})), "[123.5,   0.5] f32[2]");
  EXPECT_EQ(to_string(Tensor::of({1e-7, 1.5})), "[1.000e-07, 1.500e+00] f32[2]");
  EXPECT_EQ(to_string(Tensor::of({1, 0}, {.dtype = DType::boolean})), "[true, false] bool[2]");
  EXPECT_EQ(to_string(Tensor::of({HUGE_VAL, -HUGE_VAL, std::nan("")})),
            "[ inf, -inf,  nan] f32[3]");
  EXPECT_EQ(to_string(Tensor::of({123456789}, {.dtype = DType::i64})), "[123456789] i64[1]");
}

TEST(TensorPrint, SeparatesOuterDimensionsByBlankLines) {
  const Tensor x = Tensor::from(std::vector<float>{1, 2, 3, 4}, {2, 1, 2});
  EXPECT_EQ(to_string(x), "[[[1, 2]],\n\n [[3, 4]]] f32[2,1,2]");
}

TEST(TensorPrint, ElidesTheMiddleOfLongDimensions) {
  std::vector<float> values(2000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  EXPECT_EQ(to_string(Tensor::from(values, {2000})),
            "[   0,    1,    2, ..., 1997, 1998, 1999] f32[2000]");
  EXPECT_EQ(to_string(Tensor::from(values, {2, 1000})),
            "[[   0,    1,    2, ...,  997,  998,  999],\n"
            " [1000, 1001, 1002, ..., 1997, 1998, 1999]] f32[2,1000]");
  values.resize(1000);
  EXPECT_EQ(to_string(Tensor::from(values, {1000})).find("..."), std::string::npos);
}

TEST(TensorPrint, ShowsEmptyAndUndefinedTensors) {
  EXPECT_EQ(to_string(empty({0})), "[] f32[0]");
  EXPECT_EQ(to_string(empty({2, 0})), "[[],\n []] f32[2,0]");
  EXPECT_EQ(to_string(Tensor()), "undefined tensor");
  EXPECT_EQ(describe(Tensor()), "undefined tensor");
  std::ostringstream out;
  out << Tensor::of({1, 2});
  EXPECT_EQ(out.str(), "[1, 2] f32[2]");
}

}  // namespace
}  // namespace weft
