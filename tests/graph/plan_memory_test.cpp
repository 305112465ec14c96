// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "graph/step_recording.h"

namespace weft::test {
namespace {

Buffer life(std::size_t bytes, std::size_t first, std::size_t last) {
  Buffer buffer;
  buffer.bytes = bytes;
  buffer.first = first;
  buffer.last = last;
  return buffer;
}

TEST(PlanMemory, BuffersThatLiveTogetherNeverOverlap) {
  std::vector<Buffer> buffers;
  for (std::size_t i = 0; i < 200; ++i) {
    const std::size_t first = (i * 37) % 60;
    buffers.push_back(life(1 + (i * 7919) % 5000, first, first + (i * 13) % 20));
  }
  std::vector<std::size_t> offsets;
  const std::size_t total = plan_memory(buffers, offsets);
  for (std::size_t a = 0; a < buffers.size(); ++a) {
    EXPECT_EQ(offsets[a] % 64, 0u);
    EXPECT_LE(offsets[a] + buffers[a].bytes, total);
    for (std::size_t b = 0; b < a; ++b) {
      const bool together =
          buffers[a].first <= buffers[b].last && buffers[b].first <= buffers[a].last;
      const bool overlap =
          offsets[a] < offsets[b] + buffers[b].bytes && offsets[b] < offsets[a] + buffers[a].bytes;
      EXPECT_FALSE(together && overlap) << a << " and " << b;
    }
  }
}

TEST(PlanMemory, ReusesWhatIsNoLongerNeeded) {
  std::vector<Buffer> chain;
  for (std::size_t i = 0; i < 50; ++i) chain.push_back(life(1024, i, i + 1));
  std::vector<std::size_t> offsets;
  EXPECT_EQ(plan_memory(chain, offsets), 2048u);
}

TEST(PlanMemory, LeavesOutsideAndInputBuffersAlone) {
  std::vector<Buffer> buffers = {life(4096, 0, 9), life(4096, 0, 9)};
  buffers[0].kind = Buffer::Kind::outside;
  buffers[1].kind = Buffer::Kind::input;
  std::vector<std::size_t> offsets;
  EXPECT_EQ(plan_memory(buffers, offsets), 0u);
}

}  // namespace
}  // namespace weft::test
