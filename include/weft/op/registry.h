// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weft/op/op.h"

namespace weft {

/// A registered op: its record, its rows, and what registration worked out. Lives for ever, never
/// moves.
struct OpEntry {
  OpDef def;
  const void* user = nullptr;
  std::uint16_t id = 0;
  std::uint8_t input_count = 0;   ///< declared
  std::uint8_t output_count = 0;  ///< declared
  std::uint8_t save_count = 0;    ///< entries of `def.saves` in use
  std::uint32_t optional_inputs = 0;
  std::uint32_t list_inputs = 0;
  std::uint32_t optional_outputs = 0;
  std::string_view label;  ///< the name
  KernelTable kernels;

  std::string_view name() const { return label; }
  std::string_view input_name(int i) const;
  std::string_view output_name(int i) const;
};

struct AddOpOptions {
  const void* user = nullptr;
  void (*release)(const void* user) = nullptr;
  /// Replaces an op of the same name for later look-ups; otherwise a duplicate is Error(value).
  bool replace = false;
  /// Checked against the record when given: `acme_swish(x, bias?, *, beta: real = 1) -> y`.
  std::string_view signature = {};
};

/// Registers an op; copies all strings. Throws Error(value) on a bad or duplicate record.
WEFT_API OpEntry& add_op(const OpDef& def, const AddOpOptions& options = {});

/// The op called `name`, or nullptr.
WEFT_API OpEntry* find_op(std::string_view name);
/// Throws Error(unsupported) with near names.
WEFT_API OpEntry& op_named(std::string_view name);
/// All ops, by name.
WEFT_API std::vector<const OpEntry*> all_ops();
/// `layer_norm(x, weight?, bias?, *, dims: integer = 1, eps: real = 1e-05) -> (y, mean?, rstd?)`
WEFT_API std::string signature_text(const OpEntry& op);

/// Adds one kernel row for each dtype. Throws Error(unsupported) when the op is not registered.
WEFT_API void add_kernel(std::string_view op, DeviceKind kind, std::initializer_list<DType> dtypes,
                         const KernelRow& row);

/// Runs an op that was registered with `add_op`. `attrs` must be the record's attribute struct.
/// Throws what inference and the kernel throw, Error(device) on mixed devices, Error(unsupported)
/// when no kernel fits (listing those that exist).
WEFT_API Outputs call_op(OpEntry& op, const void* attrs, std::span<const Tensor> inputs);
/// The same for ops with list inputs: one span for each declared input.
WEFT_API Outputs call_op(OpEntry& op, const void* attrs,
                         std::initializer_list<std::span<const Tensor>> lists);
template <class A>
Outputs call_op(OpEntry& op, const A& attrs, std::initializer_list<Tensor> inputs) {
  return call_op(op, static_cast<const void*>(&attrs),
                 std::span<const Tensor>(inputs.begin(), inputs.size()));
}

/// Registers the built-in ops and the CPU kernels, once; every look-up does it.
WEFT_API void ensure_registered();

}  // namespace weft
