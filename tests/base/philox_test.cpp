// SPDX-License-Identifier: Apache-2.0
#include "weft/base/philox.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace weft {
namespace {

std::vector<std::uint32_t> words(const PhiloxWords& x) { return {x.w[0], x.w[1], x.w[2], x.w[3]}; }

// Random123 1.09, tests/kat_vectors, the three rows `philox4x32 10`.
TEST(Philox, GivesTheKnownAnswersOfRandom123) {
  EXPECT_EQ(words(philox({{0, 0, 0, 0}}, 0)),
            (std::vector<std::uint32_t>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(words(philox({{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}}, ~std::uint64_t{0})),
            (std::vector<std::uint32_t>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(words(philox({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0x299f31d0a4093822)),
            (std::vector<std::uint32_t>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// Each bit of stream, draw (48) and group (48) must reach the counter, or two draws would coincide.
TEST(Philox, GroupsDifferInEveryAddressBit) {
  std::set<std::vector<std::uint32_t>> seen;
  seen.insert(words(philox_group(7, 0, 0, 0)));
  for (int bit = 0; bit < 32; ++bit) seen.insert(words(philox_group(7, 1u << bit, 0, 0)));
  for (int bit = 0; bit < 48; ++bit) {
    seen.insert(words(philox_group(7, 0, std::uint64_t{1} << bit, 0)));
    seen.insert(words(philox_group(7, 0, 0, std::uint64_t{1} << bit)));
  }
  EXPECT_EQ(seen.size(), 1u + 32 + 2 * 48);
}

TEST(Philox, UnitFloatsLieInZeroToOne) {
  EXPECT_EQ(unit_float(0), 0.0f);
  EXPECT_EQ(unit_float(0xffu), 0.0f);
  EXPECT_EQ(unit_float(0xffffffffu), 1.0f - 0x1p-24f);
  EXPECT_EQ(unit_float(0x80000000u), 0.5f);
}

// Fowler-Noll-Vo reference vectors, 32-bit FNV-1a.
TEST(Philox, StreamIdsAreFnv1a) {
  static_assert(stream_id("") == 0x811c9dc5u);
  static_assert(stream_id("a") == 0xe40c292cu);
  static_assert(stream_id("foobar") == 0xbf9cf968u);
}

}  // namespace
}  // namespace weft
