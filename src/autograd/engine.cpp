// SPDX-License-Identifier: Apache-2.0

#include <algorithm>
#include <atomic>
#include <optional>
#include <unordered_set>

#include "core/thread_state.h"
#include "op/dispatch.h"
#include "op/recorder.h"
#include "op/transfer.h"
#include "op/walk.h"
#include "weft/autograd/autograd.h"

namespace weft {

namespace {

Tensor sum_of(const Tensor& a, const Tensor& b) {
  static OpEntry& add = op_named("add");
  const Tensor* in[] = {&a, &b};
  return dispatch_one(&add, add.def.attrs->defaults, in);
}

Tensor ones_like(const Tensor& x) {
  Tensor ones = empty(x.shape(), {.dtype = x.dtype(), .device = x.device()});
  fill_tensor(ones, 1);
  return ones;
}

bool runs_later(const Ref<Node>& a, const Ref<Node>& b) { return a->sequence < b->sequence; }

/// Restores what a node's backward may change of the thread.
struct NodeScope {
  ThreadState& ts = thread_state;
  Settings settings = ts.settings;
  std::uint16_t path = ts.path;
  bool in_backward = ts.in_backward;

  NodeScope(const Node& node, bool create_graph) {
    ts.settings = node.settings;
    ts.settings.autocast = false;
    ts.settings.grad = create_graph;
    ts.path = node.path;
    ts.in_backward = true;
  }
  ~NodeScope() {
    ts.settings = settings;
    ts.path = path;
    ts.in_backward = in_backward;
  }
};

class Walk final : public BackwardWalk {
 public:
  Walk(const BackwardOptions& options, std::span<const Tensor> inputs)
      : options_(options), inputs_(inputs), captured_(inputs.size()) {
    for (const Tensor& input : inputs) {
      const TensorImpl* impl = input.impl();
      if (impl->node != nullptr) {
        targets_.insert(key(impl->node, impl->output_index));
      } else {
        targets_.insert(key(impl->leaf, 0));
      }
    }
  }

  void start(std::span<const Tensor> outputs, std::span<const Tensor> gradients);
  void run();
  std::vector<Tensor> take_captured() { return std::move(captured_); }

  bool wants(const Node& node, std::size_t input) const override {
    const Node::Edge& edge = node.edges()[input];
    if (edge.target == nullptr) return false;
    if (fills_sinks()) return true;
    if (targets_.contains(key(edge.target, edge.is_leaf ? 0 : edge.output_index))) return true;
    return !edge.is_leaf && useful_.contains(static_cast<const Node*>(edge.target));
  }
  bool fills_sinks() const override { return inputs_.empty(); }

 private:
  using Key = std::uintptr_t;
  // Output indices are below 8 and both kinds of target are at least 8-byte aligned.
  static Key key(const RefCounted* target, unsigned index) {
    return reinterpret_cast<std::uintptr_t>(target) | index;
  }

  void find_useful(std::span<const Tensor> outputs);
  void run_node(Node& node);
  Grads gradients_of(Node& node);
  void deliver(Node& node, std::size_t i, const Tensor& grad);
  void deliver_to_leaf(LeafGrad& leaf, const Tensor& grad);
  void deliver_to_node(Ref<Node> node, std::size_t index, const Tensor& grad);
  void capture(Key target, const Tensor& grad);
  void abandon() noexcept;

