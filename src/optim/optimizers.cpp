// SPDX-License-Identifier: Apache-2.0
#include "weft/optim/optimizers.h"

#include "weft/base/error.h"
#include "weft/base/text.h"

namespace weft::optim {
namespace {

using States = std::span<const std::vector<Tensor>>;

class SgdRule final : public UpdateRule {
 public:
  explicit SgdRule(const SgdAttrs& attrs) : attrs_(attrs) {}
  std::string_view name() const override { return "sgd"; }
  std::vector<std::string> state_names() const override {
    if (attrs_.momentum == 0) return {};
    return {"momentum_buffer"};
  }
  void update(const UpdateTargets& targets, States states) const override {
    sgd_step(targets, states.empty() ? std::span<const Tensor>() : states[0], attrs_);
  }

 private:
  SgdAttrs attrs_;
};

class AdamRule final : public UpdateRule {
 public:
  explicit AdamRule(const AdamAttrs& attrs) : attrs_(attrs) {}
  std::string_view name() const override { return attrs_.decoupled ? "adamw" : "adam"; }
  std::vector<std::string> state_names() const override { return {"exp_avg", "exp_avg_sq"}; }
  void update(const UpdateTargets& targets, States states) const override {
    adam_step(targets, states[0], states[1], attrs_);
  }

 private:
  AdamAttrs attrs_;
};

void require(bool fits, std::string_view optimizer, std::string_view name, double value,
             std::string_view needed) {
  if (fits) return;
  throw Error(ErrorKind::value, cat(optimizer, ": ", name, " is ", value, " but ", needed));
}

std::shared_ptr<const UpdateRule> sgd_rule(const SGDOptions& o) {
  require(o.momentum >= 0 && o.momentum < 1, "sgd", "momentum", o.momentum, "must be in [0, 1)");
  require(o.dampening >= 0 && o.dampening <= 1, "sgd", "dampening", o.dampening,
          "must be in [0, 1]");
  require(!o.nesterov || o.momentum > 0, "sgd", "momentum", o.momentum,
          "nesterov needs one above 0");
  require(!o.nesterov || o.dampening == 0, "sgd", "dampening", o.dampening, "nesterov needs 0");
  return std::make_shared<SgdRule>(
      SgdAttrs{.momentum = o.momentum, .dampening = o.dampening, .nesterov = o.nesterov});
}

template <class Options>
std::shared_ptr<const UpdateRule> adam_rule(const Options& o, bool decoupled) {
  const std::string_view name = decoupled ? "adamw" : "adam";
  for (const double beta : o.betas) {
    require(beta >= 0 && beta < 1, name, "a beta", beta, "must be in [0, 1)");
  }
  require(o.eps >= 0, name, "eps", o.eps, "must be at least 0");
  return std::make_shared<AdamRule>(
      AdamAttrs{.beta1 = o.betas[0], .beta2 = o.betas[1], .eps = o.eps, .decoupled = decoupled});
}

constexpr OptionSpec kLr{.name = "lr",
                         .required = true,
                         .range = at_least(0),
                         .doc = "learning rate; schedules multiply it"};

constexpr OptionSpec weight_decay(std::string_view initial, std::string_view doc) {
  return {.name = "weight_decay", .initial = initial, .range = at_least(0), .doc = doc};
}

constexpr OptionSpec kSgdOptions[] = {
    kLr,
    {.name = "momentum",
     .initial = "0",
     .range = fraction(),
     .doc = "how much of the running sum of gradients stays at each step"},
    {.name = "dampening",
     .initial = "0",
     .range = between(0, 1),
     .doc = "how much of a new gradient is left out of that sum"},
    {.name = "nesterov",
     .type = OptionType::boolean,
     .initial = "false",
     .doc = "look ahead along the momentum"},
    weight_decay("0", "added to the gradient"),
};

constexpr OptionSpec kBetas{.name = "betas",
                            .type = OptionType::numbers,
                            .initial = "[0.9, 0.999]",
                            .range = fraction(),
                            .length = 2,
                            .doc = "decay of the running mean and running square of gradients"};
constexpr OptionSpec kEps{
    .name = "eps", .initial = "1e-8", .range = at_least(0), .doc = "added to the denominator"};
constexpr OptionSpec kAdamOptions[] = {kLr, kBetas, kEps,
                                       weight_decay("0", "added to the gradient")};
constexpr OptionSpec kAdamWOptions[] = {
    kLr, kBetas, kEps, weight_decay("0.01", "decoupled: shrinks the parameter itself")};

using Params = std::span<const Parameter>;
using Groups = std::span<const ParamGroup>;

template <class Options>
Options adam_options(const OptionValues& values, Groups groups) {
  const auto& betas = values.numbers("betas");
  return {.lr = values.number("lr"),
          .betas = {betas[0], betas[1]},
          .eps = values.number("eps"),
          .weight_decay = values.number("weight_decay"),
          .groups = {groups.begin(), groups.end()}};
}

Optimizer make_sgd(Params parameters, const OptionValues& v, Groups groups) {
  return SGD(parameters, {.lr = v.number("lr"),
                          .momentum = v.number("momentum"),
                          .dampening = v.number("dampening"),
                          .nesterov = v.boolean("nesterov"),
                          .weight_decay = v.number("weight_decay"),
                          .groups = {groups.begin(), groups.end()}});
}
Optimizer make_adam(Params parameters, const OptionValues& v, Groups groups) {
  return Adam(parameters, adam_options<AdamOptions>(v, groups));
}
Optimizer make_adamw(Params parameters, const OptionValues& v, Groups groups) {
  return AdamW(parameters, adam_options<AdamWOptions>(v, groups));
}

}  // namespace

SGD::SGD(std::span<const Parameter> parameters, const SGDOptions& o)
    : Optimizer(parameters, sgd_rule(o), o.lr, o.weight_decay, o.groups) {}

Adam::Adam(std::span<const Parameter> parameters, const AdamOptions& o)
    : Optimizer(parameters, adam_rule(o, false), o.lr, o.weight_decay, o.groups) {}

AdamW::AdamW(std::span<const Parameter> parameters, const AdamWOptions& o)
    : Optimizer(parameters, adam_rule(o, true), o.lr, o.weight_decay, o.groups) {}

Registry<OptimizerFactory>& optimizer_registry() {
  static Registry<OptimizerFactory>* const registry = [] {
    auto* made = new Registry<OptimizerFactory>("optimizer");
    made->add({"sgd", "stochastic gradient descent, with momentum", kSgdOptions, make_sgd});
    made->add({"adam", "Adam; weight decay is added to the gradient", kAdamOptions, make_adam});
    made->add({"adamw", "Adam with decoupled weight decay", kAdamWOptions, make_adamw});
    return made;
  }();
  return *registry;
}

}  // namespace weft::optim
