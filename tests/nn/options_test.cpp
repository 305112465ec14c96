// SPDX-License-Identifier: Apache-2.0
#include "weft/nn/options.h"

#include <gtest/gtest.h>

#include "weft/base/error.h"
#include "weft/nn/registry.h"

namespace weft {
namespace {

using enum OptionType;

constexpr OptionSpec kSpecs[] = {
    {.name = "out", .type = integer, .required = true, .range = at_least(1)},
    {.name = "kernel", .type = pair, .initial = "3", .range = at_least(1)},
    {.name = "padding", .type = pair, .initial = "0", .choices = "same|valid"},
    {.name = "bias", .type = boolean, .initial = "true"},
    {.name = "betas", .type = numbers, .initial = "[0.9, 0.999]", .range = fraction(), .length = 2},
    {.name = "ignore_index", .type = integer, .initial = "null"},
    {.name = "average", .type = text, .initial = "macro", .choices = "macro|micro"},
};

std::string problem_of(const OptionSpec& spec, std::string_view text, bool is_quoted = false) {
  std::string problem;
  OptionInput input = option_input(text);
  input.is_quoted = is_quoted;
  return read_option(spec, input, problem) ? "" : problem;
}

TEST(Options, FillDefaults) {
  const OptionValues values{kSpecs};
  EXPECT_TRUE(values.is_null("out"));
  EXPECT_EQ(values.pair("kernel"), (std::array<std::int64_t, 2>{3, 3}));
  EXPECT_TRUE(values.boolean("bias"));
  EXPECT_EQ(values.numbers("betas"), (std::vector<double>{0.9, 0.999}));
  EXPECT_TRUE(values.is_null("ignore_index"));
  EXPECT_EQ(values.text("average"), "macro");
}

TEST(Options, ParseTexts) {
  const std::pair<std::string, std::string> texts[] = {{"out", "16"},
                                                       {"kernel", "[3, 5]"},
                                                       {"padding", "same"},
                                                       {"bias", "false"},
                                                       {"ignore_index", "-1"}};
  const OptionValues values = OptionValues::parse(kSpecs, texts, "conv2d");
  EXPECT_EQ(values.integer("out"), 16);
  EXPECT_EQ(values.pair("kernel"), (std::array<std::int64_t, 2>{3, 5}));
  EXPECT_TRUE(values.is_text("padding"));
  EXPECT_FALSE(values.boolean("bias"));
  EXPECT_EQ(values.integer("ignore_index"), -1);
}

TEST(Options, NameAnUnknownOption) {
  const std::pair<std::string, std::string> texts[] = {{"out", "1"}, {"kernl", "3"}};
  try {
    OptionValues::parse(kSpecs, texts, "conv2d");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "conv2d: unknown option `kernl`; did you mean `kernel`?");
  }
}

TEST(Options, NameAMissingOption) {
  try {
    OptionValues::parse(kSpecs, {}, "conv2d");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "conv2d: option `out` is required (integer >= 1)");
  }
}

TEST(Options, TellWhatIsNeeded) {
  EXPECT_EQ(problem_of(kSpecs[0], "x"), "expects an integer, got \"x\"");
  EXPECT_EQ(problem_of(kSpecs[0], "0"), "must be >= 1, got 0");
  EXPECT_EQ(problem_of(kSpecs[0], "1.5"), "expects an integer, got \"1.5\"");
  EXPECT_EQ(problem_of(kSpecs[0], "null"), "expects an integer, got null");
  EXPECT_EQ(
      problem_of(kSpecs[2], "sane"),
      "expects an integer or two of them, or same or valid, got \"sane\"; did you mean `same`?");
  EXPECT_EQ(problem_of(kSpecs[3], "yes"), "expects true or false, got \"yes\"");
  EXPECT_EQ(problem_of(kSpecs[4], "[0.9]"), "expects a list of numbers of length 2, got [0.9]");
  EXPECT_EQ(problem_of(kSpecs[4], "[0.9, 1]"), "must be in [0, 1), got 1");
  EXPECT_EQ(problem_of(kSpecs[6], "marco"),
            "expects one of macro, micro, got \"marco\"; did you mean `macro`?");
}

TEST(Options, TakeNumbersInEveryUsualForm) {
  const OptionSpec spec{.name = "lr", .type = number, .initial = "0"};
  for (const char* good : {"1e-3", "+1", ".5", "0.001", "-2", "1E5", "0"})
    EXPECT_EQ(problem_of(spec, good), "") << good;
  for (const char* bad :
       {"inf", "nan", ".inf", "0x10", "1_000", "12:30", "010", "1e999", "", "--1", "+-1", "1 2"}) {
    EXPECT_NE(problem_of(spec, bad), "") << bad;
  }
}

TEST(Options, TakeNoNumberInQuotes) {
  EXPECT_EQ(problem_of(kSpecs[0], "3", true), "expects an integer, got \"3\"");
}

TEST(Options, ReadDurations) {
  const OptionSpec spec{.name = "max_time", .type = duration, .initial = "null"};
  std::string problem;
  EXPECT_EQ(std::get<double>(read_option(spec, option_input("90s"), problem)->data()), 90);
  EXPECT_EQ(std::get<double>(read_option(spec, option_input("1.5m"), problem)->data()), 90);
  EXPECT_EQ(std::get<double>(read_option(spec, option_input("8h"), problem)->data()), 28800);
  for (const char* bad : {"90", "s", "-1s", "0m", "1d"})
    EXPECT_NE(problem_of(spec, bad), "") << bad;
}

TEST(Options, KeepAllBitsOfAnUnsignedInteger) {
  const OptionSpec spec{.name = "seed", .type = u64, .initial = "0"};
  std::string problem;
  const auto value = read_option(spec, option_input("18446744073709551615"), problem);
  EXPECT_EQ(std::get<std::uint64_t>(value->data()), ~std::uint64_t{0});
  EXPECT_NE(problem_of(spec, "18446744073709551616"), "");
  EXPECT_NE(problem_of(spec, "-1"), "");
}

TEST(Options, NameTheWordThatIsNoChoice) {
  const OptionSpec spec{
      .name = "sinks", .type = texts, .initial = "[console]", .choices = "console|jsonl"};
  EXPECT_EQ(problem_of(spec, "[console, jsonl]"), "");
  EXPECT_EQ(problem_of(spec, "console"), "");
  EXPECT_EQ(
      problem_of(spec, "[console, json]"),
      "expects a list of texts of console or jsonl, got [console, json]; did you mean `jsonl`?");
}

TEST(Options, PrintAsJson) {
  EXPECT_EQ(to_string(OptionValue(std::vector<double>{0.9, 1e-8})), "[0.9, 1e-08]");
  EXPECT_EQ(to_string(OptionValue(std::string("a\"b\n"))), "\"a\\\"b\\u000a\"");
  EXPECT_EQ(to_string(OptionValue()), "null");
}

TEST(Registry, RefusesATakenName) {
  Registry<int> registry("layer");
  registry.add({"relu", "", {}, 1});
  EXPECT_THROW(registry.add({"relu", "", {}, 2}), Error);
  registry.add({"relu", "", {}, 3}, true);
  EXPECT_EQ(registry.at("relu").make, 3);
  EXPECT_EQ(registry.names(), std::vector<std::string>{"relu"});
}

TEST(Registry, NamesTheNearest) {
  Registry<int> registry("layer");
  registry.add({"conv2d", "", {}, 1});
  try {
    registry.at("conv2");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    EXPECT_STREQ(error.what(), "no layer is called conv2; did you mean `conv2d`?");
  }
}

}  // namespace
}  // namespace weft
