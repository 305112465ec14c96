// SPDX-License-Identifier: Apache-2.0
#include "weft/metric/metric.h"

#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/core/backend.h"

namespace weft::metric {

namespace {
constexpr std::size_t kMaxPendingBytes = std::size_t{64} << 20;
}

Metric::~Metric() = default;

MetricSet::MetricSet(std::vector<MetricPtr> metrics) {
  for (MetricPtr& metric : metrics) {
    if (find(metric->name()) != nullptr) {
      throw Error(ErrorKind::value, cat("metrics: `", metric->name(), "` is listed twice"),
                  "list each metric once");
    }
    metrics_.push_back(std::move(metric));
  }
}

void MetricSet::update(const Tensor& output, const Tensor& target) {
  if (metrics_.empty()) return;
  pending_.emplace_back(output.detach(), target);
  pending_bytes_ += output.nbytes() + target.nbytes();
  const bool at_once = backend_of(output.device()).is_host();
  if (at_once || pending_bytes_ > kMaxPendingBytes) drain();
}

void MetricSet::drain() {
  const auto batches = std::move(pending_);
  pending_.clear();
  pending_bytes_ = 0;
  for (const auto& [output, target] : batches) {
    const Tensor host_output = output.to(Device());
    const Tensor host_target = target.to(Device());
    for (const MetricPtr& metric : metrics_) metric->update(host_output, host_target);
  }
}

std::vector<std::pair<std::string, Value>> MetricSet::compute() {
  drain();
  std::vector<std::pair<std::string, Value>> out;
  for (const MetricPtr& metric : metrics_) out.emplace_back(metric->name(), metric->compute());
  return out;
}

void MetricSet::reset() {
  pending_.clear();
  pending_bytes_ = 0;
  for (const MetricPtr& metric : metrics_) metric->reset();
}

const Metric* MetricSet::find(std::string_view name) const {
  for (const MetricPtr& metric : metrics_) {
    if (metric->name() == name) return metric.get();
  }
  return nullptr;
}

}  // namespace weft::metric
