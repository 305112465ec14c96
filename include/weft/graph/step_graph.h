// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "weft/core/tensor.h"

namespace weft {

struct StepGraphOptions {
  /// Compare every n-th step's replay bit for bit with an eager run from the same state; 0 = only
  /// the first. The first comparison always happens.
  std::uint64_t verify_every = 0;
  /// Recorded steps kept at once (shapes, accumulation phases); the least recently used goes first.
  std::size_t max_graphs = 8;
};

struct StepGraphReport {
  std::uint64_t eager = 0;     ///< steps that ran op by op
  std::uint64_t recorded = 0;  ///< steps that ran op by op and were recorded
  std::uint64_t replayed = 0;  ///< steps that ran as a recorded list
  std::uint64_t verified = 0;  ///< comparisons with eager, all equal
  std::size_t graphs = 0;
  std::size_t calls = 0;            ///< kernel calls of the newest recording
  std::size_t planned_bytes = 0;    ///< its intermediate memory, planned
  std::size_t unplanned_bytes = 0;  ///< what its intermediates add up to
  std::string reason;               ///< why the last step was not replayed; empty when it was
};

/// Runs a training step (or any function of tensors) and, once it has run twice in the same way,
/// replays it as a flat list of kernel calls with planned memory: no dispatch, no allocation, no
/// tape.
///
/// The step is identified by the shapes, dtypes and devices of its inputs, the Settings, the
/// session's revision, and which gradients are empty; anything else that differs falls back to
/// eager and `report` says why. What a recording freezes: the branches taken and the attributes of
/// its ops. Values the step reads through its inputs, parameters, random draws and `host_action`s
/// stay live. Reading a value on the host inside the step, or making a tensor from host data there,
/// keeps it eager.
class WEFT_API StepGraph {
 public:
  using Step = std::function<std::vector<Tensor>(std::span<const Tensor> inputs)>;

  explicit StepGraph(Step step, StepGraphOptions options = {});
  ~StepGraph();
  StepGraph(StepGraph&&) noexcept;
  StepGraph& operator=(StepGraph&&) noexcept;

  /// One step. The results are detached and the caller's own. Throws what the step throws, and
  /// Error(state) when a comparison with eager finds a difference under `determinism: error`.
  std::vector<Tensor> operator()(std::span<const Tensor> inputs);
  StepGraphReport report() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weft
