// SPDX-License-Identifier: Apache-2.0
#include "core/pool.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <thread>

#include "tests/core/support/fake_backend.h"
#include "tests/support/expect_error.h"
#include "weft/core/context.h"

namespace weft {
namespace {

constexpr std::size_t kKiB = 1024;
constexpr std::size_t kMiB = 1024 * kKiB;

class PoolTest : public testing::Test {
 protected:
  PoolBlock* take(std::size_t bytes) { return pool.allocate(bytes, main, 0); }

  test::FakeBackend fake;
  Stream main = fake.default_stream(0);
  Pool pool{fake, Device(DeviceKind::extern0)};
};

TEST_F(PoolTest, GivesAFreedBlockBackAtOnce) {
  PoolBlock* first = take(100 * kKiB);
  std::byte* data = first->data;
  pool.free(first);
  PoolBlock* second = take(100 * kKiB);
  EXPECT_EQ(second->data, data);
  EXPECT_EQ(pool.report().system_allocations, 1u);
  pool.free(second);
}

TEST_F(PoolTest, RepeatedRequestsNeitherSplitNorMerge) {
  // Freed in this order, merging would make one block of the first two.
  PoolBlock* a = take(100 * kKiB);
  PoolBlock* b = take(200 * kKiB);
  PoolBlock* c = take(100 * kKiB);
  std::byte* places[] = {a->data, b->data, c->data};
  for (int step = 0; step < 3; ++step) {
    for (PoolBlock* block : {a, b, c}) pool.free(block);
    c = take(100 * kKiB);
    b = take(200 * kKiB);
    a = take(100 * kKiB);
    EXPECT_EQ(a->data, places[0]);
    EXPECT_EQ(b->data, places[1]);
    EXPECT_EQ(c->data, places[2]);
  }
  for (PoolBlock* block : {a, b, c}) pool.free(block);
}

// Resting blocks are found by a hash of their size; sizes that share a hash must not be mixed up.
TEST_F(PoolTest, GivesARestingBlockOnlyForItsExactSize) {
  std::vector<PoolBlock*> blocks;
  for (std::size_t k = 1; k <= 500; ++k) blocks.push_back(take(512 * k));
  for (PoolBlock* block : blocks) pool.free(block);
  for (std::size_t k = 1; k <= 500; ++k) {
    blocks[k - 1] = take(512 * k);
    EXPECT_EQ(blocks[k - 1]->bytes, 512 * k);
  }
  for (PoolBlock* block : blocks) pool.free(block);
}

TEST_F(PoolTest, SplitsASegmentAndMergesItAgain) {
  PoolBlock* a = take(300 * kKiB);
  PoolBlock* b = take(300 * kKiB);
  PoolBlock* c = take(300 * kKiB);
  EXPECT_EQ(b->data, a->data + 300 * kKiB);
  EXPECT_EQ(c->data, b->data + 300 * kKiB);
  EXPECT_EQ(fake.runs.size(), 1u);
  std::byte* start = a->data;
  // The middle one last: it must join both neighbours.
  pool.free(a);
  pool.free(c);
  pool.free(b);
  PoolBlock* whole = take(900 * kKiB);
  EXPECT_EQ(whole->data, start);
  EXPECT_EQ(fake.runs.size(), 1u);
  pool.free(whole);
}

TEST_F(PoolTest, TakesTheSmallestBlockThatFits) {
  PoolBlock* large = take(400 * kKiB);
  PoolBlock* wall = take(kKiB);
  PoolBlock* fitting = take(200 * kKiB);
  PoolBlock* wall2 = take(kKiB);
  std::byte* expected = fitting->data;
  pool.free(fitting);
  pool.free(large);
  PoolBlock* again = take(190 * kKiB);
  EXPECT_EQ(again->data, expected);
  for (PoolBlock* block : {wall, wall2, again}) pool.free(block);
}

TEST_F(PoolTest, TakesTheSmallestBlockOfOneBin) {
  PoolBlock* tight = take(200 * kKiB);
  PoolBlock* wall = take(kKiB);
  PoolBlock* loose = take(220 * kKiB);
  PoolBlock* wall2 = take(kKiB);
  std::byte* expected = tight->data;
  pool.free(tight);
  pool.free(loose);
  PoolBlock* again = take(198 * kKiB);
  EXPECT_EQ(again->data, expected);
  for (PoolBlock* block : {wall, wall2, again}) pool.free(block);
}

TEST_F(PoolTest, WastesAtMostOneGranule) {
  struct Case {
    std::size_t wanted, granule;
  };
  for (const auto& [wanted, granule] :
       {Case{1, 512}, Case{700 * kKiB + 3, 512}, Case{3 * kMiB + 1, 64 * kKiB},
        Case{9 * kMiB + 1, 2 * kMiB}, Case{64 * kMiB, 2 * kMiB}}) {
    PoolBlock* huge = take(100 * kMiB);
    pool.free(huge);
    PoolBlock* block = take(wanted);
    EXPECT_GE(block->bytes, wanted);
    EXPECT_LT(block->bytes - wanted, granule) << wanted;
    pool.free(block);
  }
}

TEST_F(PoolTest, KeepsSmallRequestsOutOfLargeSegments) {
  pool.free(take(64 * kMiB));
  PoolBlock* small = take(kKiB);
  PoolBlock* large = take(64 * kMiB);
  EXPECT_EQ(fake.runs.size(), 2u);
  pool.free(small);
  pool.free(large);
}

TEST_F(PoolTest, GivesMemoryBackAfterTrim) {
  PoolBlock* kept = take(64 * kMiB);
  pool.free(take(32 * kMiB));
  EXPECT_EQ(fake.used(), 96 * kMiB);
  EXPECT_EQ(pool.report().cached, 32 * kMiB);
  EXPECT_EQ(pool.trim(), 32 * kMiB);
  EXPECT_EQ(fake.used(), 64 * kMiB);
  pool.free(kept);
  pool.trim();
  EXPECT_EQ(fake.used(), 0u);
  EXPECT_EQ(pool.report().cached, 0u);
}

TEST_F(PoolTest, WaitsForQueuedWorkBeforeTrimming) {
  pool.free(take(kMiB));
  const int before = fake.waits;
  const std::uint64_t counted = host_waits();
  pool.trim();
  EXPECT_GT(fake.waits, before);
  EXPECT_GT(host_waits(), counted);
}

TEST_F(PoolTest, ReportsLiveCachedAndPeak) {
  PoolBlock* a = take(2 * kMiB);
  PoolBlock* b = take(kMiB);
  pool.free(a);
  memory::Report report = pool.report();
  EXPECT_EQ(report.live, kMiB);
  EXPECT_EQ(report.live + report.cached, fake.used());
  EXPECT_EQ(report.peak, 3 * kMiB);
  EXPECT_EQ(report.allocations, 2u);
  pool.reset_peak();
  EXPECT_EQ(pool.report().peak, kMiB);
  pool.free(b);
}

TEST_F(PoolTest, NamesOwnersLargestFirst) {
  const OwnerId fc1 = std::uint32_t{intern_path("pool_test.fc1")} << 16;
  const OwnerId fc2 = std::uint32_t{intern_path("pool_test.fc2")} << 16;
  PoolBlock* a = pool.allocate(kMiB, main, fc1);
  PoolBlock* b = pool.allocate(3 * kMiB, main, fc2);
  PoolBlock* c = pool.allocate(kMiB, main, fc1);
  const auto owners = pool.report().owners;
  ASSERT_EQ(owners.size(), 2u);
  EXPECT_EQ(owners[0].owner, "pool_test.fc2");
  EXPECT_EQ(owners[0].bytes, 3 * kMiB);
  EXPECT_EQ(owners[1].owner, "pool_test.fc1");
  EXPECT_EQ(owners[1].bytes, 2 * kMiB);
  EXPECT_EQ(owners[1].blocks, 2u);
  for (PoolBlock* block : {a, b, c}) pool.free(block);
  EXPECT_TRUE(pool.report().owners.empty());
}

TEST_F(PoolTest, StaysWithinItsBudget) {
  pool.set_budget(10 * kMiB);
  PoolBlock* a = pool.allocate(4 * kMiB, main, std::uint32_t{intern_path("pool_test.big")} << 16);
  EXPECT_LE(fake.used(), 10 * kMiB);
  EXPECT_WEFT_ERROR(
      take(7 * kMiB), memory,
      "extern0:0: out of memory: wanted 7.00 MiB, in use 4.00 MiB, cached 0 B, budget "
      "10.00 MiB; largest: pool_test.big 4.00 MiB; try a smaller batch");
  EXPECT_LE(fake.used(), 10 * kMiB);
  PoolBlock* b = take(5 * kMiB);
  EXPECT_LE(fake.used(), 10 * kMiB);
  pool.free(a);
  pool.free(b);
}

TEST_F(PoolTest, TrimsCachedMemoryToStayWithinItsBudget) {
  pool.set_budget(20 * kMiB);
  pool.free(take(12 * kMiB));
  PoolBlock* block = take(16 * kMiB);
  EXPECT_EQ(fake.used(), 16 * kMiB);
  pool.free(block);
}

TEST_F(PoolTest, ALowerBudgetTrimsAtOnce) {
  pool.free(take(64 * kMiB));
  pool.set_budget(kMiB);
  EXPECT_EQ(fake.used(), 0u);
  EXPECT_WEFT_ERROR(take(2 * kMiB), memory, "budget 1.00 MiB");
  pool.set_budget(0);
  pool.free(take(2 * kMiB));
}

TEST_F(PoolTest, TrimsAndRetriesWhenTheSystemRefuses) {
  fake.capacity = 24 * kMiB;
  pool.free(take(10 * kMiB));
  PoolBlock* block = take(20 * kMiB);
  EXPECT_EQ(fake.used(), 20 * kMiB);
  EXPECT_WEFT_ERROR(take(10 * kMiB), memory, "budget none");
  PoolBlock* after = take(kMiB);
  pool.free(block);
  pool.free(after);
}

TEST_F(PoolTest, FailsTheNthAllocationOnce) {
  pool.fail_allocation(2);
  PoolBlock* first = take(kKiB);
  EXPECT_WEFT_ERROR(take(kKiB), memory, "failure injected by memory::fail_allocation");
  PoolBlock* third = take(kKiB);
  pool.fail_allocation(1);
  pool.fail_allocation(0);
  PoolBlock* fourth = take(kKiB);
  for (PoolBlock* block : {first, third, fourth}) pool.free(block);
}

TEST_F(PoolTest, AnotherStreamGetsABlockOnlyAfterItsWorkIsDone) {
  const Stream side = fake.create_stream(0);
  PoolBlock* block = take(64 * kMiB);
  std::byte* data = block->data;
  pool.free(block);

  PoolBlock* early = pool.allocate(64 * kMiB, side, 0);
  EXPECT_NE(early->data, data);
  fake.finish(main);
  PoolBlock* late = pool.allocate(64 * kMiB, side, 0);
  EXPECT_EQ(late->data, data);
  pool.free(early);
  pool.free(late);
  EXPECT_EQ(fake.live_events, 0);
  EXPECT_EQ(fake.waits, 0);
}

TEST_F(PoolTest, TheSameStreamDoesNotWait) {
  const Stream side = fake.create_stream(0);
  PoolBlock* block = take(64 * kMiB);
  std::byte* data = block->data;
  pool.free(block);
  pool.free(pool.allocate(64 * kMiB, side, 0));  // leaves an event on the block
  EXPECT_EQ(fake.live_events, 1);
  PoolBlock* again = take(64 * kMiB);
  EXPECT_EQ(again->data, data);
  EXPECT_EQ(fake.live_events, 0);
  pool.free(again);
}

TEST_F(PoolTest, WaitsForOtherStreamsRatherThanFail) {
  const Stream side = fake.create_stream(0);
  pool.set_budget(30 * kMiB);
  pool.free(take(30 * kMiB));
  PoolBlock* a = take(14 * kMiB);
  PoolBlock* b = take(14 * kMiB);
  std::byte* data = b->data;
  pool.used_on(b, side);
  pool.free(b);
  PoolBlock* again = take(14 * kMiB);
  EXPECT_EQ(again->data, data);
  pool.free(a);
  pool.free(again);
}

TEST_F(PoolTest, ABlockUsedElsewhereRestsUntilThatStreamIsDone) {
  const Stream side = fake.create_stream(0);
  PoolBlock* block = take(64 * kMiB);
  std::byte* data = block->data;
  pool.used_on(block, side);
  pool.used_on(block, side);
  pool.used_on(block, main);
  pool.free(block);
  EXPECT_EQ(fake.live_events, 1);
  EXPECT_EQ(pool.report().live, 0u);

  PoolBlock* early = take(64 * kMiB);
  EXPECT_NE(early->data, data);
  fake.finish(side);
  PoolBlock* late = take(64 * kMiB);
  EXPECT_EQ(late->data, data);
  pool.free(early);
  pool.free(late);
  EXPECT_EQ(fake.live_events, 0);
}

TEST_F(PoolTest, ARetiredStreamLeavesItsMemoryToAnother) {
  const Stream side = fake.create_stream(0);
  PoolBlock* used = pool.allocate(20 * kMiB, side, 0);
  PoolBlock* cached = pool.allocate(64 * kMiB, side, 0);
  PoolBlock* visited = take(20 * kMiB);
  pool.used_on(visited, side);
  std::byte* data = cached->data;
  pool.free(cached);
  pool.retire_stream(side, main);
  pool.free(visited);
  EXPECT_EQ(fake.live_events, 0);
  PoolBlock* again = take(64 * kMiB);
  EXPECT_EQ(again->data, data);
  pool.free(again);
  std::byte* used_data = used->data;
  pool.free(used);
  PoolBlock* inherited = take(20 * kMiB);
  EXPECT_EQ(inherited->data, used_data);
  pool.free(inherited);
}

// Against a model: blocks never overlap, the account is right, everything comes back.
TEST_F(PoolTest, SurvivesRandomUse) {
  std::mt19937 random(3);
  const Stream side = fake.create_stream(0);
  std::vector<PoolBlock*> blocks;
  std::size_t live = 0;
  for (int i = 0; i < 5000; ++i) {
    if (blocks.empty() || (blocks.size() < 60 && random() % 5 < 3)) {
      const std::size_t bytes = random() % (std::size_t{1} << (random() % 25 + 1));
      PoolBlock* block =
          pool.allocate(bytes, random() % 4 == 0 ? side : main, static_cast<OwnerId>(random() % 7));
      ASSERT_GE(block->bytes, bytes);
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(block->data) % 64, 0u);
      live += block->bytes;
      blocks.push_back(block);
      if (random() % 16 == 0) pool.used_on(block, side);
    } else {
      const std::size_t at = random() % blocks.size();
      live -= blocks[at]->bytes;
      pool.free(blocks[at]);
      blocks[at] = blocks.back();
      blocks.pop_back();
    }
    if (random() % 64 == 0) fake.finish(side);
    if (random() % 512 == 0) pool.trim();
    ASSERT_EQ(pool.live_bytes(), live);
  }
  std::map<std::byte*, std::size_t> placed;
  for (const PoolBlock* block : blocks) placed[block->data] = block->bytes;
  std::byte* end = nullptr;
  for (const auto& [data, bytes] : placed) {
    ASSERT_LE(end, data);
    end = data + bytes;
  }
  ASSERT_EQ(placed.size(), blocks.size());
  for (PoolBlock* block : blocks) pool.free(block);
  pool.trim();
  EXPECT_EQ(fake.used(), 0u);
  EXPECT_EQ(fake.live_events, 0);
}

TEST_F(PoolTest, ServesSeveralThreads) {
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      std::vector<PoolBlock*> blocks;
      for (int i = 0; i < 2000; ++i) {
        if (blocks.size() < 8) {
          blocks.push_back(take(random() % (4 * kMiB)));
          *blocks.back()->data = static_cast<std::byte>(t);
        } else {
          EXPECT_EQ(*blocks.front()->data, static_cast<std::byte>(t));
          pool.free(blocks.front());
          blocks.erase(blocks.begin());
        }
      }
      for (PoolBlock* block : blocks) pool.free(block);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(pool.live_bytes(), 0u);
}

}  // namespace
}  // namespace weft
