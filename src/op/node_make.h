// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <new>

#include "core/small_alloc.h"
#include "core/thread_state.h"
#include "weft/op/node.h"

// In a header so that dispatch inlines it: recording is half of what a small op with a gradient
// costs.
namespace weft {

namespace detail {

template <class T>
inline T* carve(std::byte*& at, std::size_t count) {
  auto* first = reinterpret_cast<T*>(at);
  at += count * sizeof(T);
  return first;
}

template <class T>
inline T* carve_empty(std::byte*& at, std::size_t count) {
  T* first = carve<T>(at, count);
  for (std::size_t i = 0; i < count; ++i) ::new (first + i) T;
  return first;
}

}  // namespace detail

[[gnu::always_inline]] inline Node* Node::make(const Sizes& sizes) {
  const std::uint32_t saved_in = sizes.saves_inputs ? sizes.inputs : 0;
  const std::uint32_t saved_out = sizes.saves_outputs ? sizes.outputs : 0;
  const std::size_t bytes = sizeof(Node) + sizes.inputs * (sizeof(Edge) + sizeof(Meta)) +
                            (saved_in + saved_out) * sizeof(Saved) +
                            sizes.outputs * sizeof(Tensor) + sizes.attrs_bytes;
  const bool small = bytes <= kSmallMaxPayload;
  void* block = small ? small_alloc(bytes, thread_state.owner()) : ::operator new(bytes);
  Node* node = ::new (block) Node;
  node->small_block_ = small;
  node->input_count_ = sizes.inputs;
  node->output_count_ = static_cast<std::uint8_t>(sizes.outputs);
  node->saved_input_count_ = saved_in;
  node->saved_output_count_ = static_cast<std::uint8_t>(saved_out);
  std::byte* at = static_cast<std::byte*>(block) + sizeof(Node);
  node->edges_ = detail::carve<Edge>(at, sizes.inputs);
  node->inputs_ = detail::carve<Meta>(at, sizes.inputs);
  node->saved_ = detail::carve_empty<Saved>(at, saved_in + saved_out);
  node->grads_ = detail::carve<Tensor>(at, sizes.outputs);
  if (sizes.outputs != 0) ::new (node->grads_) Tensor;  // one is common, and not worth a memset
  for (std::uint32_t i = 1; i < sizes.outputs; ++i) ::new (node->grads_ + i) Tensor;
  node->attrs = at;
  return node;
}

}  // namespace weft
