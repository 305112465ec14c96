// SPDX-License-Identifier: Apache-2.0
#include "run/session.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>

#include "run/environment.h"
#include "run/exit_code.h"
#include "run/recorder.h"
#include "run/run_folder.h"
#include "run/signals.h"
#include "weft/base/text.h"
#include "weft/base/version.h"
#include "weft/core/threads.h"
#include "weft/io/file.h"
#include "weft/io/hash.h"

namespace weft {
namespace {

Better better_of(const std::string& mode) {
  return mode == "min" ? Better::lower : mode == "max" ? Better::higher : Better::automatic;
}

TrainerOptions trainer_options(const Config& config, const Prepared& prepared) {
  TrainerOptions options;
  // A replay saves launches, of which a GPU has more to save; recording costs a few steps.
  options.capture =
      config.train.capture == "on" || (config.train.capture == "auto" && !prepared.device.is_cpu());
  if (config.precision == "f16") options.loss_scaler = optim::LossScaler({}, prepared.device);
  options.epochs = config.train.epochs;
  options.max_steps = config.train.max_steps;
  options.max_time = config.train.max_time;
  options.accumulate = config.train.accumulate;
  options.clip_grad_norm = config.train.clip_grad_norm;
  options.clip_grad_value = config.train.clip_grad_value;
  options.schedule = prepared.schedule;
  options.eval_every_epochs = config.eval.every_epochs.value_or(1);
  options.eval_every_steps = config.eval.every_steps;
  options.sanity_batches = config.eval.sanity_batches;
  options.best = config.eval.best;
  if (const auto& stopping = config.train.early_stopping) {
    options.early_stopping = EarlyStopping{stopping->monitor, better_of(stopping->mode),
                                           stopping->patience, stopping->min_delta};
  }
  return options;
}

RunStatus status_of(StopReason reason) {
  switch (reason) {
    case StopReason::max_time:
      return RunStatus::budget;
    case StopReason::early_stopping:
      return RunStatus::early_stopped;
    case StopReason::requested:
      return RunStatus::interrupted;
    default:
      return RunStatus::done;
  }
}

RunFolder make_folder(const Config& config, const TrainRequest& request, Device device) {
  RunRecord record;
  record.name = config.name.value_or("run");
  record.command = request.command;
  record.config_path = std::filesystem::absolute(request.config_path).lexically_normal().string();
  record.fingerprints = {{"data", io::fingerprint_of_file(config.data.path)},
                         {"config", io::fingerprint(std::as_bytes(std::span(config.source)))}};
  RunFolder folder = RunFolder::create(config.log.dir, std::move(record));
  const CodeState code = code_state(std::filesystem::current_path());
  folder.write("config.yaml", config.source);
  folder.write("config.json", origins_json(config));
  folder.write("environment.json", environment_json(code, device));
  if (!code.patch.empty()) folder.write("code.patch", code.patch);
  return folder;
}

bool has_sink(const Config& config, std::string_view name) {
  for (const std::string& sink : config.log.sinks) {
    if (sink == name) return true;
  }
  return false;
}

void tell_start(const Config& config, Prepared& prepared, const RunFolder& folder,
                Console& console) {
  const std::string device = device_text(prepared.device);
  console.log(LogLevel::info, "run",
              {LogField::word("id", folder.id()), LogField::word("path", folder.path().string()),
               LogField::word("device", to_string(prepared.device)),
               LogField::integer("threads", num_threads()),
               LogField::word("seed", std::to_string(config.seed))});
  console.log(LogLevel::info, "data", {LogField::word("summary", data_text(prepared.data))});
  if (!console.is_for_people()) return;
  const Shape sample = prepared.data.preprocessing.shape().inserted(0, 1);
  const Tensor input = empty(sample, {.device = prepared.device}).fill_(0);
  console.text(cat("weft ", version(), " · ", device, " · seed ", config.seed, " · ",
                   folder.path().string(), "\n\n", prepared.model.summary(input), "\ndata   ",
                   data_text(prepared.data), '\n'));
}

std::string figure(const NamedValues& values, const std::string& name) {
  const auto value = find_value(values, name);
  return value ? fixed4(*value) : "-";
}

/// The figure that result lines show: the first metric, or the loss where there is none.
std::string shown_metric(const Prepared& prepared) {
  return prepared.metrics.empty() ? "loss" : prepared.metrics.front()->name();
}

void print_line(const std::string& text) {
  if (std::fputs((text + "\n").c_str(), stdout) < 0 || std::fflush(stdout) != 0) {
    throw Error(ErrorKind::io, cat("cannot write: ", std::strerror(errno)), {}, "stdout");
  }
}

void print_results(const TrainOutcome& outcome, const std::string& metric) {
  if (outcome.fit.best_epoch > 0) {
    print_line(cat("best/epoch ", outcome.fit.best_epoch));
    const std::string name = cat("val/", metric);
    if (find_value(outcome.fit.best_values, name))
      print_line(cat(name, ' ', figure(outcome.fit.best_values, name)));
  }
  if (outcome.test) print_line(cat("test/", metric, ' ', figure(outcome.test->values, metric)));
}

/// Fits, tests and records.
TrainOutcome train_in(RunFolder& folder, const Config& config, Prepared& prepared,
                      const TrainRequest& request, Console& console) {
  auto recorder = std::make_shared<Recorder>(config, prepared, folder, console);
  Trainer trainer(prepared.model, prepared.loss, prepared.optimizer,
                  trainer_options(config, prepared));
  trainer.metrics(prepared.metrics).add(recorder);
  data::DataLoader train_loader(prepared.data.train, train_loader_options(config));
  std::optional<data::DataLoader> val_loader;
  if (prepared.data.val) val_loader.emplace(evaluation_loader(config, prepared.data.val));

  TrainOutcome outcome;
  outcome.folder = folder.path();
  {
    const SignalScope signals([](void* target) { static_cast<Trainer*>(target)->request_stop(); },
                              &trainer);
    outcome.fit = trainer.fit(train_loader, val_loader ? &*val_loader : nullptr);
  }
  const bool stopped = outcome.fit.reason == StopReason::requested;
  if (!recorder->has_model()) recorder->save_model_file();
  if (!trainer.best_weights().empty()) trainer.load_best();
  if (config.eval.test_at_end && prepared.data.test && !stopped) {
    data::DataLoader test_loader = evaluation_loader(config, prepared.data.test);
    outcome.test = trainer.evaluate(test_loader);
    recorder->add_test(outcome.fit, *outcome.test);
  }
  folder.record().fingerprints.emplace_back(
      "model", io::fingerprint_of_file(folder.path() / "model.safetensors"));
  outcome.exit_code = stopped ? interrupted_exit_code() : 0;
  folder.finish(status_of(outcome.fit.reason), outcome.exit_code);
  if (request.print_results) print_results(outcome, shown_metric(prepared));
  return outcome;
}

}  // namespace

data::DataLoader evaluation_loader(const Config& config,
                                   std::shared_ptr<const data::Dataset> dataset) {
  data::LoaderOptions options = train_loader_options(config);
  options.batch_size = config.eval.batch_size.value_or(config.train.batch_size);
  options.shuffle = false;
  options.last_batch = data::LastBatch::keep;
  return {std::move(dataset), options};
}

TrainOutcome train(const Config& config, Prepared& prepared, const TrainRequest& request,
                   Console& console) {
  RunFolder folder = make_folder(config, request, prepared.device);
  if (!has_sink(config, "jsonl")) folder.without_lines();
  console.copy_to([&](std::string_view json) { folder.add_log(json); });
  if (request.print_results) print_line(cat("run ", folder.path().string()));
  const auto fail = [&](const Error& error) {
    console.error(error);
    const int code = exit_code_of(error.kind());
    folder.finish(RunStatus::failed, code);
    TrainOutcome outcome;
    outcome.folder = folder.path();
    outcome.exit_code = code;
    return outcome;
  };
  TrainOutcome outcome;
  try {
    tell_start(config, prepared, folder, console);
    outcome = train_in(folder, config, prepared, request, console);
  } catch (const Error& error) {
    outcome = fail(error);
  } catch (const std::bad_alloc&) {
    outcome = fail(Error(ErrorKind::memory, "out of memory"));
  } catch (const std::exception& error) {
    outcome = fail(Error(ErrorKind::internal, error.what()));
  }
  console.copy_to({});
  return outcome;
}

}  // namespace weft
