// SPDX-License-Identifier: Apache-2.0
#include "weft/core/memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "core/op_namer.h"
#include "core/small_alloc.h"
#include "core/small_heap.h"
#include "core/thread_state.h"
#include "tests/support/expect_error.h"
#include "weft/core/context.h"
#include "weft/core/tensor.h"

namespace weft {
namespace {

TEST(SmallAlloc, SizesCoverEveryRequestWithLittleWaste) {
  for (std::size_t payload = 0; payload <= kSmallMaxPayload; ++payload) {
    const std::size_t size = kSmallSizes[small_class(payload)];
    ASSERT_GE(size, payload + kSmallHeaderBytes);
    ASSERT_LE(size - (payload + kSmallHeaderBytes), std::max<std::size_t>(63, size / 4)) << payload;
    ASSERT_EQ(size % 64, 0u);
  }
}

TEST(SmallAlloc, ReusesTheLastBlock) {
  void* first = small_alloc(100, 0);
  small_free(first);
  void* second = small_alloc(90, 0);
  EXPECT_EQ(first, second);
  small_free(second);
}

TEST(SmallAlloc, BlocksDoNotOverlap) {
  std::mt19937 random(5);
  std::vector<std::pair<std::byte*, std::size_t>> blocks;
  for (int i = 0; i < 3000; ++i) {
    const std::size_t bytes = random() % kSmallMaxPayload % (std::size_t{1} << (random() % 16)) + 1;
    auto* data = static_cast<std::byte*>(small_alloc(bytes, 0));
    std::fill_n(data, bytes, static_cast<std::byte>(i));
    blocks.emplace_back(data, bytes);
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const auto [data, bytes] = blocks[i];
    EXPECT_EQ(static_cast<std::size_t>(std::count(data, data + bytes, static_cast<std::byte>(i))),
              bytes);
    small_free(data);
  }
}

TEST(SmallAlloc, AThreadKeepsAtMostOneMebibyte) {
  const std::size_t before = memory::live_bytes();
  std::vector<void*> blocks;
  for (int i = 0; i < 400; ++i) blocks.push_back(small_alloc(kSmallMaxPayload, 0));
  for (void* block : blocks) {
    small_free(block);
    EXPECT_LE(thread_state.cache.held.load(), kThreadCacheLimit);
  }
  EXPECT_EQ(memory::live_bytes(), before);
}

TEST(SmallAlloc, AThreadReturnsItsBlocksWhenItEnds) {
  memory::trim();
  const memory::Report before = memory::report();
  std::thread([] {
    std::vector<Tensor> tensors;
    for (int i = 0; i < 2000; ++i) tensors.push_back(empty({100}));
  }).join();
  EXPECT_EQ(memory::live_bytes(), before.live);
  memory::trim();
  const memory::Report after = memory::report();
  EXPECT_EQ(after.live + after.cached, before.live + before.cached);
  EXPECT_GE(after.allocations, before.allocations + 2000);
}

TEST(SmallAlloc, ABlockMayBeFreedOnAnotherThread) {
  const std::size_t before = memory::live_bytes();
  for (int round = 0; round < 3; ++round) {
    std::vector<Tensor> tensors;
    for (int i = 0; i < 500; ++i) tensors.push_back(empty({i}));
    std::thread([moved = std::move(tensors)]() mutable {
      moved.clear();
      const Tensor own = empty({3});
    }).join();
    EXPECT_EQ(memory::live_bytes(), before);
  }
}

struct FreesLate {
  Tensor tensor;
  ~FreesLate() { tensor = empty({20}); }
};

// Destroyed after the library's own thread-exit hook, which was registered later.
TEST(SmallAlloc, TensorsMayDieAfterTheThreadsCache) {
  const std::size_t before = memory::live_bytes();
  std::thread([] {
    thread_local FreesLate late;
    late.tensor = empty({10});
  }).join();
  EXPECT_EQ(memory::live_bytes(), before);
}

TEST(SmallAlloc, ThreadsShareTheCentralLists) {
  const std::size_t before = memory::live_bytes();
  std::mutex mutex;
  std::vector<Tensor> exchange;
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      for (int i = 0; i < 3000; ++i) {
        Tensor fresh = empty({static_cast<std::int64_t>(random() % 12000)});
        fresh.impl()->storage->data[0] = static_cast<std::byte>(t);
        const std::scoped_lock lock(mutex);
        if (exchange.size() < 32)
          exchange.push_back(std::move(fresh));
        else
          exchange[random() % 32] = std::move(fresh);
        if (i % 500 == 0) memory::report();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  exchange.clear();
  EXPECT_EQ(memory::live_bytes(), before);
}

#ifdef WEFT_ASAN
TEST(SmallAllocDeathTest, TheSanitizerSeesUseAfterFreeAndOverruns) {
  auto* small = static_cast<volatile char*>(small_alloc(100, 0));
  EXPECT_DEATH(small[100] = 1, "use-after-poison");
  small_free(const_cast<char*>(small));
  EXPECT_DEATH(small[50] = 1, "use-after-poison");
  const StorageRef large = make_storage(100000, Device());
  volatile std::byte* data = large->data;
  EXPECT_DEATH(data[100000] = std::byte{1}, "use-after-poison");
}
#endif

std::size_t bytes_of(const memory::Report& report, const std::string& owner) {
  for (const memory::OwnerBytes& entry : report.owners) {
    if (entry.owner == owner) return entry.bytes;
  }
  return 0;
}

TEST(Memory, NamesWhoHoldsIt) {
  set_op_namer([](std::uint16_t op) { return op == 3 ? std::string("linear") : std::string("?"); });
  const ModuleScope scope(intern_path("memory_test.fc1"));
  thread_state.op = 3;
  const Tensor small = empty({10});
  const Tensor large = empty({1 << 20});
  thread_state.op = 0;
  const Tensor unnamed = empty({1 << 19});
  const memory::Report report = memory::report();
  EXPECT_GE(bytes_of(report, "memory_test.fc1/linear"), std::size_t{4} << 20);
  EXPECT_LE(bytes_of(report, "memory_test.fc1/linear"), (std::size_t{4} << 20) + 4096);
  EXPECT_GE(bytes_of(report, "memory_test.fc1"), std::size_t{2} << 20);
  EXPECT_TRUE(std::is_sorted(report.owners.begin(), report.owners.end(),
                             [](auto& a, auto& b) { return a.bytes > b.bytes; }));
  std::size_t total = 0;
  for (const auto& owner : report.owners) total += owner.bytes;
  EXPECT_EQ(total, report.live);
  EXPECT_EQ(memory::owner_text(3), "linear");
  EXPECT_EQ(memory::owner_text(0), "(no op)");
  set_op_namer(nullptr);
}

TEST(Memory, TheBudgetCoversSmallBlocks) {
  memory::trim();
  const memory::Report before = memory::report();
  const std::size_t budget = before.live + before.cached + (std::size_t{4} << 20);
  memory::set_budget({}, budget);
  std::vector<Tensor> tensors;
  bool refused = false;
  for (int i = 0; i < 10000 && !refused; ++i) {
    try {
      tensors.push_back(empty({1000}));
    } catch (const Error& error) {
      refused = true;
      EXPECT_EQ(error.kind(), ErrorKind::memory);
    }
  }
  const memory::Report full = memory::report();
  EXPECT_LE(full.live + full.cached, budget);
  tensors.clear();
  const Tensor after = empty({1000});
  memory::set_budget({}, 0);
  EXPECT_TRUE(refused);
}

TEST(Memory, AnImpossibleRequestIsRefusedAndNothingIsLost) {
  const Tensor kept = Tensor::of({1, 2});
  const std::size_t before = memory::live_bytes();
  EXPECT_WEFT_ERROR(empty({std::int64_t{1} << 50}), memory, "cpu: out of memory: wanted 4.00 PiB");
  EXPECT_EQ(memory::live_bytes(), before);
  EXPECT_EQ(kept.to_vector(), (std::vector<double>{1, 2}));
  EXPECT_EQ(empty({100000}).numel(), 100000);
}

void make_and_mix_tensors() {
  const Tensor a = empty({10});
  Tensor b = empty({20000});
  const Tensor view = view_rows(b, 5, 10);
  b = empty({300, 300});
  const StorageRef arena = make_storage(1 << 20, Device());
  const StorageRef part = slice_storage(arena, 4096, 4096);
  const Tensor over = Tensor::over(part, 0, {1024}, DType::f32);
  const Tensor row = view_as(over, {1, 1024});
}

// SQLite's way: fail the 1st, the 2nd, ... allocation until the scenario gets through.
TEST(Memory, EveryAllocationMayFailWithoutLeaking) {
  make_and_mix_tensors();
  const std::size_t before = memory::live_bytes();
  int failures = 0;
  for (std::uint64_t nth = 1;; ++nth) {
    ASSERT_LT(nth, 100u);
    memory::fail_allocation({}, nth);
    bool failed = false;
    try {
      make_and_mix_tensors();
    } catch (const Error& error) {
      failed = true;
      EXPECT_EQ(error.kind(), ErrorKind::memory);
    }
    memory::fail_allocation({}, 0);
    EXPECT_EQ(memory::live_bytes(), before) << "failed allocation " << nth;
    if (!failed) break;
    ++failures;
  }
  EXPECT_GE(failures, 8);
}

TEST(Memory, PeakFollowsLargeTensors) {
  const std::size_t before = memory::live_bytes();
  memory::reset_peak();
  {
    const Tensor x = empty({1 << 22});
  }
  EXPECT_GE(memory::report().peak, before + (std::size_t{16} << 20));
  memory::reset_peak();
  EXPECT_LT(memory::report().peak, before + (std::size_t{16} << 20));
}

}  // namespace
}  // namespace weft
