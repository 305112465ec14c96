// SPDX-License-Identifier: Apache-2.0
#include "run/build.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "run/config_reader.h"
#include "run/prepare.h"
#include "run/schema.h"
#include "tests/run/config_samples.h"
#include "tests/support/error_gallery.h"
#include "tests/support/paths.h"
#include "weft/nn/init.h"

namespace weft {
namespace {

using test::small_config;
constexpr ErrorKind kConfig = ErrorKind::config;

/// A config for iris with the given layers in line 4.
Config iris(std::string_view layers, std::string_view more = {}) {
  const std::string data =
      cat("data: {format: csv, path: ", (test::source_dir() / "examples/iris/iris.csv").string(),
          ", target: species}");
  std::string text = small_config(2, data);
  const auto at = text.find("  layers:");
  text.replace(at, text.find('\n', at) - at, cat("  layers: ", layers));
  return parse_config(cat(text, more), "t.yaml");
}

Prepared prepare_in_context(const Config& config) {
  const ContextScope scope(make_context(config));
  return prepare(config);
}

TEST(Build, MakesLayersUnderTheirNames) {
  const Prepared prepared =
      prepare_in_context(iris("[{type: linear, name: a, out: 8}, relu, {type: linear, out: 3}]"));
  std::vector<std::string> names;
  for (const auto& entry : prepared.model.named_parameters()) names.push_back(entry.name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"a.weight", "a.bias", "linear_2.weight", "linear_2.bias"}));
}

TEST(Build, DrawsTheSameWeightsFromTheSameSeed) {
  const Config config = iris("[{type: linear, out: 3}]", "seed: 7\n");
  const Prepared a = prepare_in_context(config);
  const Prepared b = prepare_in_context(config);
  EXPECT_EQ(a.model.parameters()[0].tensor().to_vector(),
            b.model.parameters()[0].tensor().to_vector());
}

TEST(Build, ChecksTheLastLayerAgainstTheClasses) {
  EXPECT_WEFT_ERROR(prepare_in_context(iris("[{type: linear, out: 4}]")), kConfig,
                    "t.yaml:4:19: the last layer gives [4] but the data has 3 classes; end with a "
                    "layer that gives [3]",
                    "config/outputs");
}

TEST(Build, NamesTheLayerThatDoesNotFit) {
  EXPECT_WEFT_ERROR(
      prepare_in_context(iris("[{type: conv2d, name: c, out: 4, kernel: 3}]")), kConfig,
      "t.yaml:4:19: layer `c`: conv2d: samples are [4] but must be [H, W, C]; give data.shape as "
      "[H, W, C], or put a layer before that makes images",
      "config/layer-shape");
}

TEST(Build, ChecksAGivenInput) {
  EXPECT_WEFT_ERROR(prepare_in_context(iris("[{type: linear, name: fc, in: 5, out: 3}]")), kConfig,
                    "t.yaml:4:41: layer `fc`: `in` is [5] but samples arrive as [4]; "
                    "correct it or leave it "
                    "out",
                    "config/layer-in");
  EXPECT_NO_THROW(prepare_in_context(iris("[{type: linear, in: 4, out: 3}]")));
}

TEST(Build, WantsATarget) {
  const std::string data =
      "data: {format: csv, path: " + (test::source_dir() / "examples/iris/iris.csv").string() + "}";
  EXPECT_WEFT_ERROR(
      prepare_in_context(parse_config(small_config(2, data), "t.yaml")), kConfig,
      "t.yaml:2:27: `target` in `data` is required: the loss cross_entropy needs targets; name the "
      "column to predict",
      "config/target");
}

TEST(Build, WantsAPartToValidateOn) {
  const Config config = iris("[{type: linear, out: 3}]", "eval: {best: val/loss}\n");
  Config none = config;
  none.data.split = {1, 0, 0, false};
  EXPECT_WEFT_ERROR(prepare_in_context(none), kConfig,
                    "t.yaml:8:14: `eval.best` is val/loss but there is no validation part; give "
                    "data.split.val a share "
                    "or data.val_path a file, or watch train/loss",
                    "config/validation");
}

TEST(Build, FreezesByGlob) {
  const Prepared prepared =
      prepare_in_context(iris("[{type: linear, name: a, out: 8}, {type: linear, out: 3}]\n"
                              "  freeze: [\"a.*\"]"));
  EXPECT_TRUE(prepared.model.parameters()[0].frozen());
  EXPECT_FALSE(prepared.model.parameters()[2].frozen());
}

TEST(Build, NamesAGlobThatFitsNoParameter) {
  try {
    prepare_in_context(iris("[{type: linear, out: 3}]\n  freeze: [\"b.*\"]"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kConfig);
    EXPECT_EQ(error.where(), "t.yaml:5:11");
  }
}

TEST(Build, KnowsEveryInitialisation) {
  for (const KeyTable& key : config_table().keys) {
    if (key.spec.name != "model") continue;
    for (const KeyTable& inner : key.section->keys) {
      if (inner.spec.name != "init") continue;
      std::vector<std::string> choices = choices_of(inner.spec);
      std::vector<std::string> names = nn::init::names();
      std::sort(choices.begin(), choices.end());
      std::sort(names.begin(), names.end());
      EXPECT_EQ(choices, names);
    }
  }
}

TEST(Build, CountsStepsAsTheLoaderMakesThem) {
  Config config = iris("[{type: linear, out: 3}]");
  config.train.batch_size = 32;
  EXPECT_EQ(steps_per_epoch(config, 105), 4);
  config.train.accumulate = 3;
  EXPECT_EQ(steps_per_epoch(config, 105), 2);
  config.loader.last_batch = "drop";
  EXPECT_EQ(steps_per_epoch(config, 105), 1);
  config.train.max_steps = 1;
  EXPECT_EQ(total_steps(config, 105), 1);
}

}  // namespace
}  // namespace weft
