// SPDX-License-Identifier: Apache-2.0
#include "weft/op/node.h"

#include <new>

#include "core/small_alloc.h"
#include "core/thread_state.h"

namespace weft {

LeafGrad::~LeafGrad() = default;

LeafGrad& leaf_of(const Tensor& tensor) {
  TensorImpl* impl = tensor.impl();
  if (impl->node != nullptr) {
    throw Error(ErrorKind::state, cat(describe(tensor), " was computed by ", node_of(impl)->name(),
                                      ": only leaves own a gradient"));
  }
  if (impl->leaf == nullptr) {
    auto* leaf = new LeafGrad;
    leaf->shape = impl->shape;
    leaf->dtype = impl->dtype;
    leaf->device = impl->storage->device;
    impl->leaf = leaf;
  }
  return *static_cast<LeafGrad*>(impl->leaf);
}

namespace {

template <class T>
T* carve(std::byte*& at, std::size_t count) {
  auto* first = reinterpret_cast<T*>(at);
  at += count * sizeof(T);
  return first;
}

template <class T>
T* carve_empty(std::byte*& at, std::size_t count) {
  T* first = carve<T>(at, count);
  for (std::size_t i = 0; i < count; ++i) ::new (first + i) T;
  return first;
}

}  // namespace

Node* Node::make(const Sizes& sizes) {
  const std::uint32_t saved_in = sizes.saves_inputs ? sizes.inputs : 0;
  const std::uint32_t saved_out = sizes.saves_outputs ? sizes.outputs : 0;
  const std::size_t bytes = sizeof(Node) + sizes.inputs * (sizeof(Edge) + sizeof(Meta)) +
                            (saved_in + saved_out) * sizeof(Saved) + sizes.outputs * sizeof(Tensor) +
                            sizes.attrs_bytes;
  const bool small = bytes <= kSmallMaxPayload;
  void* block = small ? small_alloc(bytes, thread_state.owner()) : ::operator new(bytes);
  Node* node = ::new (block) Node;
  node->small_block_ = small;
  node->input_count_ = sizes.inputs;
  node->output_count_ = static_cast<std::uint8_t>(sizes.outputs);
  node->saved_input_count_ = saved_in;
  node->saved_output_count_ = static_cast<std::uint8_t>(saved_out);
  std::byte* at = static_cast<std::byte*>(block) + sizeof(Node);
  node->edges_ = carve_empty<Edge>(at, sizes.inputs);
  node->inputs_ = carve<Meta>(at, sizes.inputs);
  node->saved_ = carve_empty<Saved>(at, saved_in + saved_out);
  node->grads_ = carve_empty<Tensor>(at, sizes.outputs);
  node->attrs = at;
  return node;
}

std::string_view Node::name() const { return op != nullptr ? op->name() : function_name; }

void Node::set_edge(std::size_t i, const TensorImpl* input) {
  if (!input->requires_grad) return;
  Edge& edge = edges_[i];
  edge.is_leaf = input->node == nullptr;
  if (edge.is_leaf && input->leaf == nullptr) [[unlikely]] {
    // A leaf made with `requires_grad` gets its record at its first use.
    leaf_of(Tensor(Ref<TensorImpl>::share(const_cast<TensorImpl*>(input))));
  }
  edge.target = edge.is_leaf ? input->leaf : input->node;
  edge.output_index = input->output_index;
  edge.target->retain();
}

void Node::save(Saved& slot, TensorImpl* tensor) noexcept {
  tensor->retain();
  slot = {tensor, tensor->storage->version};
}

void Node::release_saved() noexcept {
  for (std::uint32_t i = 0; i < saved_input_count_ + saved_output_count_; ++i) {
    if (saved_[i].tensor != nullptr) std::exchange(saved_[i].tensor, nullptr)->release();
  }
  function.reset();
  released = true;
}

inline void Node::drop_references() noexcept {
  if (!released) release_saved();
  for (std::uint32_t i = 0; i < input_count_; ++i) {
    if (edges_[i].target != nullptr) edges_[i].target->release();
  }
  for (std::uint32_t i = 0; i < output_count_; ++i) grads_[i].~Tensor();
}

namespace {
constinit thread_local Node* doomed = nullptr;
constinit thread_local bool destroying = false;
}  // namespace

void Node::destroy() noexcept {
  next_doomed_ = std::exchange(doomed, this);
  if (destroying) return;
  destroying = true;
  while (doomed != nullptr) {
    Node* node = std::exchange(doomed, doomed->next_doomed_);
    node->drop_references();
    const bool small = node->small_block_;
    node->~Node();
    if (small) {
      small_free(node);
    } else {
      ::operator delete(static_cast<void*>(node));
    }
  }
  destroying = false;
}

}  // namespace weft
