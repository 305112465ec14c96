// SPDX-License-Identifier: Apache-2.0
#include "weft/graph/step_graph.h"

#include <algorithm>
#include <cstring>

#include "core/thread_state.h"
#include "graph/step_replay.h"
#include "op/transfer.h"
#include "weft/op/recording.h"

namespace weft {

namespace {

/// What identifies a step before it runs.
struct StepKey {
  struct Input {
    Shape shape;
    DType dtype = DType::f32;
    Device device;
    bool operator==(const Input&) const = default;
  };
  std::vector<Input> inputs;
  const Session* session = nullptr;
  std::uint64_t revision = 0;
  bool grad = true;
  bool autocast = false;
  DType autocast_dtype = DType::bf16;
  Determinism determinism = Determinism::off;
  DType dtype = DType::f32;
  Device device;
  bool operator==(const StepKey&) const = default;
};

StepKey key_of(std::span<const Tensor> inputs) {
  const Settings& settings = current_settings();
  StepKey key{{},
              &current_session(),
              current_session().revision(),
              settings.grad,
              settings.autocast,
              settings.autocast_dtype,
              settings.determinism,
              settings.dtype,
              settings.device};
  for (const Tensor& input : inputs) {
    key.inputs.push_back(input.defined()
                             ? StepKey::Input{input.shape(), input.dtype(), input.device()}
                             : StepKey::Input{});
  }
  return key;
}

/// One way in which the step has run.
struct Entry {
  StepKey key;
  std::vector<LeafGuard> leaves;
  std::vector<DerivedGuard> copies;
  std::uint64_t digest = 0;
  bool stable = false;  ///< it ran twice with this digest
  std::string refusal;
  std::unique_ptr<StepReplay> replay;
  bool verified = false;
  std::uint64_t replays = 0;
  std::uint64_t used = 0;

  bool matches(const StepKey& other) const {
    return key == other &&
           std::all_of(leaves.begin(), leaves.end(),
                       [](const LeafGuard& g) { return g.holds(); }) &&
           std::all_of(copies.begin(), copies.end(),
                       [](const DerivedGuard& g) { return g.holds(); });
  }
};

std::vector<Tensor> detached(std::span<const Tensor> tensors) {
  std::vector<Tensor> result;
  for (const Tensor& tensor : tensors) {
    result.push_back(tensor.defined() ? tensor.detach() : Tensor());
  }
  return result;
}

std::vector<Tensor> copies_of(std::span<const Tensor> tensors) {
  std::vector<Tensor> result;
  for (const Tensor& tensor : tensors) {
    result.push_back(tensor.defined() ? transfer(tensor, tensor.device()) : Tensor());
  }
  return result;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.defined() != b.defined()) return false;
  if (!a.defined()) return true;
  const Tensor x = a.device().is_cpu() ? a : transfer(a, Device());
  const Tensor y = b.device().is_cpu() ? b : transfer(b, Device());
  return x.nbytes() == y.nbytes() &&
         (x.nbytes() == 0 || std::memcmp(x.impl()->data, y.impl()->data, x.nbytes()) == 0);
}

bool same_bits(std::span<const Tensor> a, std::span<const Tensor> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Tensor& x, const Tensor& y) { return same_bits(x, y); });
}

void overwrite(std::span<const Tensor> targets, std::span<const Tensor> sources) {
  for (std::size_t i = 0; i < targets.size(); ++i) transfer_into(targets[i], sources[i]);
}

}  // namespace

struct StepGraph::Impl {
  Step step;
  StepGraphOptions options;
  StepGraphReport report;
  std::vector<std::unique_ptr<Entry>> entries;
  std::uint64_t clock = 0;

  std::vector<Tensor> run(std::span<const Tensor> inputs);
  std::vector<Tensor> run_eager(std::span<const Tensor> inputs, std::string reason);
  std::vector<Tensor> run_digested(std::span<const Tensor> inputs, const StepKey& key,
                                   Entry* entry);
  std::vector<Tensor> run_recorded(std::span<const Tensor> inputs, Entry& entry);
  std::vector<Tensor> run_verified(std::span<const Tensor> inputs, Entry& entry);
  Entry* find(const StepKey& key);
  void forget_old(std::uint64_t revision);
};

Entry* StepGraph::Impl::find(const StepKey& key) {
  for (const auto& entry : entries) {
    if (!entry->matches(key)) continue;
    entry->used = ++clock;
    return entry.get();
  }
  return nullptr;
}

void StepGraph::Impl::forget_old(std::uint64_t revision) {
  std::erase_if(entries, [&](const auto& entry) { return entry->key.revision != revision; });
  while (entries.size() >= options.max_graphs) {
    entries.erase(std::min_element(entries.begin(), entries.end(),
                                   [](const auto& a, const auto& b) { return a->used < b->used; }));
  }
}

std::vector<Tensor> StepGraph::Impl::run(std::span<const Tensor> inputs) {
  if (is_recording()) return run_eager(inputs, "it runs inside another recorded step");
  if (current_session().observed()) return run_eager(inputs, "an observer watches the session");
  const StepKey key = key_of(inputs);
  Entry* entry = find(key);
  if (entry == nullptr || !entry->stable) return run_digested(inputs, key, entry);
  if (!entry->refusal.empty()) return run_eager(inputs, entry->refusal);
  if (!entry->replay) return run_recorded(inputs, *entry);
  if (!entry->replay->accepts(inputs)) return run_eager(inputs, "an input is not 64-byte aligned");
  const bool due = options.verify_every != 0 && entry->replays % options.verify_every == 0;
  if (!entry->verified || due) return run_verified(inputs, *entry);
  ++entry->replays;
  ++report.replayed;
  report.reason.clear();
  return entry->replay->run(inputs);
}

