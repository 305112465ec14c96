// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "graph/step_recording.h"

namespace weft {

/// A finished recording, bound to memory: what a replay runs.
class StepReplay {
 public:
  /// `outputs` are the tensors that the recorded step returned; `base` is the counter that its
  /// random draws are relative to (may be undefined).
  StepReplay(std::unique_ptr<StepRecording> recording, std::span<const Tensor> outputs, Tensor base,
             std::uint64_t draws);
  ~StepReplay();
  StepReplay(const StepReplay&) = delete;
  StepReplay& operator=(const StepReplay&) = delete;

  /// Places buffers and fixes addresses. Call once the recorded outputs have been let go.
  void bind();
  bool accepts(std::span<const Tensor> inputs) const;
  /// Host actions, random base, kernels, versions, sinks; returns copies of the outputs.
  std::vector<Tensor> run(std::span<const Tensor> inputs);
  /// The kernels and the outputs alone: what `verify` repeats.
  std::vector<Tensor> run_device(std::span<const Tensor> inputs, std::uint64_t first_draw);
  /// Tensors over everything that lives on and that the step writes.
  std::vector<Tensor> written() const;

  std::size_t call_count() const { return recording_->calls.size(); }
  std::size_t planned_bytes() const { return planned_bytes_; }
  std::size_t unplanned_bytes() const { return unplanned_bytes_; }
  const StepRecording& recording() const { return *recording_; }

 private:
  void place_buffers();
  void bind_calls();
  void bind_inputs(std::span<const Tensor> inputs);
  void run_calls();
  void capture_calls();
  void settle();

  struct InputPatch {
    std::byte** at;
    std::size_t input;
    std::size_t offset;
  };
  struct OutputPlace {
    bool present = false;
    std::byte** at = nullptr;  ///< of the buffer
    std::size_t offset = 0;
    Shape shape;
    DType dtype = DType::f32;
  };

  std::unique_ptr<StepRecording> recording_;
  std::vector<OutputPlace> outputs_;
  std::vector<InputPatch> patches_;
  std::vector<Tensor> static_inputs_;  ///< where a captured stream reads its inputs
  StorageRef arena_;
  Tensor base_;
  std::uint64_t draws_ = 0;
  std::size_t planned_bytes_ = 0;
  std::size_t unplanned_bytes_ = 0;
  Backend* backend_ = nullptr;
  Stream stream_;
  void* captured_ = nullptr;
};

}  // namespace weft
