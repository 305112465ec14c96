// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "weft/core/context.h"
#include "weft/core/tensor.h"
#include "weft/op/registry.h"

namespace weft {

/// A copy of a leaf in another form (bf16 shadow, packed weight), current while `version` is the
/// leaf's. The storage is kept when it is refreshed.
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
  bool incomplete = false;  ///< a backward pass threw after it began to write; zero_grad clears it
  Shape shape;
  DType dtype = DType::f32;
  Device device;
  std::string name;  ///< of the parameter, for errors
  /// Called when a backward pass has completed this sink (buckets, logging).
  std::vector<std::pair<std::uint64_t, std::function<void(const Tensor& grad)>>> complete_hooks;
  std::vector<DerivedCopy> derived;
};

/// The leaf record of `tensor`, made on demand. Throws Error(state) on a non-leaf.
WEFT_API LeafGrad& leaf_of(const Tensor& tensor);
inline LeafGrad* leaf_if_any(const TensorImpl* impl) { return static_cast<LeafGrad*>(impl->leaf); }

namespace detail {
/// The record of a leaf that was made with `requires_grad` and is used for the first time.
WEFT_API RefCounted* make_leaf(const TensorImpl* impl) noexcept;
}  // namespace detail

/// What `custom_grad` and `checkpoint` put in place of an op's backward: takes the gradients of the
/// outputs, returns those of the inputs.
using GradFunction = std::function<std::vector<Tensor>(std::span<const Tensor> grads)>;

/// A recorded call, in one block: edges point from its inputs to what made them.
class WEFT_API Node final : public RefCounted {
 public:
  struct Edge {
    RefCounted* target = nullptr;  ///< a Node, a LeafGrad, or nothing when no gradient is wanted
    bool is_leaf = false;
    std::uint8_t output_index = 0;
  };
  struct Meta {
    Shape shape;
    DType dtype = DType::f32;
  };
  struct Saved {
    TensorImpl* tensor = nullptr;
    std::uint32_t version = 0;
  };
  struct Sizes {
    std::uint32_t inputs = 0;
    std::uint32_t outputs = 0;
    std::uint32_t attrs_bytes = 0;
    bool saves_inputs = false;
    bool saves_outputs = false;
  };

  /// `edges` (see `set_edge`) and `inputs` are left unset; `saved_*` are empty when nothing is
  /// saved. Defined in op/node_make.h.
  static Node* make(const Sizes& sizes);

  const OpEntry* op = nullptr;  ///< nullptr: `function` differentiates
  std::uint64_t sequence = 0;
  Settings settings;
  std::uint16_t path = 0;
  bool queued = false;    ///< waiting in a backward pass
  bool released = false;  ///< its saved tensors are gone
  RandomAddress random;
  std::byte* attrs = nullptr;
  std::unique_ptr<GradFunction> function;
  const char* function_name = nullptr;

  std::span<Edge> edges() const { return {edges_, input_count_}; }
  std::span<Meta> inputs() const { return {inputs_, input_count_}; }
  std::span<Saved> saved_inputs() const { return {saved_, saved_input_count_}; }
  std::span<Saved> saved_outputs() const {
    return {saved_ + saved_input_count_, saved_output_count_};
  }
  /// Gradients of the outputs, while a backward pass runs.
  std::span<Tensor> grads() const { return {grads_, output_count_}; }

  std::string_view name() const;
  /// Points edge `i` at what made `input`; at nothing when it is absent or wants no gradient.
  void set_edge(std::size_t i, const TensorImpl* input) noexcept;
  void save(Saved& slot, TensorImpl* tensor) noexcept;
  /// Lets go of saved tensors and the function.
  void release_saved() noexcept;

  static void* operator new(std::size_t) = delete;
  static void operator delete(void*) noexcept {}

 protected:
  /// Takes a chain of nodes apart with a list: no recursion, however long the chain.
  void destroy() noexcept override;

 private:
  Node() = default;
  ~Node() override = default;
  void drop_references() noexcept;

  std::uint32_t input_count_ = 0;
  std::uint32_t saved_input_count_ = 0;
  std::uint8_t saved_output_count_ = 0;
  std::uint8_t output_count_ = 0;
  bool small_block_ = false;
  // All of these lie behind the node in its block.
  Edge* edges_ = nullptr;
  Meta* inputs_ = nullptr;
  Saved* saved_ = nullptr;
  Tensor* grads_ = nullptr;
  Node* next_doomed_ = nullptr;
};

inline void Node::set_edge(std::size_t i, const TensorImpl* input) noexcept {
  Edge& edge = *::new (edges_ + i) Edge;
  if (input == nullptr || !input->requires_grad) return;
  edge.is_leaf = input->node == nullptr;
  edge.target = edge.is_leaf ? input->leaf : input->node;
  if (edge.target == nullptr) [[unlikely]]
    edge.target = detail::make_leaf(input);
  edge.output_index = input->output_index;
  edge.target->retain();
}

inline Node* node_of(const TensorImpl* impl) { return static_cast<Node*>(impl->node); }

}  // namespace weft
