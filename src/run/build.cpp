// SPDX-License-Identifier: Apache-2.0
#include "run/build.h"

#include <algorithm>
#include <array>

#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/core/backend.h"
#include "weft/nn/init.h"
#include "weft/nn/layers.h"
#include "weft/optim/optimizers.h"

namespace weft {
namespace {

/// Runs `make`; a complaint about shapes or values becomes one about the config, at `path`.
template <class F>
auto at_key(const Config& config, std::string_view path, const std::string& what, F make) {
  try {
    return make();
  } catch (const Error& error) {
    const bool of_config = error.kind() == ErrorKind::shape || error.kind() == ErrorKind::value ||
                           error.kind() == ErrorKind::unsupported;
    if (!of_config) throw;
    throw Error(ErrorKind::config, cat(what, ": ", error.message()), error.hint(),
                config.where(path));
  }
}

template <class T, std::size_t N>
T choice_of(std::string_view word, const std::array<std::string_view, N>& words) {
  const auto found = std::find(words.begin(), words.end(), word);
  if (found == words.end()) throw Error(ErrorKind::internal, cat("no choice is called ", word));
  return static_cast<T>(found - words.begin());
}

constexpr std::array<std::string_view, 3> kOnError = {"strict", "lenient", "drop_row"};
constexpr std::array<std::string_view, 4> kColumnKinds = {"numeric", "category", "bool", "ignore"};
constexpr std::array<std::string_view, 4> kScales = {"none", "standard", "minmax", "range"};
constexpr std::array<std::string_view, 4> kImputes = {"error", "mean", "median", "zero"};
/// Losses whose targets are class numbers; those of other losses are numbers.
constexpr std::array<std::string_view, 1> kClassLosses = {"cross_entropy"};

data::CsvOptions csv_options(const CsvConfig& csv) {
  data::CsvOptions options;
  options.delimiter = csv.delimiter.front();
  options.header = csv.header;
  options.missing = csv.missing;
  options.on_error = choice_of<data::OnError>(csv.on_error, kOnError);
  for (const auto& [name, kind] : csv.columns)
    options.columns[name] = choice_of<data::ColumnKind>(kind, kColumnKinds);
  return options;
}

/// `[8,8,1]` or, for `in: 64`, the last extent alone.
bool fits(const std::vector<std::int64_t>& given, const Shape& inferred) {
  if (given.size() == 1) return inferred.rank() > 0 && inferred.back() == given.front();
  return std::equal(given.begin(), given.end(), inferred.begin(), inferred.end());
}

void check_outputs(const Config& config, const Shape& given, std::int64_t outputs) {
  if (given.rank() == 1 && given[0] == outputs) return;
  const std::size_t last = config.model.layers.size() - 1;
  const bool classes = wants_classes(config);
  throw Error(ErrorKind::config,
              cat("the last layer gives ", to_string(given), " but the data has ", outputs,
                  classes        ? " classes"
                  : outputs == 1 ? " target"
                                 : " targets"),
              cat("end with a layer that gives [", outputs, ']'),
              config.where(cat("model.layers.", last, ".type")));
}

}  // namespace

bool wants_classes(const Config& config) {
  if (config.data.target_kind) return *config.data.target_kind == "category";
  return std::find(kClassLosses.begin(), kClassLosses.end(), config.loss.type) !=
         kClassLosses.end();
}

data::TabularOptions tabular_options(const Config& config) {
  const DataConfig& data = config.data;
  data::TabularOptions options;
  options.csv = csv_options(data.csv);
  options.features = data.features.value_or(std::vector<std::string>{});
  options.targets = data.target.value_or(std::vector<std::string>{});
  options.target_kind =
      wants_classes(config) ? data::TargetKind::category : data::TargetKind::numeric;
  if (data.shape) options.shape = Dims(std::span<const std::int64_t>(*data.shape));
  options.scale = choice_of<data::Scale>(data.scale.type, kScales);
  if (options.scale == data::Scale::range) {
    const std::vector<double>& from = data.scale.options.numbers("from");
    const std::vector<double>& to = data.scale.options.numbers("to");
    options.from = {from[0], from[1]};
    options.to = {to[0], to[1]};
  }
  options.impute = choice_of<data::Impute>(data.impute, kImputes);
  options.split = {data.split.train, data.split.val, data.split.test,
                   data.split.stratify && options.target_kind == data::TargetKind::category};
  if (data.val_path) options.val_path = *data.val_path;
  if (data.test_path) options.test_path = *data.test_path;
  return options;
}

data::TabularData load_data(const Config& config) {
  if (!config.data.target) {
    throw Error(
        ErrorKind::config,
        cat("`target` in `data` is required: the loss ", config.loss.type, " needs targets"),
        "name the column to predict", config.where("data.path"));
  }
  return at_key(config, "data.path", "`data`", [&] {
    return data::load_tabular(config.data.path, tabular_options(config), config.seed);
  });
}

nn::Sequential build_model(const Config& config, const Shape& input, std::int64_t outputs) {
  nn::Sequential model;
  Shape shape = input;
  for (std::size_t i = 0; i < config.model.layers.size(); ++i) {
    const LayerConfig& layer = config.model.layers[i];
    const std::string path = cat("model.layers.", i, ".type");
    const std::string what = cat("layer `", layer.name, '`');
    if (layer.in && !fits(*layer.in, shape)) {
      throw Error(ErrorKind::config,
                  cat(what, ": `in` is ", to_string(OptionValue(*layer.in)),
                      " but samples arrive as ", to_string(shape)),
                  "correct it or leave it out", config.where(cat("model.layers.", i, ".in")));
    }
    const auto& factory = nn::layer_registry().at(layer.type).make;
    shape = at_key(config, path, what, [&] {
      model.add(layer.name, factory.build(layer.options, shape));
      return factory.output_shape(layer.options, shape);
    });
  }
  check_outputs(config, shape, outputs);
  nn::init::apply(model, config.model.init);
  for (const std::string& pattern : config.model.freeze) {
    at_key(config, "model.freeze", "`model.freeze`", [&] { return model.freeze(pattern); });
  }
  return model;
}

loss::Loss build_loss(const Config& config, const std::vector<std::int64_t>& class_counts,
                      Device device) {
  return at_key(config, "loss.type", "`loss`", [&] {
    return loss::loss_registry()
        .at(config.loss.type)
        .make(config.loss.options, {class_counts, device});
  });
}

std::vector<metric::MetricPtr> build_metrics(const Config& config) {
  std::vector<TypedConfig> wanted;
  if (config.metrics) {
    wanted = *config.metrics;
  } else {
    for (const char* name :
         wants_classes(config) ? std::vector{"accuracy"} : std::vector{"mae", "r2"}) {
      wanted.push_back({name, OptionValues(metric::metric_registry().at(name).options), {}});
    }
  }
  metric::MetricTask task;
  const OptionValues& loss = config.loss.options;
  if (loss.has("ignore_index") && !loss.is_null("ignore_index"))
    task.ignore_index = loss.integer("ignore_index");
  std::vector<metric::MetricPtr> metrics;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    metrics.push_back(at_key(config, cat("metrics.", i, ".type"), "`metrics`", [&] {
      return metric::metric_registry().at(wanted[i].type).make(wanted[i].options, task);
    }));
  }
  return metrics;
}

