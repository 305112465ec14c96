// SPDX-License-Identifier: Apache-2.0
#include "run/config_checks.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "weft/base/device.h"
#include "weft/base/text.h"

namespace weft {
namespace {

class Checker {
 public:
  Checker(const Config& config, Problems& problems) : config_(config), problems_(problems) {}

  void run() {
    device();
    split();
    csv();
    layers();
    metrics();
    groups();
    phases();
    budgets();
    evaluation();
  }

 private:
  void report(std::string_view path, std::string message, std::string hint = {}) {
    problems_.add(origin(path), std::move(message), std::move(hint));
  }

  /// Where `path` is set; a default points at the section that was given, else at the whole file.
  Origin origin(std::string_view path) const {
    const Setting* setting = config_.setting(path);
    if (setting != nullptr && setting->origin.kind != Origin::Kind::initial) return setting->origin;
    const std::string prefix = cat(path.substr(0, path.rfind('.')), '.');
    for (const Setting& other : config_.settings) {
      if (other.path.starts_with(prefix) && other.origin.kind != Origin::Kind::initial)
        return other.origin;
    }
    return config_.settings.front().origin;
  }

  void device() {
    if (config_.device == "auto") return;
    try {
      (void)Device(config_.device);
    } catch (const Error& error) {
      report("device", cat("`device`: ", error.message()), "write auto, cpu, cuda or cuda:N");
    }
  }

  void split() {
    const SplitConfig& split = config_.data.split;
    const double sum = split.train + split.val + split.test;
    if (std::abs(sum - 1) > 1e-9) {
      report("data.split.train", cat("the shares in `data.split` add up to ", sum, ", not 1"));
    } else if (split.train <= 0) {
      report("data.split.train", "`train` in `data.split` is 0: nothing to train on");
    }
  }

  void csv() {
    if (config_.data.csv.delimiter.size() != 1 ||
        std::string_view("\"\r\n").find(config_.data.csv.delimiter) != std::string_view::npos) {
      report("data.csv.delimiter", cat("`delimiter` in `data.csv` must be one character other than "
                                       "a quote or line end, got \"",
                                       weft::quoted(config_.data.csv.delimiter), '"'));
    }
  }

  void layers() {
    std::set<std::string> seen;
    for (std::size_t i = 0; i < config_.model.layers.size(); ++i) {
      const std::string& name = config_.model.layers[i].name;
      const std::string path = cat("model.layers.", i, ".name");
      const bool plain =
          !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
            return std::isalnum(c) != 0 || c == '_' || c == '-';
          });
      if (!plain)
        report(path,
               cat("layer name \"", weft::quoted(name), "\" must be letters, digits, `_` or `-`"));
      if (!seen.insert(name).second)
        report(path, cat("two layers are called `", weft::quoted(name), '`'), "names are unique");
    }
  }

  void metrics() {
    if (!config_.metrics) return;
    std::set<std::string> seen;
    for (std::size_t i = 0; i < config_.metrics->size(); ++i) {
      const std::string& type = (*config_.metrics)[i].type;
      if (!seen.insert(type).second)
        report(cat("metrics.", i, ".type"), cat("metric `", type, "` is given twice"));
    }
  }

  void groups() {
    for (std::size_t i = 0; i < config_.optimizer.groups.size(); ++i) {
      const GroupConfig& group = config_.optimizer.groups[i];
      const std::string path = cat("optimizer.groups.", i, ".params");
      if (group.params.empty())
        report(path, cat("`params` in `optimizer.groups.", i, "` is empty"));
      if (!group.lr && !group.weight_decay) {
        report(path, cat("`optimizer.groups.", i, "` changes nothing"),
               "give it lr or weight_decay");
      }
    }
  }

  void phases() {
    for (std::size_t i = 0; i < config_.scheduler.size(); ++i) {
      const PhaseConfig& phase = config_.scheduler[i];
      const bool last = i + 1 == config_.scheduler.size();
      if (phase.epochs && phase.steps) {
        report(cat("scheduler.", i, ".steps"), cat("`scheduler.", i, "` has both epochs and steps"),
               "remove one");
      } else if (!phase.epochs && !phase.steps && !last) {
        report(cat("scheduler.", i, ".type"), cat("`scheduler.", i, "` has no length"),
               "give it epochs or steps; only the last phase takes what is left");
      }
    }
    // What is left is known only when the whole length is.
    if (!config_.scheduler.empty() && !config_.train.epochs && !config_.train.max_steps) {
      const PhaseConfig& last = config_.scheduler.back();
      if (!last.epochs && !last.steps) {
        report(cat("scheduler.", config_.scheduler.size() - 1, ".type"),
               "the last phase takes what is left, but with max_time alone the number of steps is "
               "unknown",
               "give the phase epochs or steps, or set train.epochs or train.max_steps");
      }
    }
  }

  void budgets() {
    const TrainConfig& train = config_.train;
    if (!train.epochs && !train.max_steps && !train.max_time) {
      report("train.epochs", "one of `epochs`, `max_steps`, `max_time` in `train` is required");
    }
  }

  void evaluation() {
    if (config_.eval.every_epochs && config_.eval.every_steps) {
      report("eval.every_steps", "`eval` has both every_epochs and every_steps", "remove one");
    }
    monitored("eval.best", config_.eval.best);
    if (config_.train.early_stopping) {
      monitored("train.early_stopping.monitor", config_.train.early_stopping->monitor);
    }
  }

  void monitored(std::string_view path, const std::string& name) {
    std::vector<std::string> known = {"val/loss", "train/loss"};
    const std::vector<TypedConfig> none;
    for (const TypedConfig& metric : config_.metrics ? *config_.metrics : none) {
      known.push_back(cat("val/", metric.type));
    }
    if (!config_.metrics) {
      for (const char* usual : {"accuracy", "mae", "r2"}) known.push_back(cat("val/", usual));
    }
    if (std::find(known.begin(), known.end(), name) != known.end()) return;
    const std::string near = nearest_name(name, known);
    report(path, cat('`', path, "`: nothing measured is called \"", weft::quoted(name), '"'),
           near.empty() ? cat("there are ", join(known)) : cat("did you mean `", near, "`?"));
  }

  const Config& config_;
  Problems& problems_;
};

}  // namespace

void check_config(const Config& config, Problems& problems) { Checker(config, problems).run(); }

}  // namespace weft
