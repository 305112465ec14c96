// SPDX-License-Identifier: Apache-2.0
#include "weft/core/storage.h"

#include <gtest/gtest.h>

#include <array>

#include "tests/support/expect_error.h"
#include "weft/core/memory.h"
#include "weft/core/tensor.h"

namespace weft {
namespace {

TEST(Storage, IsAlignedAndGoesBack) {
  const std::size_t before = memory::live_bytes();
  for (const std::size_t bytes : {0, 1, 64, 1000, 32000, 32768, 1 << 20}) {
    const StorageRef storage = make_storage(bytes, Device());
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(storage->data) % 64, 0u);
    EXPECT_EQ(storage->bytes, bytes);
    if (bytes > 0) storage->data[bytes - 1] = std::byte{1};
  }
  EXPECT_EQ(memory::live_bytes(), before);
}

TEST(Storage, ASliceKeepsItsParentAlive) {
  const std::size_t before = memory::live_bytes();
  StorageRef parent = make_storage(1000, Device());
  parent->data[65] = std::byte{7};
  {
    const StorageRef slice = slice_storage(parent, 64, 100);
    std::byte* data = parent->data;
    parent = {};
    EXPECT_EQ(slice->data, data + 64);
    EXPECT_EQ(slice->data[1], std::byte{7});
  }
  EXPECT_EQ(memory::live_bytes(), before);
}

TEST(Storage, ASliceCountsItsOwnWrites) {
  const StorageRef parent = make_storage(256, Device());
  const StorageRef slice = slice_storage(parent, 64, 64);
  Tensor x = Tensor::over(slice, 0, {16}, DType::f32);
  x.mutable_data<float>()[0] = 1;
  EXPECT_EQ(slice->version, 1u);
  EXPECT_EQ(parent->version, 0u);
}

TEST(Storage, ASliceLiesWithinItsParentAndOnACacheLine) {
  const StorageRef parent = make_storage(256, Device());
  EXPECT_WEFT_ERROR(slice_storage(parent, 192, 65), value,
                    "slice_storage: bytes [192, 192+65) do not lie within a storage of 256 bytes");
  EXPECT_WEFT_ERROR(slice_storage(parent, SIZE_MAX - 63, 128), value, "do not lie within");
  EXPECT_WEFT_ERROR(slice_storage(parent, 32, 64), value,
                    "slice_storage: offset is 32, must be a multiple of 64");
  EXPECT_EQ(slice_storage(parent, 256, 0)->bytes, 0u);
}

TEST(Storage, BorrowedMemoryIsReleasedOnceByTheLastUser) {
  std::array<float, 4> memory = {1, 2, 3, 4};
  int released = 0;
  {
    Tensor x = Tensor::over(
        borrow_storage(memory.data(), sizeof memory, Device(), 0, "array", [&] { ++released; }), 0,
        {4}, DType::f32);
    const Tensor tail = view_rows(x, 2, 4);
    x.mutable_data<float>()[3] = 9;
    x = {};
    EXPECT_EQ(released, 0);
    EXPECT_EQ(tail.to_vector(), (std::vector<double>{3, 9}));
  }
  EXPECT_EQ(released, 1);
  EXPECT_EQ(memory[3], 9);
}

TEST(Storage, ReadOnlyMemoryNamesItsOrigin) {
  std::array<float, 32> memory = {1};
  const StorageRef mapped = borrow_storage(memory.data(), sizeof memory, Device(),
                                           Storage::kReadOnly, "model.safetensors", {});
  Tensor x = Tensor::over(mapped, 0, {32}, DType::f32);
  EXPECT_EQ(x.data<float>()[0], 1);
  EXPECT_WEFT_ERROR(x.mutable_data<float>(), state,
                    "mutable_data: the target is read-only memory of model.safetensors, must be "
                    "writable; write to a clone() of it");
  const StorageRef slice = slice_storage(mapped, 64, 64);
  EXPECT_WEFT_ERROR(require_writable(*slice, "copy_"), state,
                    "copy_: the target is read-only memory of model.safetensors");
  EXPECT_EQ(x.version(), 0u);
}

TEST(Storage, TensorsOverItFitAndAreAligned) {
  const StorageRef storage = make_storage(64, Device());
  EXPECT_WEFT_ERROR(Tensor::over(storage, 8, {15}, DType::f32), value,
                    "Tensor::over: f32[15] from byte 8 needs 60 bytes but the storage has 64");
  EXPECT_WEFT_ERROR(
      Tensor::over(storage, 2, {1}, DType::f32), value,
      "Tensor::over: byte 2 of the storage is not aligned for f32, must be a multiple "
      "of 4");
  EXPECT_EQ(Tensor::over(storage, 60, {1}, DType::f32).numel(), 1);
  EXPECT_EQ(Tensor::over(storage, 64, {0}, DType::f32).numel(), 0);
}

}  // namespace
}  // namespace weft
