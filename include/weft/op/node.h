// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "weft/core/context.h"
#include "weft/core/tensor.h"
#include "weft/op/registry.h"

namespace weft {

/// A copy of a leaf in another form (bf16 shadow, packed weight), valid while `version` is the leaf's.
struct DerivedCopy {
  enum class Kind : std::uint8_t { bf16, f16, packed };
  Kind kind = Kind::bf16;
  Tensor copy;
  std::uint32_t version = 0;
};

/// What hangs on a leaf that wants a gradient: where it goes, who is told, and derived copies.
class WEFT_API LeafGrad final : public RefCounted {
 public:
  ~LeafGrad() override;

  Tensor sink;          ///< made at the first backward, or by a Parameter; fixed address afterwards
  bool filled = false;  ///< false: the next gradient overwrites
  /// Set when a backward pass threw after writing some sinks; cleared by zero_grad.
  bool incomplete = false;
  std::string name;  ///< parameter name, for errors
  /// Called when a backward pass has finished this sink (buckets, logging).
  std::vector<std::pair<std::uint64_t, std::function<void(const Tensor& grad)>>> complete_hooks;
  std::vector<DerivedCopy> derived;
};

/// The leaf record of `tensor`, made on demand.
WEFT_API LeafGrad& leaf_of(const Tensor& tensor);
inline LeafGrad* leaf_if_any(const TensorImpl* impl) {
  return static_cast<LeafGrad*>(impl->leaf);
}

/// A recorded call. Edges point from the call's inputs to what made them.
class WEFT_API Node final : public RefCounted {
 public:
  struct Edge {
    Ref<RefCounted> target;  ///< a Node, or a LeafGrad, or nothing
    bool is_leaf = false;
    std::uint8_t output_index = 0;
  };
  struct Saved {
    Ref<TensorImpl> tensor;
    std::uint32_t version = 0;
  };
  struct InputMeta {
    Shape shape;
    DType dtype = DType::f32;
    Device device;
  };

  const OpEntry* op = nullptr;
  std::uint64_t sequence = 0;
  std::uint16_t path = 0;
  Settings settings;
  RandomAddress random;
  std::vector<Edge> edges;          ///< one per flattened input
  std::vector<InputMeta> inputs;    ///< one per flattened input
  std::vector<Saved> saved_inputs;  ///< empty refs where not saved
  std::vector<Saved> saved_outputs;
  std::vector<InputMeta> outputs;
  alignas(16) std::byte attrs[kMaxAttrsBytes];
  /// Set instead of `op` by custom_grad and checkpoint.
  std::function<std::vector<Tensor>(std::span<const Tensor> grads)> function;
  std::string function_name;

  // Filled while a backward pass runs.
  std::vector<Tensor> grads;
  bool queued = false;
  bool released = false;
  bool create_graph = false;

  std::string_view name() const;

 protected:
  ~Node() override;
  /// Takes a chain of nodes apart with a list: no recursion, however long the chain.
  void destroy() noexcept override;
};

inline Node* node_of(const TensorImpl* impl) { return static_cast<Node*>(impl->node); }

}  // namespace weft
