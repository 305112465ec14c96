// SPDX-License-Identifier: Apache-2.0
#include "weft/base/text.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>

#include "weft/base/dtype.h"

namespace weft {
namespace {

TEST(Text, PrintsNumbersShort) {
  EXPECT_EQ(cat(0.1), "0.1");
  EXPECT_EQ(cat(0.1f), "0.1");
  EXPECT_EQ(cat(100000.0), "100000");
  EXPECT_EQ(cat(1e6f), "1000000");
  EXPECT_EQ(cat(-0.0), "-0");
  EXPECT_EQ(cat(1e20), "1e+20");
  EXPECT_EQ(cat(1e-5), "1e-05");
  EXPECT_EQ(cat(3e-4f), "0.0003");
  EXPECT_EQ(cat(1e-4, " ", 1e-4f), "0.0001 0.0001");
  EXPECT_EQ(cat(12345678.9), "12345678.9");
  EXPECT_EQ(cat(HUGE_VAL, " ", -HUGE_VALF), "inf -inf");
  EXPECT_EQ(cat(-std::nan("")), "nan");
  EXPECT_EQ(cat(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(cat(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
}

TEST(Text, FloatsReadBackExactly) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    const auto value = std::bit_cast<double>(random());
    const auto single = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    if (!std::isfinite(value) || !std::isfinite(single)) continue;
    EXPECT_EQ(std::strtod(cat(value).c_str(), nullptr), value);
    // Through double: a shortest float is unique among floats, so rounding twice gives it back.
    EXPECT_EQ(static_cast<float>(std::strtod(cat(single).c_str(), nullptr)), single);
  }
}

TEST(Text, JoinsDifferentThings) {
  EXPECT_EQ(cat("x=", 3, ", ", true, ' ', std::string("s"), ' ', DType::bf16), "x=3, true s bf16");
  EXPECT_EQ(cat(std::uint8_t{65}, std::int8_t{-1}), "65-1");
  const std::vector<std::string> names = {"a", "b", "c"};
  EXPECT_EQ(join(names), "a, b, c");
  EXPECT_EQ(join(names, "|"), "a|b|c");
  EXPECT_EQ(join({}), "");
}

TEST(NearestName, FindsTypingErrors) {
  const std::vector<std::string> names = {"weight_decay", "momentum", "lr", "betas", "eps"};
  EXPECT_EQ(nearest_name("weigth_decay", names), "weight_decay");
  EXPECT_EQ(nearest_name("wieght_decya", names), "weight_decay");
  EXPECT_EQ(nearest_name("momentm", names), "momentum");
  EXPECT_EQ(nearest_name("rl", names), "lr");
  EXPECT_EQ(nearest_name("epsi", names), "eps");
}

TEST(NearestName, IsSilentWhenNothingIsNear) {
  const std::vector<std::string> names = {"weight_decay", "momentum", "lr"};
  EXPECT_EQ(nearest_name("dropout", names), "");
  EXPECT_EQ(nearest_name("learning_rate", names), "");
  EXPECT_EQ(nearest_name("x", {}), "");
}

// A swap of neighbours is one edit, so three-letter names may be swapped but not replaced twice.
TEST(NearestName, CountsASwapAsOneEdit) {
  const std::vector<std::string> names = {"sgd"};
  EXPECT_EQ(nearest_name("gsd", names), "sgd");
  EXPECT_EQ(nearest_name("gds", names), "");
}

TEST(Quoted, EscapesControlCharacters) {
  EXPECT_EQ(quoted("plain text"), "plain text");
  EXPECT_EQ(quoted("a\nb\tc\r"), "a\\nb\\tc\\r");
  EXPECT_EQ(quoted(std::string_view("\0\x1b\x7f", 3)), "\\x00\\x1b\\x7f");
  EXPECT_EQ(quoted("\xc2\x9b"
                   "31m"),
            "\\xc2\\x9b31m");
}

TEST(Quoted, KeepsUtf8AndEscapesTheRest) {
  EXPECT_EQ(quoted("grün €😀"), "grün €😀");
  EXPECT_EQ(quoted("\xff"), "\\xff");
  EXPECT_EQ(quoted("\xc3"), "\\xc3");
  EXPECT_EQ(quoted("\xc0\xaf"), "\\xc0\\xaf");
  EXPECT_EQ(quoted("\xed\xa0\x80"), "\\xed\\xa0\\x80");
  EXPECT_EQ(quoted("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
  EXPECT_EQ(quoted("\xe2\x82"), "\\xe2\\x82");
}

TEST(Quoted, CutsBetweenCharacters) {
  EXPECT_EQ(weft::quoted(std::string(100, 'x')), std::string(80, 'x') + "...");
  EXPECT_EQ(quoted("abcdef", 6), "abcdef");
  EXPECT_EQ(quoted("abcdefg", 6), "abcdef...");
  EXPECT_EQ(quoted("abcü", 4), "abc...");
  EXPECT_EQ(quoted("abc\n", 4), "abc...");
}

TEST(BytesText, UsesBinaryUnits) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(1023), "1023 B");
  EXPECT_EQ(bytes_text(1024), "1.00 KiB");
  EXPECT_EQ(bytes_text(1536 * 1024), "1.50 MiB");
  EXPECT_EQ(bytes_text((std::uint64_t{1} << 30) - 1), "1.00 GiB");
  EXPECT_EQ(bytes_text(~std::uint64_t{0}), "16.00 EiB");
}

}  // namespace
}  // namespace weft
