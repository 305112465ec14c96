// SPDX-License-Identifier: Apache-2.0
#include "weft/loss/loss.h"

#include <numeric>

#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/ops/pointwise.h"
#include "weft/ops/reduce.h"

namespace weft::loss {

Loss::Loss(std::string name, Function function)
    : name_(std::move(name)), function_(std::move(function)) {}

CrossEntropy::CrossEntropy(const CrossEntropyOptions& options)
    : Loss("cross_entropy", [options](const Tensor& output, const Tensor& target) {
        return cross_entropy(output, target, options);
      }) {}

namespace {

// Broadcasting would turn [N, 1] against [N] into N·N differences.
Tensor mean_squared_error(const Tensor& output, const Tensor& target) {
  if (output.shape() != target.shape()) {
    throw Error(ErrorKind::shape,
                cat("mse: output is ", describe(output), " but target is ", describe(target)),
                "give the last layer one output for each target column");
  }
  const Tensor difference = sub(output, target);
  return mean(mul(difference, difference));
}

}  // namespace

MSE::MSE() : Loss("mse", mean_squared_error) {}

std::vector<double> balanced_weights(const std::vector<std::int64_t>& class_counts) {
  const auto samples = std::accumulate(class_counts.begin(), class_counts.end(), std::int64_t{0});
  std::vector<double> out;
  for (const std::int64_t count : class_counts) {
    const double share = static_cast<double>(class_counts.size()) * static_cast<double>(count);
    out.push_back(count == 0 ? 0 : static_cast<double>(samples) / share);
  }
  return out;
}

namespace {

constexpr OptionSpec kCrossEntropyOptions[] = {
    {.name = "label_smoothing",
     .initial = "0",
     .range = between(0, 1),
     .doc = "share of the target spread evenly over all classes"},
    {.name = "class_weights",
     .type = OptionType::numbers,
     .initial = "null",
     .range = at_least(0),
     .choices = "balanced",
     .doc = "a factor for each class; balanced: all classes weigh the same together"},
    {.name = "ignore_index",
     .type = OptionType::integer,
     .initial = "null",
     .doc = "a target that counts for nothing"},
};

Tensor class_weights(const OptionValues& options, const LossTask& task) {
  if (options.is_null("class_weights")) return {};
  if (options.is_text("class_weights") && task.class_counts.empty()) {
    throw Error(ErrorKind::value,
                "cross_entropy: class_weights is balanced but the target has no classes",
                "give a list, or a category target");
  }
  const std::vector<double> weights = options.is_text("class_weights")
                                          ? balanced_weights(task.class_counts)
                                          : options.numbers("class_weights");
  if (!task.class_counts.empty() && weights.size() != task.class_counts.size()) {
    throw Error(ErrorKind::value,
                cat("cross_entropy: class_weights has ", weights.size(),
                    " values but the target has ", task.class_counts.size(), " classes"));
  }
  const auto count = static_cast<std::int64_t>(weights.size());
  return Tensor::from(std::vector<float>(weights.begin(), weights.end()), {count}, task.device);
}

Loss make_cross_entropy(const OptionValues& options, const LossTask& task) {
  CrossEntropyOptions out;
  out.label_smoothing = options.number("label_smoothing");
  out.weight = class_weights(options, task);
  if (!options.is_null("ignore_index")) out.ignore_index = options.integer("ignore_index");
  return CrossEntropy(out);
}

}  // namespace

Registry<LossFactory>& loss_registry() {
  static Registry<LossFactory>* const registry = [] {
    auto* made = new Registry<LossFactory>("loss");
    made->add({"cross_entropy", "softmax cross-entropy of logits against classes",
               kCrossEntropyOptions, make_cross_entropy});
    made->add({"mse", "mean squared error", {}, [](const OptionValues&, const LossTask&) -> Loss {
                 return MSE();
               }});
    return made;
  }();
  return *registry;
}

}  // namespace weft::loss
