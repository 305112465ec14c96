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
std::span<T> carve(std::byte*& at, std::size_t count) {
  auto* first = reinterpret_cast<T*>(at);
  at += count * sizeof(T);
  return {first, count};
}

template <class T>
std::span<T> carve_empty(std::byte*& at, std::size_t count) {
  const std::span<T> items = carve<T>(at, count);
  for (T& item : items) ::new (&item) T;
  return items;
}

}  // namespace

Node* Node::make(const Sizes& sizes) {
  const std::size_t saved_in = sizes.saves_inputs ? sizes.inputs : 0;
  const std::size_t saved_out = sizes.saves_outputs ? sizes.outputs : 0;
  const std::size_t bytes = sizeof(Node) + sizes.inputs * (sizeof(Edge) + sizeof(Meta)) +
                            (saved_in + saved_out) * sizeof(Saved) + sizes.outputs * sizeof(Tensor) +
                            sizes.attrs_bytes;
  const bool small = bytes <= kSmallMaxPayload;
  void* block = small ? small_alloc(bytes, thread_state.owner()) : ::operator new(bytes);
  Node* node = ::new (block) Node;
  node->small_block_ = small;
  std::byte* at = static_cast<std::byte*>(block) + sizeof(Node);
  node->edges = carve_empty<Edge>(at, sizes.inputs);
  node->inputs = carve<Meta>(at, sizes.inputs);
  node->saved_inputs = carve_empty<Saved>(at, saved_in);
  node->saved_outputs = carve_empty<Saved>(at, saved_out);
  node->grads = carve_empty<Tensor>(at, sizes.outputs);
  node->attrs = at;
  return node;
}

std::string_view Node::name() const { return op != nullptr ? op->name() : function_name; }

void Node::set_edge(std::size_t i, const TensorImpl* input) noexcept {
  if (!input->requires_grad) return;
  Edge& edge = edges[i];
  edge.is_leaf = input->node == nullptr;
  edge.target = edge.is_leaf ? input->leaf : input->node;
  edge.output_index = input->output_index;
  edge.target->retain();
}

void Node::save(Saved& slot, TensorImpl* tensor) noexcept {
  tensor->retain();
  slot = {tensor, tensor->storage->version};
}

void Node::release_saved() noexcept {
  for (auto saved : {saved_inputs, saved_outputs}) {
    for (Saved& slot : saved) {
      if (slot.tensor != nullptr) std::exchange(slot.tensor, nullptr)->release();
    }
  }
  function.reset();
  released = true;
}

void Node::drop_references() noexcept {
  release_saved();
  for (Edge& edge : edges) {
    if (edge.target != nullptr) std::exchange(edge.target, nullptr)->release();
  }
  for (Tensor& grad : grads) grad.~Tensor();
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
