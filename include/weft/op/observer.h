// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "weft/core/context.h"
#include "weft/op/registry.h"

namespace weft {

/// One run of one kernel or composite, as observers see it.
struct OpEvent {
  const OpEntry& op;
  const KernelRow* row;  ///< nullptr for a composite
  const KernelArgs& args;
  std::span<const Tensor* const> inputs;
  std::span<const Tensor> outputs;
  std::uint16_t path;  ///< module path (`path_text`)
  bool backward;
  int depth;  ///< > 0 inside a composite
};

/// Watches the run stage of dispatch. Attach with ObserverScope; costs nothing while none is
/// attached.
class WEFT_API Observer {
 public:
  virtual ~Observer();
  virtual void before(const OpEvent&) {}
  virtual void after(const OpEvent&) {}
  /// The host is about to read the value of `tensor`.
  virtual void host_read(const Tensor&) {}
};

/// Attaches an observer to the current session for its lifetime.
class WEFT_API ObserverScope {
 public:
  explicit ObserverScope(Observer& observer);
  ~ObserverScope();
  ObserverScope(const ObserverScope&) = delete;
  ObserverScope& operator=(const ObserverScope&) = delete;

 private:
  Observer* observer_;
  Session* session_;
};

/// Calls that ran on the CPU for tensors of another device, by op name.
WEFT_API std::map<std::string, std::uint64_t> fallback_counts();

}  // namespace weft
