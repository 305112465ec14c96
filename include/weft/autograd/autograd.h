// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "weft/op/node.h"

namespace weft {

struct BackwardOptions {
  /// Keeps saved tensors, so that the same graph can be walked again.
  bool retain_graph = false;
  /// Records the walk itself (`grad` only), for second derivatives. Implies retain_graph.
  bool create_graph = false;
};

/// Adds d(outputs)/d(leaf), weighted by `gradients` (ones for a scalar when empty), to the gradient
/// of every leaf that requires grad. Nodes run in the reverse order of their creation, on this
/// thread. Throws Error(shape | state) on gradients that do not fit or a graph that was already
/// walked.
WEFT_API void backward(std::span<const Tensor> outputs, std::span<const Tensor> gradients = {},
                       const BackwardOptions& options = {});
inline void backward(const Tensor& output, const BackwardOptions& options) {
  backward({&output, 1}, {}, options);
}

/// The gradients of `outputs` with respect to `inputs` (leaves or not), without touching any leaf's
/// gradient. One that does not depend on an input is undefined.
WEFT_API std::vector<Tensor> grad(std::span<const Tensor> outputs, std::span<const Tensor> inputs,
                                  std::span<const Tensor> gradients = {},
                                  const BackwardOptions& options = {});

/// What a custom forward returns: its outputs, and a function from their gradients to those of the
/// inputs (which keeps what it captured). An undefined gradient is a zero.
struct CustomGrad {
  std::vector<Tensor> outputs;
  GradFunction backward;
};

/// Runs `forward` as one node with a gradient of its own. `forward` runs without recording.
WEFT_API std::vector<Tensor> custom_grad(
    const char* name, std::span<const Tensor> inputs,
    const std::function<CustomGrad(std::span<const Tensor>)>& forward);

/// Runs `fn` without keeping its intermediate results and runs it again during backward, with the
/// same settings and random draws (Chen et al. 2016). `fn` must depend on `inputs` and parameters
/// alone, whose gradients always go to their sinks: use backward(), not grad(), with it. Throws
/// Error(state) when an input was written in place in between.
WEFT_API std::vector<Tensor> checkpoint(
    const std::function<std::vector<Tensor>(std::span<const Tensor>)>& fn,
    std::span<const Tensor> inputs);

/// Calls `hook` with the gradient of `leaf` when a backward pass has completed it, until destroyed.
class WEFT_API GradHook {
 public:
  GradHook(const Tensor& leaf, std::function<void(const Tensor& grad)> hook);
  ~GradHook();
  GradHook(const GradHook&) = delete;
  GradHook& operator=(const GradHook&) = delete;

 private:
  Ref<LeafGrad> leaf_;
  std::uint64_t id_ = 0;
};

}  // namespace weft