  const BackwardOptions& options_;
  std::span<const Tensor> inputs_;
  std::vector<Tensor> captured_;
  std::unordered_set<Key> targets_;
  std::unordered_set<const Node*> useful_;
  std::vector<Ref<Node>> queue_;
  std::vector<Ref<LeafGrad>> touched_;
};

void Walk::find_useful(std::span<const Tensor> outputs) {
  std::vector<Node*> nodes;
  std::unordered_set<Node*> seen;
  for (const Tensor& output : outputs) {
    if (Node* node = node_of(output.impl()); node != nullptr && seen.insert(node).second) {
      nodes.push_back(node);
    }
  }
  for (std::size_t at = 0; at < nodes.size(); ++at) {
    for (const Node::Edge& edge : nodes[at]->edges()) {
      if (edge.target == nullptr || edge.is_leaf) continue;
      auto* next = static_cast<Node*>(edge.target);
      if (seen.insert(next).second) nodes.push_back(next);
    }
  }
  std::sort(nodes.begin(), nodes.end(),
            [](const Node* a, const Node* b) { return a->sequence < b->sequence; });
  for (const Node* node : nodes) {
    for (std::size_t i = 0; i < node->edges().size(); ++i) {
      if (wants(*node, i)) useful_.insert(node);
    }
  }
}

void Walk::start(std::span<const Tensor> outputs, std::span<const Tensor> gradients) {
  if (!gradients.empty() && gradients.size() != outputs.size()) {
    throw Error(ErrorKind::value, cat("backward: ", gradients.size(), " gradients for ",
                                      outputs.size(), " outputs; give one for each, or none"));
  }
  if (!fills_sinks()) find_useful(outputs);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Tensor& output = outputs[i];
    if (!output.requires_grad()) {
      throw Error(
          ErrorKind::state,
          cat("backward: output is ", output.defined() ? describe(output) : "undefined",
              " and depends on nothing that requires grad"),
          "call requires_grad_() on the parameters before the forward pass, outside NoGrad");
    }
    Tensor gradient = i < gradients.size() ? gradients[i] : Tensor();
    if (!gradient.defined()) {
      if (output.numel() != 1) {
        throw Error(ErrorKind::shape,
                    cat("backward: output is ", describe(output),
                        "; without a gradient it must have one element"),
                    "reduce it with sum() or mean(), or pass its gradient");
      }
      gradient = ones_like(output);
    } else if (!(gradient.shape() == output.shape())) {
      throw Error(ErrorKind::shape, cat("backward: gradient is ", describe(gradient),
                                        " but output is ", describe(output)));
    }
    const TensorImpl* impl = output.impl();
    if (impl->node == nullptr) {
      if (fills_sinks())
        deliver_to_leaf(*leaf_if_any(impl), gradient);
      else
        capture(key(impl->leaf, 0), gradient);
    } else {
      if (!fills_sinks()) capture(key(impl->node, impl->output_index), gradient);
      deliver_to_node(Ref<Node>::share(node_of(impl)), impl->output_index, gradient);
    }
  }
}

void Walk::run() {
  try {
    while (!queue_.empty()) {
      std::pop_heap(queue_.begin(), queue_.end(), runs_later);
      const Ref<Node> node = std::move(queue_.back());
      queue_.pop_back();
      node->queued = false;
      run_node(*node);
    }
    for (const Ref<LeafGrad>& leaf : touched_) {
      for (const auto& [id, hook] : leaf->complete_hooks) hook(leaf->sink);
    }
  } catch (...) {
    abandon();
    throw;
  }
}

void Walk::run_node(Node& node) {
  const bool useful = fills_sinks() || useful_.contains(&node);
  Grads grads;
  if (useful) {
    const NodeScope scope(node, options_.create_graph);
    grads = gradients_of(node);
    if (grads.size() > node.edges().size()) {
      throw Error(ErrorKind::internal, cat(node.name(), ": backward returned ", grads.size(),
                                           " gradients for ", node.edges().size(), " inputs"));
    }
  }
  for (Tensor& grad : node.grads()) grad = {};
  for (std::size_t i = 0; i < grads.size(); ++i) {
    if (grads[i].defined() && wants(node, i)) deliver(node, i, grads[i]);
  }
  if (!options_.retain_graph && !options_.create_graph) node.release_saved();
}

Grads Walk::gradients_of(Node& node) {
  if (node.op != nullptr) {
    if (node.op->def.backward == nullptr) {
      throw Error(ErrorKind::unsupported, cat(node.name(), ": has no gradient"),
                  "detach() its input, or give the op a backward");
    }
    return BackwardWalk::run(node, *this);
  }
  if (node.function == nullptr) {
    throw Error(ErrorKind::state, cat(node.name(), ": a backward pass already used it"),
                "pass {.retain_graph = true} to the first pass, or run the forward pass again");
  }
  Grads grads((*node.function)(node.grads()));
  if (grads.size() != node.edges().size()) {
    throw Error(ErrorKind::value,
                cat(node.name(), ": its backward returned ", grads.size(), " gradients for ",
                    node.edges().size(), " inputs"),
                "return one for each; an undefined tensor is a zero");
  }
  return grads;
}

void Walk::deliver(Node& node, std::size_t i, const Tensor& grad) {
  const Node::Edge& edge = node.edges()[i];
  if (!(grad.shape() == node.inputs()[i].shape)) {
    throw Error(ErrorKind::shape,
                cat(node.name(), ": its backward gives ", describe(grad), " for input ", i,
                    ", which is ", node.inputs()[i].dtype, to_string(node.inputs()[i].shape)));
  }
  if (!fills_sinks()) capture(key(edge.target, edge.is_leaf ? 0 : edge.output_index), grad);
  if (edge.is_leaf) {
    if (fills_sinks()) deliver_to_leaf(static_cast<LeafGrad&>(*edge.target), grad);
  } else {
    deliver_to_node(Ref<Node>::share(static_cast<Node*>(edge.target)), edge.output_index, grad);
  }
}

void Walk::deliver_to_leaf(LeafGrad& leaf, const Tensor& grad) {
  const bool known = std::any_of(touched_.begin(), touched_.end(),
                                 [&](const Ref<LeafGrad>& t) { return t.get() == &leaf; });
  if (!known) touched_.push_back(Ref<LeafGrad>::share(&leaf));
  note_leaf(leaf);
  Tensor& sink = sink_of(leaf);
  if (!grad.same_as(sink)) copy_into(sink, grad, leaf.filled);
  leaf.filled = true;
}

void Walk::deliver_to_node(Ref<Node> node, std::size_t index, const Tensor& grad) {
  Tensor& slot = node->grads()[index];
  if (slot.defined()) {
    std::optional<NoGrad> no_grad;
    if (!options_.create_graph) no_grad.emplace();
    slot = sum_of(slot, grad);
  } else {
    slot = grad;
  }
  if (node->queued) return;
  node->queued = true;
  queue_.push_back(std::move(node));
  std::push_heap(queue_.begin(), queue_.end(), runs_later);
}

void Walk::capture(Key target, const Tensor& grad) {
  if (!targets_.contains(target)) return;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const TensorImpl* impl = inputs_[i].impl();
    const Key own =
        impl->node != nullptr ? key(impl->node, impl->output_index) : key(impl->leaf, 0);
    if (own != target) continue;
    captured_[i] = captured_[i].defined() ? sum_of(captured_[i], grad) : grad;
  }
}

