// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "run/config_reader.h"
#include "tests/run/config_samples.h"
#include "tests/support/error_gallery.h"

namespace weft {
namespace {

using test::small_config;
using Environment = std::vector<std::pair<std::string, std::string>>;
constexpr ErrorKind kConfig = ErrorKind::config;

Config with(std::initializer_list<const char*> sets, const Environment& environment = {}) {
  std::vector<std::string> warnings;
  std::vector<Override> overrides = environment_overrides(environment, warnings);
  for (const char* text : sets) overrides.push_back(set_override(text));
  return parse_config(small_config(), "t.yaml", overrides);
}

TEST(Overrides, FlagsWinOverEnvironmentOverFile) {
  const Environment environment = {{"WEFT_TRAIN__EPOCHS", "5"}, {"WEFT_TRAIN__BATCH_SIZE", "7"}};
  const Config config = with({"train.epochs=9"}, environment);
  EXPECT_EQ(config.train.epochs, 9);
  EXPECT_EQ(config.setting("train.epochs")->origin.text(), "flag --set train.epochs=9");
  EXPECT_EQ(config.train.batch_size, 7);
  EXPECT_EQ(config.setting("train.batch_size")->origin.text(),
            "environment WEFT_TRAIN__BATCH_SIZE");
}

TEST(Overrides, TheLastFlagWins) {
  EXPECT_EQ(with({"train.epochs=3", "train.epochs=4"}).train.epochs, 4);
}

TEST(Overrides, AddressLayersByNameAndNumber) {
  EXPECT_EQ(with({"model.layers.fc.out=128"}).model.layers[0].options.integer("out"), 128);
  EXPECT_EQ(with({"model.layers.0.out=64"}).model.layers[0].options.integer("out"), 64);
}

TEST(Overrides, AddressALayerByItsDefaultName) {
  const Override set[] = {set_override("model.layers.linear_1.out=5")};
  const Config config =
      parse_config(small_config(4, "  layers: [{type: linear, out: 3}]"), "t", set);
  EXPECT_EQ(config.model.layers[0].options.integer("out"), 5);
}

TEST(Overrides, NameAnUnknownLayer) {
  EXPECT_WEFT_ERROR(with({"model.layers.fx.out=1"}), kConfig,
                    "--set model.layers.fx.out=1: `model.layers.fx.out`: nothing in the list is "
                    "called `fx`; did you "
                    "mean `fc`?",
                    "config/set-layer");
}

TEST(Overrides, NameAnIndexPastTheEnd) {
  EXPECT_WEFT_ERROR(
      with({"model.layers.3.out=1"}), kConfig,
      "--set model.layers.3.out=1: `model.layers.3.out`: index 3 of a list of 1; the first is 0",
      "config/set-index");
}

TEST(Overrides, NameAnUnknownKey) {
  EXPECT_WEFT_ERROR(with({"train.epoch=1"}), kConfig,
                    "--set train.epoch=1: unknown key `epoch` in `train`; did you mean `epochs`?",
                    "config/set-key");
}

TEST(Overrides, NameABadValue) {
  EXPECT_WEFT_ERROR(
      with({"train.epochs=x"}), kConfig,
      "--set train.epochs=x: `epochs` in `train` expects an integer, or null, got \"x\"",
      "config/set-value");
}

TEST(Overrides, WantAKeyAndAValue) {
  EXPECT_WEFT_ERROR(set_override("train.epochs"), kConfig,
                    "--set train.epochs: expects KEY=VALUE; for example --set train.epochs=3",
                    "config/set-form");
  EXPECT_THROW(set_override("=3"), Error);
  EXPECT_THROW(with({"train..epochs=3"}), Error);
}

TEST(Overrides, StandBelowNoValue) {
  EXPECT_WEFT_ERROR(
      with({"train.epochs.x=1"}), kConfig,
      "--set train.epochs.x=1: `train.epochs.x`: `x` would stand under the value \"2\"",
      "config/set-below");
}

TEST(Overrides, TakeListsMapsAndNull) {
  EXPECT_EQ(with({"data.shape=[2, 2, 1]"}).data.shape, (std::vector<std::int64_t>{2, 2, 1}));
  EXPECT_EQ(with({"metrics=[accuracy, {type: f1, average: micro}]"}).metrics->size(), 2u);
  EXPECT_FALSE(with({"train.epochs=null", "train.max_steps=4"}).train.epochs);
  EXPECT_TRUE(with({"train.early_stopping.patience=3"}).train.early_stopping);
}

TEST(Overrides, KeepTextAsItIs) {
  EXPECT_EQ(with({"name=a: b # c"}).name, "a: b # c");
  EXPECT_EQ(with({"data.csv.delimiter=;"}).data.csv.delimiter, ";");
  EXPECT_EQ(with({"name=\"3\""}).name, "3");
}

TEST(Environment, HasShortNamesForSomeKeys) {
  const Config config =
      with({}, {{"WEFT_SEED", "7"}, {"WEFT_NUM_THREADS", "2"}, {"WEFT_LOG_LEVEL", "warn"}});
  EXPECT_EQ(config.seed, 7u);
  EXPECT_EQ(config.threads, 2);
  EXPECT_EQ(config.log.level, "warn");
}

TEST(Environment, RefusesAnUnknownKey) {
  EXPECT_WEFT_ERROR(with({}, {{"WEFT_TRAIN__EPOCH", "7"}}), kConfig,
                    "WEFT_TRAIN__EPOCH: unknown key `epoch` in `train`; did you mean `epochs`?",
                    "config/environment-key");
}

TEST(Environment, WarnsOfAnyOtherName) {
  std::vector<std::string> warnings;
  const Environment environment = {
      {"WEFT_SEEDS", "1"}, {"WEFT_CACHE_DIR", "/x"}, {"WEFT_TEST_DATA", "/y"}};
  EXPECT_TRUE(environment_overrides(environment, warnings).empty());
  EXPECT_EQ(warnings, std::vector<std::string>{
                          "WEFT_SEEDS: no such variable; ignored; did you mean WEFT_SEED?"});
}

TEST(Overrides, AreReportedTogetherWithTheFile) {
  const Override sets[] = {set_override("model.layers.q.out=1"), set_override("train.epochs=x")};
  try {
    parse_config(small_config(5, "loss: {typ: x}"), "t.yaml", sets);
    FAIL();
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2) << text;
    EXPECT_TRUE(text.starts_with("t.yaml:5:7: `type` in `loss` is required")) << text;
  }
}

}  // namespace
}  // namespace weft