optim::Optimizer build_optimizer(const Config& config, std::span<const Parameter> parameters) {
  std::vector<optim::ParamGroup> groups;
  for (const GroupConfig& group : config.optimizer.groups)
    groups.push_back({group.params, group.lr, group.weight_decay});
  return at_key(config, groups.empty() ? "optimizer.type" : "optimizer.groups.0.params",
                "`optimizer`", [&] {
                  return optim::optimizer_registry()
                      .at(config.optimizer.type)
                      .make(parameters, config.optimizer.options, groups);
                });
}

optim::Schedule build_schedule(const Config& config) {
  std::vector<optim::SchedulePhase> phases;
  for (std::size_t i = 0; i < config.scheduler.size(); ++i) {
    const PhaseConfig& phase = config.scheduler[i];
    phases.push_back(at_key(config, cat("scheduler.", i, ".type"), "`scheduler`", [&] {
      const optim::SchedulePhase made =
          optim::schedule_registry().at(phase.type).make(phase.options);
      if (phase.epochs) return made.for_epochs(*phase.epochs);
      return phase.steps ? made.for_steps(*phase.steps) : made;
    }));
  }
  return optim::Schedule(std::move(phases));
}

Device build_device(const Config& config) {
  if (config.device == "auto") return best_device();
  const Device device(config.device);
  try {
    require_device(device);
  } catch (const Error& error) {
    throw error.at(config.where("device"));
  }
  return device;
}

}  // namespace weft
