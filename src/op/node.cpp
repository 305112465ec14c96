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

std::string_view Node::name() const { return op != nullptr ? op->name() : function_name; }

RefCounted* detail::make_leaf(const TensorImpl* impl) noexcept {
  return &leaf_of(Tensor(Ref<TensorImpl>::share(const_cast<TensorImpl*>(impl))));
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
  if (saved_input_count_ + saved_output_count_ != 0) release_saved();
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
    node->function.reset();  // all that a destructor would do
    if (small) {
      small_free(node);
    } else {
      ::operator delete(static_cast<void*>(node));
    }
  }
  destroying = false;
}

}  // namespace weft
