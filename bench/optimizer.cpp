// SPDX-License-Identifier: Apache-2.0
// Optimizer steps over 64 MiB of f32 parameters, one thread.
#include "weft/ops/optimizer.h"

#include "bench/copy_rate.h"
#include "weft/core/threads.h"

namespace weft::bench {
namespace {

/// `count` parameters of equal size that make 64 MiB together.
struct Parameters {
  Tensor state, groups, updates;
  std::vector<Tensor> params, grads, first, second;

  explicit Parameters(std::int64_t count) {
    StepSettings settings;
    settings.groups[0] = {1e-3, 0.01};
    settings.clip_norm = 1;
    state = make_step_state(settings);
    groups = empty({count}, {.dtype = DType::i32}).fill_(0);
    updates = empty({count}, {.dtype = DType::i32}).fill_(0);
    const std::int64_t each = kBytes / 4 / count;
    for (std::int64_t i = 0; i < count; ++i) {
      params.push_back(empty({each}).fill_(0.5));
      grads.push_back(empty({each}).fill_(0.25));
      first.push_back(empty({each}).fill_(0));
      second.push_back(empty({each}).fill_(0));
    }
  }
  UpdateTargets targets() const { return {state, groups, updates, params, grads}; }
};

void BeginUpdate(benchmark::State& state) {
  set_num_threads(1);
  Parameters p(state.range(0));
  measure_traffic(state, static_cast<double>(kBytes),
                  [&] { begin_update(p.state, p.updates, p.grads); });
}
BENCHMARK(BeginUpdate)->Arg(1)->Arg(256)->Unit(benchmark::kMillisecond);

void Sgd(benchmark::State& state) {
  set_num_threads(1);
  Parameters p(state.range(0));
  begin_update(p.state, p.updates, p.grads);
  measure_traffic(state, 5.0 * static_cast<double>(kBytes),
                  [&] { sgd_step(p.targets(), p.first, {.momentum = 0.9}); });
}
BENCHMARK(Sgd)->Arg(1)->Arg(256)->Unit(benchmark::kMillisecond);

void AdamW(benchmark::State& state) {
  set_num_threads(1);
  Parameters p(state.range(0));
  begin_update(p.state, p.updates, p.grads);
  measure_traffic(state, 7.0 * static_cast<double>(kBytes),
                  [&] { adam_step(p.targets(), p.first, p.second); });
}
BENCHMARK(AdamW)->Arg(1)->Arg(256)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace weft::bench

BENCHMARK_MAIN();
