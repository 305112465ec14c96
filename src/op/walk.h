// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "weft/op/node.h"

namespace weft {

/// What `Backward` asks of the pass it runs in (autograd/engine.cpp).
class BackwardWalk {
 public:
  virtual ~BackwardWalk() = default;
  /// Whether the gradient of this input leads anywhere.
  virtual bool wants(const Node& node, std::size_t input) const = 0;
  /// Whether gradients go to the sinks of leaves, or are returned instead.
  virtual bool fills_sinks() const = 0;

 protected:
  static Grads run(Node& node, const BackwardWalk& walk) {
    return node.op->def.backward(Backward(node, walk));
  }
};

/// The sink of a leaf, made on demand.
Tensor& sink_of(LeafGrad& leaf);

}  // namespace weft
