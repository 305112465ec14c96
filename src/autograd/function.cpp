// SPDX-License-Identifier: Apache-2.0
#include "autograd/function.h"

#include <algorithm>

#include "core/tensor_alloc.h"
#include "core/thread_state.h"
#include "op/node_make.h"
#include "weft/autograd/autograd.h"

namespace weft {

void record_function(const char* name, std::span<const Tensor> inputs, std::vector<Tensor>& outputs,
                     GradFunction backward) {
  ThreadState& ts = thread_state;
  const bool any =
      std::any_of(inputs.begin(), inputs.end(), [](const Tensor& t) { return t.requires_grad(); });
  if (!ts.settings.grad || !any) return;
  Node* node = Node::make({.inputs = static_cast<std::uint32_t>(inputs.size()),
                           .outputs = static_cast<std::uint32_t>(outputs.size())});
  const Ref<Node> holder = Ref<Node>::adopt(node);
  node->function = std::make_unique<GradFunction>(std::move(backward));
  node->function_name = name;
  node->settings = ts.settings;
  node->path = ts.path;
  std::uint64_t sequence = ts.sequence;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const TensorImpl* impl = inputs[i].impl();
    ::new (&node->inputs()[i])
        Node::Meta(impl != nullptr ? Node::Meta{impl->shape, impl->dtype} : Node::Meta{});
    node->set_edge(i, impl);
    if (impl != nullptr && impl->node != nullptr)
      sequence = std::max(sequence, node_of(impl)->sequence);
  }
  node->sequence = ts.sequence = sequence + 1;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].defined() || !is_floating(outputs[i].dtype())) continue;
    TensorImpl* made = outputs[i].impl();
    // A fresh handle: what the function returned may be an input or a tensor it keeps.
    outputs[i] = Tensor(new_view(made, made->data, made->shape));
    TensorImpl* impl = outputs[i].impl();
    impl->requires_grad = true;
    impl->output_index = static_cast<std::uint8_t>(i);
    node->retain();
    impl->node = node;
  }
}

std::vector<Tensor> custom_grad(const char* name, std::span<const Tensor> inputs,
                                const std::function<CustomGrad(std::span<const Tensor>)>& forward) {
  CustomGrad made;
  {
    const NoGrad no_grad;
    made = forward(inputs);
  }
  if (made.outputs.empty() || !made.backward) {
    throw Error(ErrorKind::value,
                cat(name, made.outputs.empty() ? ": its forward returned no outputs"
                                               : ": its forward gave no backward"),
                "return CustomGrad{outputs, backward}");
  }
  if (made.outputs.size() > kMaxOutputs) {
    throw Error(ErrorKind::value,
                cat(name, ": ", made.outputs.size(), " outputs; at most ", kMaxOutputs));
  }
  record_function(name, inputs, made.outputs, std::move(made.backward));
  return std::move(made.outputs);
}

namespace {

/// Puts the session's draw count back to where the forward pass was, then forward again.
class DrawsFrom {
 public:
  explicit DrawsFrom(std::uint64_t draws) : saved_(current_session().random_state().draws) {
    current_session().set_draws(draws);
  }
  ~DrawsFrom() { current_session().set_draws(saved_); }
  DrawsFrom(const DrawsFrom&) = delete;
  DrawsFrom& operator=(const DrawsFrom&) = delete;

 private:
  std::uint64_t saved_;
};

std::vector<Tensor> fresh_leaves(std::span<const Tensor> inputs) {
  std::vector<Tensor> leaves;
  for (const Tensor& input : inputs) {
    leaves.push_back(input.defined() ? input.detach() : Tensor());
    if (!input.requires_grad()) continue;
    // Not requires_grad_: a new leaf changes no setting, and a recorded step may make it.
    leaf_of(leaves.back());
    leaves.back().impl()->requires_grad = true;
  }
  return leaves;
}

std::vector<Tensor> rerun_backward(
    const std::function<std::vector<Tensor>(std::span<const Tensor>)>& fn,
    std::span<const Tensor> inputs, const Settings& settings, std::uint64_t draws,
    std::span<const Tensor> grads) {
  const std::vector<Tensor> leaves = fresh_leaves(inputs);
  std::vector<Tensor> outputs;
  {
    const ContextScope scope(settings);
    const DrawsFrom again(draws);
    outputs = fn(leaves);
  }
  std::vector<Tensor> roots;
  std::vector<Tensor> root_grads;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!grads[i].defined() || !outputs[i].requires_grad()) continue;
    roots.push_back(outputs[i]);
    root_grads.push_back(grads[i]);
  }
  if (!roots.empty()) backward(roots, root_grads);
  std::vector<Tensor> result;
  for (const Tensor& leaf : leaves) result.push_back(leaf.requires_grad() ? leaf.grad() : Tensor());
  return result;
}

// What runs again must see what the first run saw.
void require_unedited(std::span<const Tensor> inputs, std::span<const std::uint32_t> versions) {
  for (std::size_t i = 0; i < versions.size(); ++i) {
    if (!inputs[i].defined() || inputs[i].version() == versions[i]) continue;
    throw Error(ErrorKind::state,
                cat("checkpoint: input ", i, " was written in place after the forward pass"),
                "write into a clone(), or after backward()");
  }
}

}  // namespace

std::vector<Tensor> checkpoint(
    const std::function<std::vector<Tensor>(std::span<const Tensor>)>& fn,
    std::span<const Tensor> inputs) {
  const Settings settings = current_settings();
  const std::uint64_t draws = current_session().random_state().draws;
  std::vector<Tensor> outputs;
  {
    const NoGrad no_grad;
    outputs = fn(inputs);
  }
  if (outputs.size() > kMaxOutputs) {
    throw Error(ErrorKind::value,
                cat("checkpoint: ", outputs.size(), " outputs; at most ", kMaxOutputs));
  }
  // Parameters reach their sinks from inside; an input that requires grad is needed for an edge.
  std::vector<Tensor> kept(inputs.begin(), inputs.end());
  if (std::none_of(kept.begin(), kept.end(), [](const Tensor& t) { return t.requires_grad(); })) {
    Tensor anchor = empty(Shape{0});
    kept.push_back(anchor.requires_grad_());
  }
  std::vector<std::uint32_t> versions;
  for (const Tensor& input : inputs) versions.push_back(input.defined() ? input.version() : 0);
  record_function("checkpoint", kept, outputs,
                  [fn, settings, draws, held = kept, versions,
                   count = inputs.size()](std::span<const Tensor> grads) {
                    require_unedited(held, versions);
                    std::vector<Tensor> result =
                        rerun_backward(fn, std::span(held).first(count), settings, draws, grads);
                    result.resize(held.size());
                    return result;
                  });
  return outputs;
}

}  // namespace weft
