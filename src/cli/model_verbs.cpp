// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/options.h"
#include "cli/verbs.h"
#include "run/build.h"
#include "run/json_line.h"
#include "run/model_file.h"
#include "run/predict.h"
#include "run/runs.h"
#include "run/session.h"
#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/io/file.h"
#include "weft/io/hash.h"
#include "weft/train/evaluate.h"

namespace weft::cli {
namespace {

namespace fs = std::filesystem;

struct Given {
  std::string model;
  std::string data;
  std::string dir = "runs";
  std::string device = "auto";
  std::string split = "test";
  std::string output;
  bool json = false;
  bool keep_inputs = false;
};

void add_common(CLI::App& verb, Given& given) {
  verb.add_option("MODEL", given.model, "a run (path, id, its last part, latest) or a model file")
      ->required();
  verb.add_option("--dir", given.dir, "the folder of runs")->capture_default_str();
  verb.add_option("--device", given.device, "auto, cpu, cuda or cuda:N")->capture_default_str();
}

/// The model that the command line names, and the context to run it in.
struct Opened {
  fs::path path;
  LoadedModel loaded;
};

Opened open_model(const Given& given) {
  const fs::path path = find_model(given.dir, given.model);
  return {path, load_model(path)};
}

/// Where a run's own data is: relative to its config file, whose place run.json tells.
std::string data_of_run(const fs::path& model, const std::string& path) {
  if (fs::path(path).is_absolute()) return path;
  std::error_code code;
  if (!fs::exists(model.parent_path() / "run.json", code)) {
    throw Error(ErrorKind::config,
                cat("the model does not tell where its data is (", weft::quoted(path), ")"),
                "name the data: weft evaluate MODEL DATA");
  }
  const RunEntry run = read_run(model.parent_path());
  return (fs::path(run.config_path).parent_path() / path).lexically_normal().string();
}

/// Parts of a file that has changed are other parts: test samples may be ones that trained the
/// model.
void require_same_data(const fs::path& model, const std::string& data) {
  std::error_code code;
  if (!fs::exists(model.parent_path() / "run.json", code)) return;
  const auto run = nlohmann::json::parse(read_run(model.parent_path()).json, nullptr, false);
  const auto known = run.find("fingerprints");
  if (known == run.end() || !known->contains("data")) return;
  if (known->at("data") == io::fingerprint_of_file(data)) return;
  throw Error(ErrorKind::data,
              cat(weft::quoted(data),
                  " has changed since the run: its parts are no longer those that "
                  "the model was trained and tested with"),
              "put the data back, or name the file to evaluate all of it: weft evaluate RUN DATA");
}

std::shared_ptr<const data::Dataset> own_part(const Opened& opened, const std::string& split) {
  Config config = opened.loaded.config;
  config.data.path = data_of_run(opened.path, config.data.path);
  for (auto* path : {&config.data.val_path, &config.data.test_path}) {
    if (*path) **path = data_of_run(opened.path, **path);
  }
  require_same_data(opened.path, config.data.path);
  const data::TabularData data = load_data(config);
  const auto part = split == "val" ? data.val : data.test;
  if (part == nullptr)
    throw Error(ErrorKind::config, cat("the config gives no share to `", split, "`"),
                "name the data");
  return part;
}

std::shared_ptr<const data::Dataset> part_of_file(const LoadedModel& loaded,
                                                  const std::string& file) {
  const data::CsvOptions csv = loaded.preprocessing.csv_options(tabular_options(loaded.config).csv);
  return std::make_shared<data::TensorDataset>(
      loaded.preprocessing.apply(data::read_csv(file, csv)));
}

void evaluate_verb(const Given& given) {
  Opened opened = open_model(given);
  opened.loaded.config.device = given.device;
  const ContextScope scope(make_context(opened.loaded.config));
  const Device device = current_settings().device;
  opened.loaded.model.to(device);
  const Config& config = opened.loaded.config;
  data::DataLoader batches =
      evaluation_loader(config, given.data.empty() ? own_part(opened, given.split)
                                                   : part_of_file(opened.loaded, given.data));
  metric::MetricSet metrics(build_metrics(config));
  const loss::Loss loss = build_loss(config, {}, device);
  const Evaluation result =
      evaluate(opened.loaded.model, loss, metrics, batches, {.device = device});
  for (const std::string& note : result.notes) std::fprintf(stderr, "warning: %s\n", note.c_str());
  const std::string prefix = given.data.empty() ? given.split + "/" : "";
  JsonLine json;
  std::string text;
  for (const auto& [name, value] : result.values) {
    json.number(prefix + name, value);
    text += fmt::format("{}{} {:.4f}\n", prefix, name, value);
  }
  print(given.json ? json.str() + "\n" : text);
}

void predict_verb(const Given& given) {
  Opened opened = open_model(given);
  opened.loaded.config.device = given.device;
  const ContextScope scope(make_context(opened.loaded.config));
  const PredictionTable table =
      predict(opened.loaded, given.data,
              {.keep_inputs = given.keep_inputs, .device = current_settings().device});
  if (!table.extra_columns.empty()) {
    std::fprintf(stderr, "warning: %s: columns that the model does not know are left out: %s\n",
                 given.data.c_str(), join(table.extra_columns).c_str());
  }
  const std::string text = given.output.ends_with(".json") ? to_json(table) : to_csv(table);
  if (given.output.empty()) return print(text);
  io::write_file_atomically(given.output, text);
}

}  // namespace

void add_evaluate(CLI::App& app) {
  auto given = std::make_shared<Given>();
  CLI::App* verb = app.add_subcommand("evaluate", "loss and metrics of a model");
  add_common(*verb, *given);
  verb->add_option("DATA", given->data,
                   "a file with targets; default: a part of the run's own data");
  verb->add_option("--split", given->split, "which part of the run's own data")
      ->check(CLI::IsMember({"val", "test"}))
      ->capture_default_str();
  verb->add_flag("--json", given->json, "as one JSON object");
  verb->callback([given] { evaluate_verb(*given); });
}

void add_predict(CLI::App& app) {
  auto given = std::make_shared<Given>();
  CLI::App* verb = app.add_subcommand("predict", "what a model says of new data");
  add_common(*verb, *given);
  verb->add_option("DATA", given->data, "a file with the model's columns")->required();
  verb->add_option("-o,--output", given->output, "F.csv or F.json; default: CSV on stdout")
      ->check(CLI::Validator(
          [](std::string& path) {
            return path.ends_with(".csv") || path.ends_with(".json")
                       ? ""
                       : std::string("must end in .csv or .json");
          },
          "F.csv|F.json"));
  verb->add_flag("--keep-inputs", given->keep_inputs, "all cells of the data come first");
  verb->callback([given] { predict_verb(*given); });
}

}  // namespace weft::cli
