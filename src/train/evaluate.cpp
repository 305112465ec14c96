// SPDX-License-Identifier: Apache-2.0
#include "weft/train/evaluate.h"

#include <deque>

#include "train/readback.h"
#include "train/samples.h"
#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/nn/eval_scope.h"

namespace weft {

std::optional<double> find_value(const NamedValues& values, std::string_view name) {
  for (const auto& [key, value] : values) {
    if (key == name) return value;
  }
  return {};
}

Evaluation evaluate(nn::Module& model, const loss::Loss& loss, metric::MetricSet& metrics,
                    data::DataLoader& batches, const EvaluateOptions& options) {
  const nn::EvalScope scope(model);
  metrics.reset();
  std::deque<std::pair<Readback, double>> losses;
  Evaluation out;
  std::int64_t count = 0;
  for (data::Batch& batch : batches) {
    if (options.max_batches && count++ == *options.max_batches) break;
    if (!batch.y.defined()) {
      throw Error(ErrorKind::value, "evaluate: the dataset has no targets", "use predict");
    }
    const Tensor output = samples_of(model(batch.x.to(options.device)), batch.size);
    const Tensor target = samples_of(batch.y, batch.size).to(options.device);
    losses.emplace_back(Readback({loss(output, target)}), static_cast<double>(batch.size));
    metrics.update(output, target);
    out.samples += batch.size;
  }
  metric::WeightedMean mean;
  for (auto& [readback, weight] : losses) {
    readback.wait();
    mean.add(readback.value(0), weight);
  }
  out.values.emplace_back("loss", mean.value());
  for (const auto& [name, value] : metrics.compute()) {
    out.values.emplace_back(name, value.value);
    if (!value.note.empty()) out.notes.push_back(value.note);
  }
  return out;
}

namespace {

/// Room for all outputs, made when the first one shows their shape.
class Collector {
 public:
  explicit Collector(std::int64_t samples) : samples_(samples) {}
  void add(const Tensor& output) {
    if (!all_.defined()) {
      all_ = empty(output.shape().with(0, samples_), {.dtype = output.dtype(), .device = Device()});
    }
    const std::int64_t end = filled_ + output.shape()[0];
    all_.slice(filled_, end).copy_(output);
    filled_ = end;
  }
  Tensor take() const { return filled_ == samples_ ? all_ : all_.slice(0, filled_); }

 private:
  std::int64_t samples_;
  std::int64_t filled_ = 0;
  Tensor all_;
};

}  // namespace

Tensor predict(nn::Module& model, data::DataLoader& batches, const EvaluateOptions& options) {
  const nn::EvalScope scope(model);
  Collector outputs(batches.dataset().size());
  std::int64_t count = 0;
  for (data::Batch& batch : batches) {
    if (options.max_batches && count == *options.max_batches) break;
    outputs.add(samples_of(model(batch.x.to(options.device)), batch.size));
    ++count;
  }
  if (count == 0) throw Error(ErrorKind::value, "predict: there are no samples");
  return outputs.take();
}

}  // namespace weft
