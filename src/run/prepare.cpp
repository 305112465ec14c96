// SPDX-License-Identifier: Apache-2.0
#include "run/prepare.h"

#include <algorithm>

#include "run/build.h"
#include "run/environment.h"
#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/core/threads.h"
#include "weft/op/registry.h"

namespace weft {
namespace {

std::string grouped(std::int64_t number) {
  std::string text = std::to_string(number);
  for (int at = static_cast<int>(text.size()) - 3; at > 0; at -= 3)
    text.insert(static_cast<std::size_t>(at), ",");
  return text;
}

std::int64_t size_of(const std::shared_ptr<const data::Dataset>& dataset) {
  return dataset ? dataset->size() : 0;
}

std::int64_t outputs_of(const data::Preprocessing& preprocessing) {
  const auto count = preprocessing.classes().empty() ? preprocessing.targets().size()
                                                     : preprocessing.classes().size();
  return static_cast<std::int64_t>(count);
}

/// A monitored value of the validation part needs one.
void check_parts(const Config& config, const data::TabularData& data) {
  if (data.val) return;
  std::string path = "eval.best";
  std::string name = config.eval.best;
  if (config.train.early_stopping && !name.starts_with("val/")) {
    path = "train.early_stopping.monitor";
    name = config.train.early_stopping->monitor;
  }
  if (!name.starts_with("val/")) return;
  throw Error(ErrorKind::config, cat('`', path, "` is ", name, " but there is no validation part"),
              "give data.split.val a share or data.val_path a file, or watch train/loss",
              config.where(path));
}

}  // namespace

Context make_context(const Config& config) {
  ensure_registered();
  set_num_threads(static_cast<int>(config.threads));
  Settings settings;
  settings.device = build_device(config);
  settings.autocast = config.precision != "f32";
  settings.autocast_dtype = config.precision == "f16" ? DType::f16 : DType::bf16;
  return Context::make(settings, config.seed);
}

Prepared prepare(const Config& config) {
  const Device device = current_settings().device;
  data::TabularData data = load_data(config);
  check_parts(config, data);
  nn::Sequential model =
      build_model(config, data.preprocessing.shape(), outputs_of(data.preprocessing));
  loss::Loss loss = build_loss(config, data.class_counts, device);
  std::vector<metric::MetricPtr> metrics = build_metrics(config);
  const std::vector<Parameter> parameters = model.parameters();
  optim::Optimizer optimizer = build_optimizer(config, parameters);
  return {device,
          std::move(data),
          std::move(model),
          std::move(loss),
          std::move(metrics),
          std::move(optimizer),
          build_schedule(config)};
}

data::LoaderOptions train_loader_options(const Config& config) {
  constexpr std::pair<std::string_view, data::LastBatch> kPolicies[] = {
      {"keep", data::LastBatch::keep},
      {"drop", data::LastBatch::drop},
      {"pad", data::LastBatch::pad}};
  data::LoaderOptions options;
  options.batch_size = config.train.batch_size;
  options.shuffle = config.loader.shuffle;
  for (const auto& [name, policy] : kPolicies) {
    if (config.loader.last_batch == name) options.last_batch = policy;
  }
  options.prefetch = static_cast<int>(config.loader.prefetch);
  options.reuse_buffers = config.loader.reuse_buffers;
  options.seed = config.seed;
  return options;
}

std::int64_t steps_per_epoch(const Config& config, std::int64_t samples) {
  const std::int64_t size = config.train.batch_size;
  const std::int64_t batches =
      config.loader.last_batch == "drop" ? samples / size : (samples + size - 1) / size;
  return (batches + config.train.accumulate - 1) / config.train.accumulate;
}

std::optional<std::int64_t> total_steps(const Config& config, std::int64_t samples) {
  std::optional<std::int64_t> total = config.train.max_steps;
  if (config.train.epochs) {
    const std::int64_t by_epochs = *config.train.epochs * steps_per_epoch(config, samples);
    total = std::min(total.value_or(by_epochs), by_epochs);
  }
  return total;
}

std::string data_text(const data::TabularData& data) {
  const std::int64_t train = size_of(data.train);
  const std::int64_t val = size_of(data.val);
  const std::int64_t test = size_of(data.test);
  std::string text = cat(grouped(train + val + test), " samples -> train ", grouped(train));
  if (val > 0) text += cat(" · val ", grouped(val));
  if (test > 0) text += cat(" · test ", grouped(test));
  const data::Preprocessing& columns = data.preprocessing;
  text += cat(" · ", columns.features().size(), " features · ");
  text += columns.classes().empty() ? cat(columns.targets().size(), " targets")
                                    : cat(columns.classes().size(), " classes");
  if (data.bad_cells > 0) text += cat(" · ", data.bad_cells, " cells taken as missing");
  if (data.dropped_rows > 0) text += cat(" · ", data.dropped_rows, " rows dropped");
  return text;
}

std::string check_run(const Config& config) {
  const ContextScope scope(make_context(config));
  const Prepared prepared = prepare(config);
  const std::int64_t samples = size_of(prepared.data.train);
  const auto steps = total_steps(config, samples);
  return cat("data    ", data_text(prepared.data), "\nmodel   ", config.model.layers.size(),
             " layers, ", grouped(prepared.model.parameter_count()), " parameters\ndevice  ",
             device_text(prepared.device), "\nsteps   ", grouped(steps_per_epoch(config, samples)),
             " an epoch, ",
             steps ? grouped(*steps) + " at most" : std::string("until the time is over"),
             "\nok\n");
}

}  // namespace weft
