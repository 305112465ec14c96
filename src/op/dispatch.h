// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <span>

#include "weft/op/registry.h"

namespace weft {

/// What a caller may ask of dispatch beyond the inputs.
struct CallOptions {
  /// Bits of optional outputs to make, besides those that the tape saves.
  std::uint32_t want = 0;
  /// Destinations by output index; an undefined tensor means a new one.
  std::span<const Dest> into = {};
  /// Reuses the address of an earlier draw (backward of a random op) instead of drawing afresh.
  const RandomAddress* random = nullptr;
};

/// The one way an op runs: autocast, same device, infer, choose kernel, allocate, run, record.
Outputs dispatch(OpEntry* op, const void* attrs, std::span<const Tensor* const> inputs);
Outputs dispatch(OpEntry* op, const void* attrs, std::span<const Tensor* const> inputs,
                 const CallOptions& options);
/// For ops that declare one output.
Tensor dispatch_one(OpEntry* op, const void* attrs, std::span<const Tensor* const> inputs);
/// The same for ops with list inputs: one span per declared input.
Outputs dispatch_lists(OpEntry* op, const void* attrs,
                       std::initializer_list<std::span<const Tensor>> inputs,
                       const CallOptions& options = {});

}  // namespace weft