std::vector<Tensor> StepGraph::Impl::run_eager(std::span<const Tensor> inputs, std::string reason) {
  ++report.eager;
  report.reason = std::move(reason);
  return detached(step(inputs));
}

std::vector<Tensor> StepGraph::Impl::run_digested(std::span<const Tensor> inputs,
                                                  const StepKey& key, Entry* entry) {
  StepRecording recording(false);
  std::vector<Tensor> outputs;
  {
    const RecorderScope scope(recording);
    outputs = step(inputs);
  }
  recording.finish();
  ++report.eager;
  report.reason = "the step has not yet run twice in the same way";
  if (current_session().revision() != key.revision) {
    report.reason = "the step changed a setting (a module, optimizer, hook or load)";
    return detached(outputs);
  }
  if (entry == nullptr) {
    forget_old(key.revision);
    entry = entries.emplace_back(std::make_unique<Entry>()).get();
    entry->key = key;
    entry->used = ++clock;
  }
  entry->stable = entry->digest == recording.digest();
  entry->digest = recording.digest();
  entry->leaves = recording.leaves;
  entry->copies = recording.copies;
  entry->refusal = recording.refusal();
  if (!entry->refusal.empty()) report.reason = entry->refusal;
  return detached(outputs);
}

std::vector<Tensor> StepGraph::Impl::run_recorded(std::span<const Tensor> inputs, Entry& entry) {
  Session& session = current_session();
  Device device = current_settings().device;
  if (!inputs.empty() && inputs[0].defined()) device = inputs[0].device();
  Tensor base = empty(Shape({1}), {.dtype = DType::i64, .device = device});
  fill_tensor(base, static_cast<double>(session.random_state().draws));
  auto recording = std::make_unique<StepRecording>(true);
  for (std::size_t i = 0; i < inputs.size(); ++i) recording->add_input(inputs[i], i);
  std::vector<Tensor> outputs;
  session.begin_relative_draws(reinterpret_cast<const std::uint64_t*>(base.impl()->data), device);
  std::uint64_t draws = 0;
  try {
    const RecorderScope scope(*recording);
    outputs = step(inputs);
    draws = session.end_relative_draws();
  } catch (...) {
    session.end_relative_draws();
    throw;
  }
  ++report.recorded;
  report.reason = "the step is being recorded";
  std::vector<Tensor> results = copies_of(outputs);
  if (recording->digest() != entry.digest) {
    entry.stable = false;
    entry.digest = recording->digest();
    report.reason = "the step ran in another way than before";
    return results;
  }
  if (draws == 0) base = {};
  auto replay = std::make_unique<StepReplay>(std::move(recording), outputs, std::move(base), draws);
  outputs.clear();
  entry.refusal = replay->recording().refusal();
  if (!entry.refusal.empty()) {
    report.reason = entry.refusal;
    return results;
  }
  replay->bind();
  entry.leaves = replay->recording().leaves;
  entry.copies = replay->recording().copies;
  report.graphs = entries.size();
  report.calls = replay->call_count();
  report.planned_bytes = replay->planned_bytes();
  report.unplanned_bytes = replay->unplanned_bytes();
  entry.replay = std::move(replay);
  return results;
}

std::vector<Tensor> StepGraph::Impl::run_verified(std::span<const Tensor> inputs, Entry& entry) {
  const std::vector<Tensor> state = entry.replay->written();
  const std::vector<Tensor> before = copies_of(state);
  const std::uint64_t first_draw = current_session().random_state().draws;
  std::vector<Tensor> results = run_eager(inputs, "the recording is compared with this step");
  const std::vector<Tensor> after = copies_of(state);
  overwrite(state, before);
  for (const auto& resend : entry.replay->recording().resends) resend();
  const std::vector<Tensor> replayed = entry.replay->run_device(inputs, first_draw);
  const bool equal = same_bits(results, replayed) && same_bits(after, state);
  // The eager step is the one that counts; equal or not, its state stays.
  overwrite(state, after);
  entry.verified = equal;
  if (equal) {
    ++entry.replays;
    ++report.verified;
    return results;
  }
  entry.refusal = "its replay differed from eager";
  entry.replay.reset();
  report.reason = entry.refusal;
  if (current_settings().determinism == Determinism::error) {
    throw Error(ErrorKind::state, "capture: the replay of the step differs from its eager run",
                "an op of the step is not a function of its inputs; run with capture: off");
  }
  return results;
}

StepGraph::StepGraph(Step step, StepGraphOptions options) : impl_(std::make_unique<Impl>()) {
  impl_->step = std::move(step);
  impl_->options = options;
}
StepGraph::~StepGraph() = default;
StepGraph::StepGraph(StepGraph&&) noexcept = default;
StepGraph& StepGraph::operator=(StepGraph&&) noexcept = default;

std::vector<Tensor> StepGraph::operator()(std::span<const Tensor> inputs) {
  return impl_->run(inputs);
}

StepGraphReport StepGraph::report() const { return impl_->report; }

}  // namespace weft
