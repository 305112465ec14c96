// SPDX-License-Identifier: Apache-2.0
#include "weft/core/backend.h"

#include <gtest/gtest.h>

#include "core/pool.h"
#include "tests/core/support/fake_backend.h"
#include "tests/support/expect_error.h"
#include "weft/core/memory.h"
#include "weft/core/tensor.h"

namespace weft {
namespace {

constexpr Device kFake(test::FakeBackend::kKind);

// Registered once for the whole program; backends are never removed.
test::FakeBackend& fake() {
  static auto* backend = [] {
    auto owned = std::make_unique<test::FakeBackend>();
    auto* raw = owned.get();
    add_backend(std::move(owned));
    return raw;
  }();
  return *backend;
}

TEST(Backend, TheCpuIsAlwaysThere) {
  EXPECT_TRUE(device_exists("cpu"));
  EXPECT_FALSE(device_exists("cpu:1"));
  ASSERT_FALSE(all_devices().empty());
  EXPECT_EQ(all_devices().front(), Device());
  const DeviceInfo info = backend_of("cpu").describe(0);
  EXPECT_FALSE(info.name.empty());
  EXPECT_GT(info.memory_bytes, std::size_t{1} << 20);
  EXPECT_GE(info.compute_units, 1);
  EXPECT_TRUE(backend_of("cpu").is_host());
  EXPECT_TRUE(absence_of(DeviceKind::cpu).empty());
}

TEST(Backend, AnAbsentDeviceSaysWhyAndWhatThereIs) {
  EXPECT_WEFT_ERROR(require_device("sim:0"), device,
                    "device sim:0 does not exist: no sim backend is loaded; available: cpu");
  set_absence(DeviceKind::cuda, "no NVIDIA driver found");
  EXPECT_WEFT_ERROR(backend_of("cuda:0"), device,
                    "device cuda:0 does not exist: no NVIDIA driver found; available: cpu");
  EXPECT_WEFT_ERROR(empty({2}, {.device = "cuda"}), device, "device cuda:0 does not exist");
  EXPECT_WEFT_ERROR(make_storage(8, "cuda"), device, "device cuda:0 does not exist");
  EXPECT_WEFT_ERROR(memory::report("cuda:1"), device, "device cuda:1 does not exist");
  EXPECT_WEFT_ERROR(require_device("cpu:1"), device,
                    "device cpu:1 does not exist: there is 1 cpu device; available: cpu");
  EXPECT_EQ(best_device(), Device());
}

TEST(Backend, IsRegisteredOnce) {
  fake();
  EXPECT_WEFT_ERROR(add_backend(std::make_unique<test::FakeBackend>()), state,
                    "add_backend: there is a backend for extern0 already");
  EXPECT_TRUE(device_exists(kFake));
  EXPECT_EQ(all_devices().back(), kFake);
}

TEST(Backend, CannotCaptureUnlessItSaysSo) {
  Backend& cpu = backend_of("cpu");
  EXPECT_FALSE(cpu.can_capture());
  EXPECT_WEFT_ERROR(cpu.begin_capture(cpu.default_stream(0)), unsupported,
                    "capture: the cpu backend cannot capture a stream");
}

TEST(Backend, CpuRunsAreAlignedForHugePages) {
  Backend& cpu = backend_of("cpu");
  for (const std::size_t bytes :
       {std::size_t{1}, std::size_t{5000}, std::size_t{2} << 20, (std::size_t{5} << 20) + 1}) {
    auto* data = static_cast<std::byte*>(cpu.allocate(0, bytes));
    ASSERT_NE(data, nullptr);
    const std::size_t alignment = bytes >= std::size_t{2} << 20 ? std::size_t{2} << 20 : 4096;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(data) % alignment, 0u);
    data[0] = data[bytes - 1] = std::byte{1};
    cpu.free(0, data, bytes);
  }
  EXPECT_EQ(cpu.allocate(0, std::size_t{1} << 60), nullptr);
}

TEST(Backend, ReadingADeviceTensorCopiesAndWaitsOnce) {
  fake();
  const Tensor x = Tensor::from(std::vector<float>{1, 2, 3}, {3}, kFake);
  EXPECT_EQ(describe(x), "f32[3] extern0:0");
  std::uint64_t before = host_waits();
  EXPECT_EQ(x.to_vector(), (std::vector<double>{1, 2, 3}));
  EXPECT_EQ(host_waits(), before + 1);
  before = host_waits();
  EXPECT_EQ(view_rows(x, 1, 2).item(), 2);
  EXPECT_EQ(host_waits(), before + 1);
  EXPECT_WEFT_ERROR(x.data<float>(), device,
                    "data: the tensor is f32[3] extern0:0, needs to be on the CPU; use "
                    ".to(Device(\"cpu\"))");
  EXPECT_NE(to_string(x).find("extern0:0"), std::string::npos);
}

TEST(Backend, WaitingForTheCpuIsNoWait) {
  const std::uint64_t before = host_waits();
  synchronize("cpu");
  Tensor::of(1).item();
  EXPECT_EQ(host_waits(), before);
}

TEST(PrivatePool, KeepsItsMemoryToItself) {
  fake();
  memory::trim(kFake);
  std::byte* inside = nullptr;
  {
    PrivatePool capture(kFake);
    {
      const PrivatePool::Scope scope(capture);
      inside = empty({1000}, {.device = kFake}).impl()->data;
      EXPECT_GT(capture.bytes(), 0u);
      EXPECT_EQ(empty({1000}, {.device = kFake}).impl()->data, inside);
    }
    const std::size_t held = capture.bytes();
    EXPECT_NE(empty({1000}, {.device = kFake}).impl()->data, inside);
    memory::trim(kFake);
    EXPECT_EQ(capture.bytes(), held);
    const PrivatePool::Scope again(capture);
    EXPECT_EQ(empty({1000}, {.device = kFake}).impl()->data, inside);
  }
  EXPECT_EQ(empty({1000}, {.device = kFake}).impl()->data, inside);
  memory::trim(kFake);
  EXPECT_EQ(fake().used(), 0u);
}

TEST(PrivatePool, ItsTensorsMayOutliveIt) {
  fake();
  Tensor survivor;
  {
    PrivatePool capture(kFake);
    const PrivatePool::Scope scope(capture);
    survivor = empty({1 << 20}, {.device = kFake});
  }
  EXPECT_GE(memory::live_bytes(kFake), std::size_t{4} << 20);
  survivor = {};
  memory::trim(kFake);
  EXPECT_EQ(fake().used(), 0u);
}

TEST(PrivatePool, HoldsSmallCpuTensorsToo) {
  PrivatePool capture{Device()};
  const PrivatePool::Scope scope(capture);
  const Tensor x = empty({4});
  EXPECT_EQ(x.impl()->storage->kind, Storage::Kind::pool);
  EXPECT_GT(capture.bytes(), 0u);
}

TEST(PrivatePool, LeavesOtherDevicesAlone) {
  fake();
  PrivatePool capture(kFake);
  const PrivatePool::Scope scope(capture);
  empty({100000});
  EXPECT_EQ(capture.bytes(), 0u);
}

}  // namespace
}  // namespace weft
