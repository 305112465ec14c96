// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "weft/op/node.h"
#include "weft/op/observer.h"

namespace weft {

/// Follows one thread's step, call by call. Unlike an Observer it belongs to the thread, sees the
/// tensors that calls create and may refuse what cannot be replayed.
class StepRecorder {
 public:
  virtual ~StepRecorder() = default;
  /// After a kernel ran. Calls inside a composite are the ones that count; the composite is not
  /// seen.
  virtual void kernel(const OpEvent& event) = 0;
  /// After a copy between devices.
  virtual void copied(const Tensor& target, const Tensor& source) = 0;
  /// Before the step reads or changes a leaf's gradient.
  virtual void leaf(LeafGrad& leaf) = 0;
  /// Before the step uses derived copy `index` of `leaf`, which is current or about to be
  /// refreshed.
  virtual void derived(const Tensor& leaf, std::size_t index, bool current) = 0;
  virtual void host_action(const std::function<void()>& action,
                           const std::function<void()>& resend) = 0;
  /// The host reads a tensor's value: a replay would not.
  virtual void host_read(const Tensor& tensor) = 0;
  virtual void refuse(std::string reason) = 0;
};

/// Tells this thread's recorder, if any, of a leaf that is about to be used.
void note_leaf(LeafGrad& leaf);

/// Makes `recorder` follow this thread until destroyed.
class RecorderScope {
 public:
  explicit RecorderScope(StepRecorder& recorder);
  ~RecorderScope();
  RecorderScope(const RecorderScope&) = delete;
  RecorderScope& operator=(const RecorderScope&) = delete;

 private:
  StepRecorder* saved_;
};

/// While it lives, ops on this thread run the variant of this name (`composite` names the composite
/// form) where their slot has it; with `required`, Error(unsupported) where it is missing or does
/// not apply.
class WEFT_API VariantPin {
 public:
  explicit VariantPin(const char* variant, bool required = true);
  ~VariantPin();
  VariantPin(const VariantPin&) = delete;
  VariantPin& operator=(const VariantPin&) = delete;

 private:
  const char* saved_;
  bool saved_required_;
};

}  // namespace weft