void Walk::abandon() noexcept {
  for (const Ref<Node>& node : queue_) {
    for (Tensor& grad : node->grads()) grad = {};
    node->queued = false;
  }
  queue_.clear();
  for (const Ref<LeafGrad>& leaf : touched_) leaf->incomplete = true;
}

}  // namespace

void backward(std::span<const Tensor> outputs, std::span<const Tensor> gradients,
              const BackwardOptions& options) {
  if (options.create_graph) {
    throw Error(ErrorKind::value, "backward: create_graph is for grad(), which returns gradients");
  }
  Walk walk(options, {});
  walk.start(outputs, gradients);
  walk.run();
}

std::vector<Tensor> grad(std::span<const Tensor> outputs, std::span<const Tensor> inputs,
                         std::span<const Tensor> gradients, const BackwardOptions& options) {
  if (inputs.empty()) return {};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].requires_grad()) continue;
    throw Error(ErrorKind::state, cat("grad: input ", i, " does not require grad"),
                "call requires_grad_() on it before the forward pass");
  }
  Walk walk(options, inputs);
  walk.start(outputs, gradients);
  walk.run();
  return walk.take_captured();
}

void Tensor::backward(const Tensor& gradient) const {
  weft::backward({this, 1}, gradient.defined() ? std::span<const Tensor>(&gradient, 1)
                                               : std::span<const Tensor>());
}

GradHook::GradHook(const Tensor& leaf, std::function<void(const Tensor& grad)> hook)
    : leaf_(Ref<LeafGrad>::share(&leaf_of(leaf))) {
  static std::atomic<std::uint64_t> next{1};
  id_ = next.fetch_add(1);
  leaf_->complete_hooks.emplace_back(id_, std::move(hook));
  current_session().bump_revision();
}

GradHook::~GradHook() {
  std::erase_if(leaf_->complete_hooks, [&](const auto& entry) { return entry.first == id_; });
}

}  // namespace weft
