// SPDX-License-Identifier: Apache-2.0
#include "weft/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "weft/base/checked.h"
#include "weft/base/error.h"
#include "weft/base/text.h"

namespace weft::optim {
namespace {

double half_cosine(double from, double to, double share) {
  return std::lerp(from, to, (1 - std::cos(std::numbers::pi * share)) / 2);
}

double share_done(const PhasePoint& point) {
  const std::int64_t length = point.length.value_or(0);
  if (length <= 0) return 1;
  return std::min(1.0, static_cast<double>(point.done) / static_cast<double>(length));
}

std::int64_t epoch_of(const PhasePoint& point) { return point.done / point.steps_per_epoch; }

void require(bool fits, std::string_view phase, std::string_view name, double value,
             std::string_view needed) {
  if (fits) return;
  throw Error(ErrorKind::value,
              cat("schedule ", phase, ": ", name, " is ", value, " but must be ", needed));
}

std::int64_t require_positive(std::string_view name, std::int64_t value) {
  require(value > 0, "phase", name, static_cast<double>(value), "at least 1");
  return value;
}

}  // namespace

SchedulePhase::SchedulePhase(std::string type, Function function, bool needs_length)
    : type_(std::move(type)), function_(std::move(function)), needs_length_(needs_length) {}

SchedulePhase SchedulePhase::constant(double factor) {
  require(factor >= 0, "constant", "factor", factor, "at least 0");
  return {"constant", [=](const PhasePoint&) { return factor; }};
}

SchedulePhase SchedulePhase::linear(double from, double to) {
  require(from >= 0, "linear", "from", from, "at least 0");
  require(to >= 0, "linear", "to", to, "at least 0");
  return {"linear", [=](const PhasePoint& p) { return from + (to - from) * share_done(p); }, true};
}

SchedulePhase SchedulePhase::cosine(double to, double from) {
  require(from >= 0, "cosine", "from", from, "at least 0");
  require(to >= 0, "cosine", "to", to, "at least 0");
  return {"cosine", [=](const PhasePoint& p) { return half_cosine(from, to, share_done(p)); },
          true};
}

SchedulePhase SchedulePhase::step(std::int64_t every, double gamma) {
  require(every > 0, "step", "every", static_cast<double>(every), "at least 1");
  require(gamma >= 0, "step", "gamma", gamma, "at least 0");
  return {"step", [=](const PhasePoint& p) {
            const std::int64_t steps_down = epoch_of(p) / every;
            return std::pow(gamma, static_cast<double>(steps_down));
          }};
}

SchedulePhase SchedulePhase::multi_step(std::vector<std::int64_t> milestones, double gamma) {
  require(gamma >= 0, "multi_step", "gamma", gamma, "at least 0");
  if (!std::is_sorted(milestones.begin(), milestones.end())) {
    throw Error(ErrorKind::value, "schedule multi_step: milestones must ascend");
  }
  return {"multi_step", [=](const PhasePoint& p) {
            const auto passed =
                std::upper_bound(milestones.begin(), milestones.end(), epoch_of(p)) -
                milestones.begin();
            return std::pow(gamma, static_cast<double>(passed));
          }};
}

SchedulePhase SchedulePhase::exponential(double gamma) {
  require(gamma >= 0, "exponential", "gamma", gamma, "at least 0");
  return {"exponential",
          [=](const PhasePoint& p) { return std::pow(gamma, static_cast<double>(epoch_of(p))); }};
}

SchedulePhase SchedulePhase::one_cycle(double pct_start, double div_factor,
                                       double final_div_factor) {
  require(pct_start > 0 && pct_start < 1, "one_cycle", "pct_start", pct_start, "in (0, 1)");
  require(div_factor >= 1, "one_cycle", "div_factor", div_factor, "at least 1");
  require(final_div_factor >= 1, "one_cycle", "final_div_factor", final_div_factor, "at least 1");
  const double first = 1 / div_factor;
  const double last = first / final_div_factor;
  const auto factor = [=](const PhasePoint& p) {
    const double end = std::max(1.0, static_cast<double>(p.length.value_or(1) - 1));
    const double peak = std::max(1.0, pct_start * static_cast<double>(p.length.value_or(1)) - 1);
    const double at = std::min(static_cast<double>(p.done), end);
    if (at <= peak) return half_cosine(first, 1, at / peak);
    return half_cosine(1, last, (at - peak) / (end - peak));
  };
  return {"one_cycle", factor, true};
}

SchedulePhase SchedulePhase::for_epochs(std::int64_t epochs) const {
  SchedulePhase out = *this;
  out.epochs_ = require_positive("epochs", epochs);
  out.steps_.reset();
  return out;
}

SchedulePhase SchedulePhase::for_steps(std::int64_t steps) const {
  SchedulePhase out = *this;
  out.steps_ = require_positive("steps", steps);
  out.epochs_.reset();
  return out;
}

std::optional<std::int64_t> SchedulePhase::steps(const RunLength& run) const {
  if (epochs_) return checked_mul(*epochs_, run.steps_per_epoch, "steps of a schedule phase");
  return steps_;
}

Schedule::Schedule(std::vector<SchedulePhase> phases) : phases_(std::move(phases)) {
  for (std::size_t i = 0; i + 1 < phases_.size(); ++i) {
    if (phases_[i].steps({})) continue;
    throw Error(ErrorKind::value,
                cat("schedule: phase ", i, " (", phases_[i].type(), ") has no length"),
                "give epochs or steps to every phase but the last");
  }
}

double Schedule::factor(std::int64_t done, const RunLength& run) const {
  if (phases_.empty()) return 1;
  std::int64_t begin = 0;
  std::size_t i = 0;
  for (; i + 1 < phases_.size(); ++i) {
    const std::int64_t end = checked_add(begin, *phases_[i].steps(run), "steps of a schedule");
    if (done < end) break;
    begin = end;
  }
  const SchedulePhase& phase = phases_[i];
  std::optional<std::int64_t> length = phase.steps(run);
  if (!length && run.total_steps) length = std::max<std::int64_t>(*run.total_steps - begin, 1);
  if (!length && phase.needs_length()) {
    throw Error(ErrorKind::value,
                cat("schedule: phase ", i, " (", phase.type(),
                    ") needs a length but only time ends the run"),
                "give it epochs or steps, or the run epochs or max_steps");
  }
  std::int64_t within = done - begin;
  if (length) within = std::min(within, *length);
  return phase.factor({within, length, run.steps_per_epoch});
}

namespace {

constexpr OptionSpec kConstantOptions[] = {
    {.name = "factor", .initial = "1", .range = at_least(0), .doc = "factor of the learning rate"}};
constexpr OptionSpec kLinearOptions[] = {
    {.name = "from", .required = true, .range = at_least(0), .doc = "factor at the first step"},
    {.name = "to", .required = true, .range = at_least(0), .doc = "factor at the end"}};
constexpr OptionSpec kCosineOptions[] = {
    {.name = "to", .required = true, .range = at_least(0), .doc = "factor at the end"},
    {.name = "from", .initial = "1", .range = at_least(0), .doc = "factor at the first step"}};
constexpr OptionSpec kGamma{
    .name = "gamma", .initial = "0.1", .range = at_least(0), .doc = "factor of each change"};
constexpr OptionSpec kStepOptions[] = {{.name = "every",
                                        .type = OptionType::integer,
                                        .required = true,
                                        .range = at_least(1),
                                        .doc = "epochs between changes"},
                                       kGamma};
constexpr OptionSpec kMultiStepOptions[] = {
    {.name = "milestones",
     .type = OptionType::integers,
     .required = true,
     .range = at_least(0),
     .doc = "epochs of the phase at which it changes, ascending"},
    kGamma};
constexpr OptionSpec kExponentialOptions[] = {
    {.name = "gamma", .required = true, .range = at_least(0), .doc = "factor of each epoch"}};
constexpr OptionSpec kOneCycleOptions[] = {
    {.name = "pct_start",
     .initial = "0.3",
     .range = {.min = 0, .max = 1, .open_min = true, .open_max = true},
     .doc = "share of the phase that rises"},
    {.name = "div_factor",
     .initial = "25",
     .range = at_least(1),
     .doc = "first factor is 1 / div_factor"},
    {.name = "final_div_factor",
     .initial = "1e4",
     .range = at_least(1),
     .doc = "last factor is 1 / (div_factor * final_div_factor)"}};

}  // namespace

Registry<ScheduleFactory>& schedule_registry() {
  static Registry<ScheduleFactory>* const registry = [] {
    auto* made = new Registry<ScheduleFactory>("schedule");
    made->add({"constant", "one factor", kConstantOptions,
               [](const OptionValues& v) { return SchedulePhase::constant(v.number("factor")); }});
    made->add({"linear", "in equal steps from one factor to another: warm-up", kLinearOptions,
               [](const OptionValues& v) {
                 return SchedulePhase::linear(v.number("from"), v.number("to"));
               }});
    made->add({"cosine", "half a cosine from one factor to another", kCosineOptions,
               [](const OptionValues& v) {
                 return SchedulePhase::cosine(v.number("to"), v.number("from"));
               }});
    made->add({"step", "times gamma every few epochs", kStepOptions, [](const OptionValues& v) {
                 return SchedulePhase::step(v.integer("every"), v.number("gamma"));
               }});
    made->add(
        {"multi_step", "times gamma at given epochs", kMultiStepOptions, [](const OptionValues& v) {
           return SchedulePhase::multi_step(v.integers("milestones"), v.number("gamma"));
         }});
    made->add(
        {"exponential", "times gamma every epoch", kExponentialOptions,
         [](const OptionValues& v) { return SchedulePhase::exponential(v.number("gamma")); }});
    made->add({"one_cycle", "up to the learning rate and down again", kOneCycleOptions,
               [](const OptionValues& v) {
                 return SchedulePhase::one_cycle(v.number("pct_start"), v.number("div_factor"),
                                                 v.number("final_div_factor"));
               }});
    return made;
  }();
  return *registry;
}

}  // namespace weft::optim
