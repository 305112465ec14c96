// SPDX-License-Identifier: Apache-2.0
#include "io/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using weft::io::first_invalid_utf8;

bool valid(std::string_view text) { return first_invalid_utf8(text) == text.size(); }

// Table 3-7 of the Unicode standard: the first and last sequence of every row, and their
// neighbours.
TEST(Utf8, TakesEveryWellFormedRange) {
  for (const std::string_view text :
       {"\x01", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xe0\xbf\xbf", "\xe1\x80\x80",
        "\xec\xbf\xbf", "\xed\x80\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf",
        "\xf0\x90\x80\x80", "\xf3\xbf\xbf\xbf", "\xf4\x80\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(valid(text));
    EXPECT_TRUE(valid("1234567" + std::string(text) + "12345678"));
  }
}

TEST(Utf8, RefusesOverlongSurrogateTooLargeAndCutSequences) {
  for (const std::string_view text :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf",
        "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xc2", "\xe1\x80",
        "\xf1\x80\x80", "\xc2\x41", "\xe1\x80\x41"}) {
    EXPECT_FALSE(valid(text));
  }
}

TEST(Utf8, NulIsRefusedWherever) {
  for (std::size_t at = 0; at < 20; ++at) {
    std::string text(20, 'x');
    text[at] = '\0';
    EXPECT_EQ(first_invalid_utf8(text), at);
  }
}

}  // namespace
