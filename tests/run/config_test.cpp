// SPDX-License-Identifier: Apache-2.0
#include "run/config.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "run/config_docs.h"
#include "run/config_reader.h"
#include "tests/run/config_samples.h"
#include "tests/support/error_gallery.h"
#include "tests/support/paths.h"

namespace weft {
namespace {

using test::small_config;
constexpr ErrorKind kConfig = ErrorKind::config;

Config parse(std::string_view text) { return parse_config(text, "t.yaml"); }

std::string error_of(std::string_view text) {
  try {
    parse(text);
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

TEST(Config, FillsDefaults) {
  const Config config = parse(small_config());
  EXPECT_EQ(config.seed, 0u);
  EXPECT_EQ(config.device, "auto");
  EXPECT_EQ(config.train.batch_size, 32);
  EXPECT_EQ(config.train.epochs, 2);
  EXPECT_FALSE(config.train.max_steps);
  EXPECT_FALSE(config.train.early_stopping);
  EXPECT_EQ(config.data.scale.type, "standard");
  EXPECT_EQ(config.data.csv.missing, (std::vector<std::string>{"", "NA", "NaN"}));
  EXPECT_EQ(config.data.csv.delimiter, ",");
  EXPECT_DOUBLE_EQ(config.data.split.train, 0.7);
  EXPECT_EQ(config.data.target, std::vector<std::string>{"species"});
  EXPECT_EQ(config.eval.best, "val/loss");
  EXPECT_FALSE(config.metrics);
  EXPECT_DOUBLE_EQ(config.optimizer.options.number("lr"), 3e-3);
}

TEST(Config, ReadsTheDigitsExample) {
  const auto folder = test::source_dir() / "examples/digits";
  const Config config = load_config(folder / "digits.yaml");
  EXPECT_EQ(config.name, "digits");
  ASSERT_EQ(config.model.layers.size(), 12u);
  EXPECT_EQ(config.model.layers[1].name, "batch_norm_1");
  EXPECT_EQ(config.model.layers[4].name, "batch_norm_2");
  EXPECT_EQ(config.data.path, (folder / "digits.csv").string());
  EXPECT_EQ(config.scheduler.size(), 2u);
  EXPECT_EQ(config.scheduler[0].epochs, 2);
  ASSERT_TRUE(config.metrics);
  EXPECT_EQ((*config.metrics)[0].type, "accuracy");
  EXPECT_EQ((*config.metrics)[1].options.text("average"), "macro");
  EXPECT_EQ(config.optimizer.groups[0].weight_decay, 0);
  EXPECT_EQ(config.train.early_stopping->patience, 5);
}

TEST(Config, ReadsJson) {
  const Config config = parse(resolved_json(parse(small_config())));
  EXPECT_EQ(config.model.layers[0].name, "fc");
  EXPECT_EQ(resolved_json(config), resolved_json(parse(small_config())));
}

TEST(Config, NamesAnUnknownKey) {
  EXPECT_WEFT_ERROR(
      parse(small_config(6, "optimizer: {type: adamw, lr: 1, weight_decy: 0}")), kConfig,
      "t.yaml:6:33: unknown key `weight_decy` in `optimizer`; did you mean `weight_decay`?",
      "config/unknown-key");
}

TEST(Config, KnowsWhatOthersCallAKey) {
  EXPECT_EQ(error_of(small_config(7, "train: {epochs: 1, max_grad_norm: 1}")),
            "t.yaml:7:20: unknown key `max_grad_norm` in `train`; did you mean `clip_grad_norm`?");
}

TEST(Config, NamesAnUnknownSection) {
  EXPECT_WEFT_ERROR(parse(small_config() + "trian: {}\n"), kConfig,
                    "t.yaml:8:1: unknown key `trian`; did you mean `train`?",
                    "config/unknown-section");
}

TEST(Config, NamesAnIllTypedValue) {
  EXPECT_WEFT_ERROR(parse(small_config(7, "train: {epochs: many}")), kConfig,
                    "t.yaml:7:17: `epochs` in `train` expects an integer, or null, got \"many\"",
                    "config/type");
}

TEST(Config, NamesAValueOutOfRange) {
  EXPECT_WEFT_ERROR(parse(small_config(7, "train: {epochs: 0}")), kConfig,
                    "t.yaml:7:17: `epochs` in `train` must be >= 1, got 0", "config/range");
}

TEST(Config, NamesAValueThatIsNoChoice) {
  EXPECT_WEFT_ERROR(
      parse(small_config() + "loader: {last_batch: dorp}\n"), kConfig,
      "t.yaml:8:22: `last_batch` in `loader` expects one of keep, drop, pad, got \"dorp\"; did you "
      "mean `drop`?",
      "config/choice");
}

TEST(Config, NamesAMissingKey) {
  EXPECT_WEFT_ERROR(parse(small_config(6, "optimizer: {type: adamw}")), kConfig,
                    "t.yaml:6:12: `lr` of `adamw` in `optimizer` is required: number >= 0",
                    "config/missing-option");
  EXPECT_WEFT_ERROR(parse(small_config(2, "data: {format: csv}")), kConfig,
                    "t.yaml:2:7: `path` in `data` is required", "config/missing-key");
}

TEST(Config, NamesAMissingSection) {
  EXPECT_WEFT_ERROR(parse(small_config(5, "")), kConfig, "t.yaml:1:1: `loss` is required",
                    "config/missing-section");
}

TEST(Config, NamesEverythingMissingFromAnEmptyFile) {
  EXPECT_EQ(error_of("# nothing\n"),
            "t.yaml:1:1: `schema` is required: weft.config/1\nt.yaml:1:1: `data` is required\n"
            "t.yaml:1:1: `model` is required\nt.yaml:1:1: `loss` is required\n"
            "t.yaml:1:1: `optimizer` is required\nt.yaml:1:1: `train` is required");
}

TEST(Config, NamesAnUnknownLayer) {
  EXPECT_WEFT_ERROR(
      parse(small_config(4, "  layers: [{type: liner, out: 3}]")), kConfig,
      "t.yaml:4:19: `type` in `model.layers.0`: there is no layer `liner`; did you mean `linear`?",
      "config/unknown-type");
}

TEST(Config, AsksForAType) {
  const std::string message = error_of(small_config(5, "loss: {label_smoothing: 0.1}"));
  EXPECT_TRUE(message.starts_with("t.yaml:5:7: `type` in `loss` is required: ")) << message;
  EXPECT_NE(message.find("cross_entropy"), std::string::npos);
}

TEST(Config, NamesAValueWhereASectionBelongs) {
  EXPECT_WEFT_ERROR(parse(small_config(7, "train: 3")), kConfig,
                    "t.yaml:7:8: `train` expects a map of keys, got \"3\"", "config/section");
}

TEST(Config, NamesASectionWhereAValueBelongs) {
  EXPECT_WEFT_ERROR(parse(small_config(7, "train: {epochs: {a: 1}}")), kConfig,
                    "t.yaml:7:17: `epochs` in `train` expects integer >= 1 | null, got a map",
                    "config/value");
}

TEST(Config, RefusesAnotherMajorVersion) {
  EXPECT_WEFT_ERROR(
      parse(small_config(1, "schema: weft.config/2")), kConfig,
      "t.yaml:1:9: `schema` expects one of weft.config/1, got \"weft.config/2\"; did you mean "
      "`weft.config/1`?",
      "config/version");
}

TEST(Config, ReportsAllProblemsInTheOrderOfTheFile) {
  EXPECT_WEFT_ERROR(
      parse("schema: weft.config/1\ndata: {format: csv, path: iris.csv, target: species, scael: "
            "none}\n"
            "model:\n  layers: [{type: linear, out: 0}]\nloss: {type: cross_entropy}\n"
            "optimizer: {type: adamw, lr: 1e-3s}\ntrain: {epochs: 2, batchsize: 3}\n"),
      kConfig,
      "t.yaml:2:54: unknown key `scael` in `data`; did you mean `scale`?\n"
      "t.yaml:4:32: `out` in `model.layers.0` must be >= 1, got 0\n"
      "t.yaml:6:30: `lr` in `optimizer` expects a number, got \"1e-3s\"\n"
      "t.yaml:7:20: unknown key `batchsize` in `train`; did you mean `batch_size`?",
      "config/several");
}

TEST(Config, WantsAnEnd) {
  EXPECT_WEFT_ERROR(parse(small_config(7, "train: {batch_size: 4}")), kConfig,
                    "t.yaml:7:21: one of `epochs`, `max_steps`, `max_time` in `train` is required",
                    "config/no-end");
}

TEST(Config, WantsSharesThatAddUp) {
  EXPECT_WEFT_ERROR(
      parse(small_config(
          2, "data: {format: csv, path: a, target: b, split: {train: 0.8, val: 0.1, test: 0.2}}")),
      kConfig, "t.yaml:2:56: the shares in `data.split` add up to 1.1, not 1", "config/split");
}

TEST(Config, WantsUniqueLayerNames) {
  EXPECT_WEFT_ERROR(
      parse(small_config(4, "  layers: [{type: relu, name: a}, {type: relu, name: a}]")), kConfig,
      "t.yaml:4:54: two layers are called `a`; names are unique", "config/layer-name");
}

TEST(Config, WantsPhasesOfKnownLength) {
  EXPECT_WEFT_ERROR(parse(small_config() + "scheduler: [{type: constant}, {type: constant}]\n"),
                    kConfig,
                    "t.yaml:8:20: `scheduler.0` has no length; give it epochs or steps; only the "
                    "last phase takes "
                    "what is left",
                    "config/phase");
}

TEST(Config, WantsAMeasuredValueToJudgeBy) {
  EXPECT_WEFT_ERROR(
      parse(small_config() + "eval: {best: val/acuracy}\n"), kConfig,
      "t.yaml:8:14: `eval.best`: nothing measured is called \"val/acuracy\"; did you mean "
      "`val/accuracy`?",
      "config/monitor");
}

TEST(Config, RefusesAnUnknownDevice) {
  const std::string message = error_of(small_config() + "device: cdua\n");
  EXPECT_TRUE(message.starts_with("t.yaml:8:9: `device`: ")) << message;
}

TEST(Config, KeepsFreeNamesOfColumns) {
  const Config config = parse(small_config(
      2, "data: {format: csv, path: a, target: b, csv: {columns: {zip: category, id: ignore}}}"));
  EXPECT_EQ(config.data.csv.columns, (std::vector<std::pair<std::string, std::string>>{
                                         {"zip", "category"}, {"id", "ignore"}}));
  EXPECT_EQ(error_of(small_config(
                2, "data: {format: csv, path: a, target: b, csv: {columns: {zip: categry}}}")),
            "t.yaml:2:62: `zip` in `data.csv.columns` expects one of numeric, category, bool, "
            "ignore, got "
            "\"categry\"; did you mean `category`?");
}

TEST(Config, ResolvesPathsAgainstTheFile) {
  const Config config = parse_config(small_config(), "t.yaml", {}, "/somewhere/else");
  EXPECT_EQ(config.data.path, "/somewhere/else/iris.csv");
  const Override given[] = {set_override("data.path=x.csv")};
  EXPECT_EQ(parse_config(small_config(), "t.yaml", given, "/somewhere/else").data.path, "x.csv");
}

TEST(Config, NotesOrigins) {
  const Config config = parse(small_config());
  EXPECT_EQ(config.setting("train.epochs")->origin.text(), "t.yaml:7");
  EXPECT_EQ(config.setting("train.batch_size")->origin.text(), "default");
  EXPECT_EQ(config.setting("model.layers.0.out")->origin.text(), "t.yaml:4");
  const auto json = nlohmann::json::parse(origins_json(config));
  EXPECT_EQ(json["train.epochs"]["value"], 2);
  EXPECT_EQ(json["train.epochs"]["origin"], "t.yaml:7");
  EXPECT_EQ(json["loader.shuffle"]["origin"], "default");
}

TEST(Config, ShowsEveryKeyWithItsOrigin) {
  const std::string text = config_text(parse(small_config()), true);
  EXPECT_NE(text.find("optimizer.lr"), std::string::npos);
  EXPECT_NE(text.find("0.003"), std::string::npos);
  EXPECT_NE(text.find("t.yaml:6"), std::string::npos);
}

TEST(ConfigSchema, IsJsonAndKnowsEveryKey) {
  const auto schema = nlohmann::json::parse(config_schema_json());
  EXPECT_EQ(schema["properties"]["train"]["properties"]["batch_size"]["minimum"], 1);
  EXPECT_EQ(schema["additionalProperties"], false);
  const Config config = parse(small_config());
  for (const Setting& setting : config.settings) {
    const std::string top = setting.path.substr(0, setting.path.find('.'));
    EXPECT_TRUE(schema["properties"].contains(top)) << setting.path;
  }
}

}  // namespace
}  // namespace weft
