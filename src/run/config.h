// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "run/yaml_document.h"
#include "weft/nn/options.h"

/// A config file, read and checked. Every member's key, type, default and meaning stand in
/// schema.cpp.
namespace weft {

/// `{type: conv2d, out: 16}`: a registered name with the values of its options.
struct TypedConfig {
  std::string type;
  OptionValues options;
  Origin origin;
};

struct CsvConfig {
  std::string delimiter;
  bool header = true;
  std::vector<std::string> missing;
  std::string on_error;
  std::vector<std::pair<std::string, std::string>> columns;
};

struct SplitConfig {
  double train = 0;
  double val = 0;
  double test = 0;
  bool stratify = false;
};

struct DataConfig {
  std::string format;
  std::string path;
  std::optional<std::string> val_path;
  std::optional<std::string> test_path;
  CsvConfig csv;
  std::optional<std::vector<std::string>> features;
  std::optional<std::vector<std::string>> target;
  std::optional<std::string> target_kind;
  std::optional<std::vector<std::int64_t>> shape;
  TypedConfig scale;
  std::string impute;
  SplitConfig split;
};

struct LoaderConfig {
  bool shuffle = true;
  std::string last_batch;
  std::int64_t prefetch = 0;
  bool reuse_buffers = true;
};

struct LayerConfig : TypedConfig {
  std::string name;
  std::optional<std::vector<std::int64_t>> in;
};

struct ModelConfig {
  std::string init;
  std::vector<std::string> freeze;
  std::vector<LayerConfig> layers;
};

struct GroupConfig {
  std::vector<std::string> params;
  std::optional<double> lr;
  std::optional<double> weight_decay;
};

struct OptimizerConfig : TypedConfig {
  std::vector<GroupConfig> groups;
};

/// A phase of the schedule; the last one without a length takes what is left.
struct PhaseConfig : TypedConfig {
  std::optional<std::int64_t> epochs;
  std::optional<std::int64_t> steps;
};

struct EarlyStoppingConfig {
  std::string monitor;
  std::string mode;
  std::int64_t patience = 0;
  double min_delta = 0;
};

struct TrainConfig {
  std::optional<std::int64_t> epochs;
  std::optional<std::int64_t> max_steps;
  std::optional<double> max_time;  ///< seconds
  std::int64_t batch_size = 0;
  std::int64_t accumulate = 1;
  std::optional<double> clip_grad_norm;
  std::optional<double> clip_grad_value;
  std::string capture;
  std::optional<EarlyStoppingConfig> early_stopping;
};

struct EvalConfig {
  std::optional<std::int64_t> every_epochs;
  std::optional<std::int64_t> every_steps;
  std::optional<std::int64_t> batch_size;
  std::int64_t sanity_batches = 0;
  std::string best;
  bool test_at_end = true;
};

struct LogConfig {
  std::string dir;
  std::string level;
  std::int64_t every_steps = 0;
  std::vector<std::string> sinks;
};

/// A key with the value in force, as JSON, and where it comes from.
struct Setting {
  std::string path;
  std::string json;
  Origin origin;
};

struct Config {
  std::string schema;
  std::optional<std::string> name;
  std::uint64_t seed = 0;
  std::string device;
  std::int64_t threads = 0;
  std::string precision;
  DataConfig data;
  LoaderConfig loader;
  ModelConfig model;
  TypedConfig loss;
  std::optional<std::vector<TypedConfig>> metrics;
  OptimizerConfig optimizer;
  std::vector<PhaseConfig> scheduler;
  TrainConfig train;
  EvalConfig eval;
  LogConfig log;

  /// All keys in the order of the schema.
  std::vector<Setting> settings;
  /// The file as given; empty when the config came from a model file.
  std::string source;

  /// The setting at `path`, or nullptr.
  const Setting* setting(std::string_view path) const;
  /// An error's `where` for the value at `path`.
  std::string where(std::string_view path) const;
};

/// Everything in force as one JSON object, nested as in a file.
std::string resolved_json(const Config& config);
/// The same without what says nothing of the model: name, device, threads, log. Model files carry
/// it, and do not change with the number of threads.
std::string model_json(const Config& config);
/// `{"train.epochs": {"value": 15, "origin": "digits.yaml:93"}, ...}`: config.json of a run.
std::string origins_json(const Config& config);

}  // namespace weft
