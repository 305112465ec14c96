// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "op/recorder.h"
#include "weft/core/tensor.h"

namespace weft {

/// What a leaf looked like when the step first touched it, and when the step ended.
struct LeafGuard {
  Ref<LeafGrad> leaf;
  bool filled_before = false;
  bool filled_after = false;

  bool holds() const { return leaf->filled == filled_before; }
};

/// A derived copy that the step used: current when it began to, or refreshed by the step.
struct DerivedGuard {
  Tensor leaf;
  std::size_t index = 0;
  bool current = false;

  DerivedCopy& copy() const { return leaf_if_any(leaf.impl())->derived[index]; }
  bool holds() const { return (copy().version == leaf.version()) == current; }
};

/// Where a tensor of a recorded call lies.
struct BufferUse {
  std::size_t buffer = 0;
  std::size_t offset = 0;
};

/// One run of memory that recorded calls touch.
struct Buffer {
  enum class Kind : std::uint8_t {
    outside,  ///< lives on: parameters, state, constants
    input,    ///< an input of the step
    inside,   ///< made and dropped within the step: planned
  };
  Kind kind = Kind::inside;
  StorageRef storage;  ///< outside: kept for good; else only while recording
  std::size_t bytes = 0;
  std::size_t input = 0;   ///< which input
  std::size_t origin = 0;  ///< where the input begins in its storage
  std::size_t first = 0;   ///< first and last call that touch it
  std::size_t last = 0;
  bool written = false;
  std::byte* data = nullptr;  ///< where it lies in a replay
};

/// A kernel call, or a copy between devices (`row == nullptr`).
struct RecordedCall {
  const KernelRow* row = nullptr;
  const OpEntry* op = nullptr;
  KernelArgs args;
  std::vector<std::byte> attrs;
  std::vector<TensorArg> tensors;  ///< inputs, then outputs
  std::vector<BufferUse> uses;     ///< of `tensors`
  std::vector<Shape> shapes;
  std::vector<std::uint16_t> list_begin;
  std::optional<std::size_t> workspace;  ///< buffer
  CopyKind copy = CopyKind::within;
};

/// Follows a step: always digests it, and with `capture` keeps what a replay needs.
class StepRecording final : public StepRecorder {
 public:
  explicit StepRecording(bool capture) : capture_(capture) {}

  void kernel(const OpEvent& event) override;
  void copied(const Tensor& target, const Tensor& source) override;
  void leaf(LeafGrad& leaf) override;
  void derived(const Tensor& leaf, std::size_t index, bool current) override;
  void host_action(const std::function<void()>& action,
                   const std::function<void()>& resend) override;
  void host_read(const Tensor& tensor) override;
  void refuse(std::string reason) override;

  /// After the step: decides which buffers outlive it. Call when no tensor of the step is left but
  /// those that really live on.
  void finish();
  void add_input(const Tensor& input, std::size_t index);

  std::uint64_t digest() const { return digest_; }
  const std::string& refusal() const { return refusal_; }

  std::vector<RecordedCall> calls;
  std::vector<Buffer> buffers;
  std::vector<LeafGuard> leaves;
  std::vector<DerivedGuard> copies;
  std::vector<std::function<void()>> actions;
  std::vector<std::function<void()>> resends;
  std::optional<Device> device;

 private:
  std::size_t buffer_of(const StorageRef& storage, bool written, bool fresh);
  BufferUse use_of(const Tensor& tensor, bool written, bool fresh);
  void mix(std::uint64_t value);
  void mix_bytes(const void* data, std::size_t size);
  void digest_event(const OpEvent& event);
  void see_device(Device seen);

  bool capture_;
  std::uint64_t digest_ = 14695981039346656037ull;
  std::string refusal_;
  std::map<Storage*, std::size_t> known_;
};

/// Places the inside buffers of a recording in one run of memory, by lifetime. Returns its bytes.
std::size_t plan_memory(std::vector<Buffer>& buffers, std::vector<std::size_t>& offsets);

}  // namespace weft
