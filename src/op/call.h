// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "op/dispatch.h"
#include "weft/op/registry.h"

namespace weft {

/// Where the registry put the op of a record; set when the op's family registers it.
template <const OpDef& D>
inline constinit OpEntry* entry_of = nullptr;

template <const OpDef& D>
void register_op() {
  entry_of<D> = &add_op(D);
}

template <const OpDef& D>
OpEntry* entry() {
  if (entry_of<D> == nullptr) [[unlikely]]
    ensure_registered();
  return entry_of<D>;
}

/// Calls a built-in op with one output: `call<kGelu>(GeluAttrs{...}, x)`.
template <const OpDef& D, class A, class... T>
Tensor call(const A& attrs, const T&... inputs) {
  static_assert(D.outputs.count == 1);
  const Tensor* in[] = {&inputs...};
  return dispatch_one(entry<D>(), &attrs, in);
}

/// Calls a built-in op with several outputs, or with outputs the caller names:
/// `call_into<kLinearGrad>(attrs, {.want = mask, .into = dests}, g, x, w)`.
template <const OpDef& D, class A, class... T>
Outputs call_into(const A& attrs, const CallOptions& options, const T&... inputs) {
  const Tensor* in[] = {&inputs...};
  return dispatch(entry<D>(), &attrs, in, options);
}

/// Calls a built-in op that takes lists: `lists` holds the declared inputs in order.
template <const OpDef& D, class A>
Outputs call_lists(const A& attrs, std::initializer_list<std::span<const Tensor>> lists,
                   const CallOptions& options = {}) {
  return dispatch_lists(entry<D>(), &attrs, lists, options);
}

}  // namespace weft
