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
  for (std::size_t i = 0; i < count; ++i) new (first + i) T;
  at += count * sizeof(T);
  return {first, count};
}

}  // namespace

Node* Node::make(std::size_t inputs, std::size_t outputs, std::size_t attrs_bytes) {
  const std::size_t bytes = sizeof(Node) + inputs * (sizeof(Edge) + sizeof(Meta) + sizeof(Saved)) +
                            outputs * (sizeof(Meta) + sizeof(Saved) + sizeof(Tensor)) + attrs_bytes;
  const bool small = bytes <= kSmallMaxPayload;
  void* block = small ? small_alloc(bytes, thread_state.owner()) : ::operator new(bytes);
  Node* node = ::new (block) Node;
  node->small_block_ = small;
  std::byte* at = static_cast<std::byte*>(block) + sizeof(Node);
  node->edges = carve<Edge>(at, inputs);
  node->inputs = carve<Meta>(at, inputs);
  node->outputs = carve<Meta>(at, outputs);
  node->saved_inputs = carve<Saved>(at, inputs);
  node->saved_outputs = carve<Saved>(at, outputs);
  node->grads = carve<Tensor>(at, outputs);
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
