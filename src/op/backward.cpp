// SPDX-License-Identifier: Apache-2.0
#include "core/tensor_alloc.h"
#include "core/thread_state.h"
#include "op/recorder.h"
#include "op/walk.h"

namespace weft {

namespace {

Tensor checked_saved(const Node& node, std::span<const Node::Saved> all, std::string_view what,
                     int i) {
  const auto at = static_cast<std::size_t>(i);
  const Node::Saved saved = at < all.size() ? all[at] : Node::Saved{};
  if (node.released) {
    throw Error(ErrorKind::state,
                cat(node.name(), ": its saved tensors are gone, a backward pass already used them"),
                "pass {.retain_graph = true} to the first pass, or run the forward pass again");
  }
  if (saved.tensor == nullptr) {
    throw Error(ErrorKind::internal, cat(node.name(), ": backward reads ", what, " ", i,
                                         ", which its record does not save"));
  }
  if (saved.tensor->storage->version != saved.version) {
    throw Error(ErrorKind::state,
                cat(node.name(), ": ", what, " ", i,
                    " was written in place after the forward pass (version ", saved.version,
                    ", now ", saved.tensor->storage->version, "); its gradient would be wrong"),
                "write into a clone(), or after backward()");
  }
  return Tensor(Ref<TensorImpl>::share(saved.tensor));
}

}  // namespace

Tensor& sink_of(LeafGrad& leaf) {
  if (!leaf.sink.defined()) leaf.sink = Tensor(new_tensor(leaf.shape, leaf.dtype, leaf.device));
  return leaf.sink;
}

const Tensor& Backward::grad(int i) const { return node_->grads()[static_cast<std::size_t>(i)]; }

Tensor Backward::input(int i) const {
  const auto at = static_cast<std::size_t>(i);
  const bool optional = ((node_->op->optional_inputs >> i) & 1u) != 0;
  const bool absent =
      at >= node_->saved_inputs().size() || node_->saved_inputs()[at].tensor == nullptr;
  if (optional && absent && !node_->released) return {};
  return checked_saved(*node_, node_->saved_inputs(), "input", i);
}

Tensor Backward::output(int i) const {
  Tensor saved = checked_saved(*node_, node_->saved_outputs(), "output", i);
  if (!thread_state.settings.grad || !is_floating(saved.dtype())) return saved;
  // For second derivatives the output is again what this node made.
  TensorImpl* impl = saved.impl();
  Tensor linked(new_view(impl, impl->data, impl->shape));
  linked.impl()->requires_grad = true;
  linked.impl()->output_index = static_cast<std::uint8_t>(i);
  node_->retain();
  linked.impl()->node = node_;
  return linked;
}

const Shape& Backward::input_shape(int i) const {
  return node_->inputs()[static_cast<std::size_t>(i)].shape;
}

DType Backward::input_dtype(int i) const {
  return node_->inputs()[static_cast<std::size_t>(i)].dtype;
}

int Backward::input_count() const { return static_cast<int>(node_->inputs().size()); }

bool Backward::needs(int i) const { return walk_->wants(*node_, static_cast<std::size_t>(i)); }

Dest Backward::sink(int i) const {
  const auto at = static_cast<std::size_t>(i);
  const Node::Edge& edge = node_->edges()[at];
  if (edge.target == nullptr || !edge.is_leaf || !walk_->fills_sinks()) return {};
  // Two inputs that share a leaf cannot both write it directly.
  for (std::size_t other = 0; other < node_->edges().size(); ++other) {
    if (other != at && node_->edges()[other].target == edge.target) return {};
  }
  auto& leaf = static_cast<LeafGrad&>(*edge.target);
  note_leaf(leaf);
  return {sink_of(leaf), leaf.filled};
}

const RandomAddress& Backward::random() const { return node_->random; }
const void* Backward::user() const { return node_->op->user; }
const void* Backward::attrs_data() const { return node_->attrs; }

}  // namespace weft
