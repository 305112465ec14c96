// SPDX-License-Identifier: Apache-2.0
#include "weft/metric/classification.h"
#include "weft/metric/metric.h"
#include "weft/metric/regression.h"

namespace weft::metric {
namespace {

constexpr OptionSpec kAverageOptions[] = {
    {.name = "average",
     .type = OptionType::text,
     .initial = "macro",
     .choices = "micro|macro|weighted",
     .doc = "how the classes' figures become one"},
};

Average average_of(const OptionValues& options) {
  const std::string& text = options.text("average");
  if (text == "micro") return Average::micro;
  return text == "macro" ? Average::macro : Average::weighted;
}

MetricFactory class_score(ClassScore score) {
  return [score](const OptionValues& options, const MetricTask& task) -> MetricPtr {
    return std::make_shared<ClassScoreMetric>(score, average_of(options), task.ignore_index);
  };
}

template <class M>
MetricPtr make(const OptionValues&, const MetricTask&) {
  return std::make_shared<M>();
}

MetricPtr make_accuracy(const OptionValues&, const MetricTask& task) {
  return std::make_shared<Accuracy>(task.ignore_index);
}

}  // namespace

Registry<MetricFactory>& metric_registry() {
  static Registry<MetricFactory>* const registry = [] {
    auto* made = new Registry<MetricFactory>("metric");
    made->add({"accuracy", "share of samples classified right", {}, make_accuracy});
    made->add({"precision", "share of a class's predictions that are right", kAverageOptions,
               class_score(ClassScore::precision)});
    made->add({"recall", "share of a class's samples that are found", kAverageOptions,
               class_score(ClassScore::recall)});
    made->add({"f1", "harmonic mean of precision and recall", kAverageOptions,
               class_score(ClassScore::f1)});
    made->add({"mae", "mean absolute error", {}, make<MAE>});
    made->add({"r2", "coefficient of determination", {}, make<R2>});
    return made;
  }();
  return *registry;
}

}  // namespace weft::metric
