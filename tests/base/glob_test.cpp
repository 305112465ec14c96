// SPDX-License-Identifier: Apache-2.0
#include "weft/base/glob.h"

#include <gtest/gtest.h>

#include <string>

namespace weft {
namespace {

TEST(Glob, StarStandsForAnyRunOfCharacters) {
  EXPECT_TRUE(glob_match("*", ""));
  EXPECT_TRUE(glob_match("*.bias", "encoder.fc1.bias"));
  EXPECT_TRUE(glob_match("a*b*c", "axxbyybzc"));
  EXPECT_TRUE(glob_match("*ab", "aab"));
  EXPECT_FALSE(glob_match("*.bias", "encoder.fc1.weight"));
  EXPECT_FALSE(glob_match("a*b", "axbx"));
}

TEST(Glob, QuestionMarkStandsForOneCharacter) {
  EXPECT_TRUE(glob_match("p?", "p1"));
  EXPECT_FALSE(glob_match("p?", "p"));
  EXPECT_FALSE(glob_match("p?", "p12"));
}

TEST(Glob, WithoutWildcardsTheWholeTextMustBeEqual) {
  EXPECT_TRUE(glob_match("fc1", "fc1"));
  EXPECT_FALSE(glob_match("fc1", "fc10"));
  EXPECT_FALSE(glob_match("fc1", "xfc1"));
  EXPECT_TRUE(glob_match("", ""));
  EXPECT_FALSE(glob_match("", "a"));
}

TEST(Glob, ManyStarsStayFast) {
  const std::string pattern = "*a*a*a*a*a*a*a*a*b";
  EXPECT_FALSE(glob_match(pattern, std::string(5000, 'a')));
}

}  // namespace
}  // namespace weft
