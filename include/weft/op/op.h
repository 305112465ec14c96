// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/core/tensor.h"
#include "weft/op/fields.h"
#include "weft/op/kernel.h"

namespace weft {

inline constexpr int kMaxInputs = 12;
inline constexpr int kMaxOutputs = 8;

/// What autocast does to the floating inputs of an op.
enum class Cast : std::uint8_t {
  keep,     ///< nothing
  lower,    ///< to the autocast dtype
  fp32,     ///< halves to f32
  promote,  ///< all to the widest among them
};

/// Up to 12 names, in order. A trailing `?` marks an optional tensor, `*` a list.
struct Names {
  std::array<const char*, kMaxInputs> names{};
  int count = 0;
  constexpr Names() = default;
  constexpr Names(std::initializer_list<const char*> list) {
    for (const char* name : list) names[static_cast<std::size_t>(count++)] = name;
  }
  constexpr const char* operator[](int i) const { return names[static_cast<std::size_t>(i)]; }
};

/// What the tape keeps so that the gradient of input `for_grad` can be computed: bits of declared
/// inputs and outputs. `for_grad = -1` means for any gradient.
struct Save {
  int for_grad = -1;
  std::uint32_t inputs = 0;
  std::uint32_t outputs = 0;
};

/// Floating-point operations and memory traffic of one call.
struct Cost {
  double flops = 0;
  double bytes = 0;
};

/// Shape and dtype inference. Reads the inputs, describes the outputs, throws Error(shape | dtype).
class WEFT_API Infer {
 public:
  std::string_view op() const { return op_; }
  template <class A>
  const A& attrs() const {
    return *static_cast<const A*>(attrs_);
  }
  const void* user() const { return user_; }
  /// Flattened inputs; an absent optional is an undefined tensor.
  const Tensor& in(int i) const { return *inputs_[static_cast<std::size_t>(i)]; }
  bool has(int i) const { return in(i).defined(); }
  int count() const { return static_cast<int>(inputs_.size()); }
  const Shape& shape(int i) const { return in(i).shape(); }
  DType dtype(int i) const { return in(i).dtype(); }
  /// Where declared (list) input `i` begins and ends in the flattened inputs.
  int list_begin(int i) const { return list_begin_[static_cast<std::size_t>(i)]; }

  void out(int i, const Shape& shape, DType dtype) {
    shapes_[i] = shape;
    dtypes_[i] = dtype;
  }
  /// Asks for input `i` to be converted before the kernel runs (recorded by the tape).
  void cast_input(int i, DType dtype);
  /// All of these flattened inputs converted to their promoted dtype, which is returned.
  DType promote_inputs(std::initializer_list<int> inputs);

  [[noreturn]] void fail(ErrorKind kind, std::string message, std::string hint = {}) const;
  /// Throws Error(dtype) unless input `i` is floating / an i32 or i64 index.
  void require_floating(int i) const;
  void require_index(int i) const;
  void require_rank(int i, int rank, std::string_view layout) const;
  /// Throws Error(shape) unless input `i` has `shape`; `why` ends the message.
  void require_shape(int i, const Shape& shape, std::string_view why) const;
  /// `x is f32[2,3]`: for messages.
  std::string text(int i) const;

 private:
  friend class Dispatcher;
  std::string_view op_;
  const void* attrs_ = nullptr;
  const void* user_ = nullptr;
  const Names* input_names_ = nullptr;
  std::span<const Tensor* const> inputs_;
  std::span<const std::uint16_t> list_begin_;
  Shape* shapes_ = nullptr;
  DType* dtypes_ = nullptr;
  std::array<std::int8_t, 4> cast_input_{};
  std::array<DType, 4> cast_dtype_{};
  int casts_ = 0;
};

/// A place that an op must write an output to, instead of a new tensor.
struct Dest {
  Tensor tensor;
  bool accumulate = false;
};

/// The outputs of a call, in declared order; one that was not wanted is undefined.
struct Outputs {
  std::array<Tensor, kMaxOutputs> tensors;
  const Tensor& operator[](int i) const { return tensors[static_cast<std::size_t>(i)]; }
  Tensor& operator[](int i) { return tensors[static_cast<std::size_t>(i)]; }
};

/// Gradients of the flattened inputs, in order; an undefined one is a zero.
class Grads {
 public:
  Grads() = default;
  Grads(std::initializer_list<Tensor> grads) : grads_(grads) {}
  explicit Grads(std::vector<Tensor> grads) : grads_(std::move(grads)) {}
  std::size_t size() const { return grads_.size(); }
  const Tensor& operator[](std::size_t i) const { return grads_[i]; }
  Tensor& operator[](std::size_t i) { return grads_[i]; }

 private:
  std::vector<Tensor> grads_;
};

class Node;
class BackwardWalk;

/// What a backward function sees of the call it differentiates.
class WEFT_API Backward {
 public:
  /// The gradient of output `i`; undefined when nothing flowed into it.
  const Tensor& grad(int i = 0) const;
  /// A saved input (flattened index) or output; undefined for an optional input that the call did
  /// not have. Throws Error(state) when it was edited in place since.
  Tensor input(int i) const;
  Tensor output(int i) const;
  template <class A>
  const A& attrs() const {
    return *static_cast<const A*>(attrs_data());
  }
  /// Shape and dtype of an input or output, saved or not.
  const Shape& input_shape(int i) const;
  DType input_dtype(int i) const;
  int input_count() const;
  /// Whether the gradient of flattened input `i` is wanted.
  bool needs(int i) const;
  /// Where the gradient of input `i` may be written directly; `.tensor` is undefined when it has no
  /// sink. Only for outputs that the grad op's record lists in `.accumulates`.
  Dest sink(int i) const;
  /// The random address that the forward call drew from.
  const RandomAddress& random() const;
  const void* user() const;

 private:
  friend class BackwardWalk;
  Backward(Node& node, const BackwardWalk& walk) : node_(&node), walk_(&walk) {}
  const void* attrs_data() const;
  Node* node_;
  const BackwardWalk* walk_;
};

/// A call of an op that runs as other ops.
class WEFT_API Composite {
 public:
  template <class A>
  const A& attrs() const {
    return *static_cast<const A*>(attrs_);
  }
  const Tensor& in(int i) const { return *inputs_[static_cast<std::size_t>(i)]; }
  int count() const { return static_cast<int>(inputs_.size()); }
  const void* user() const { return user_; }
  const RandomAddress& random() const { return random_; }

 private:
  friend class Dispatcher;
  const void* attrs_ = nullptr;
  const void* user_ = nullptr;
  std::span<const Tensor* const> inputs_;
  RandomAddress random_;
};

/// A call, for cost formulas.
class CallInfo {
 public:
  CallInfo(const void* attrs, std::span<const TensorArg> inputs, std::span<const TensorArg> outputs)
      : attrs_(attrs), inputs_(inputs), outputs_(outputs) {}
  template <class A>
  const A& attrs() const {
    return *static_cast<const A*>(attrs_);
  }
  const TensorArg& in(int i) const { return inputs_[static_cast<std::size_t>(i)]; }
  const TensorArg& out(int i = 0) const { return outputs_[static_cast<std::size_t>(i)]; }
  /// Bytes of all inputs and outputs once.
  double traffic() const;

 private:
  const void* attrs_;
  std::span<const TensorArg> inputs_;
  std::span<const TensorArg> outputs_;
};

/// Everything the library knows of an op, told once. A literal type: records are `constexpr`.
struct OpDef {
  const char* name = nullptr;
  int version = 1;
  Names inputs;
  Names outputs;  ///< `name?` is made only when the tape saves it or the caller asks for it
  const AttrsInfo* attrs = attrs_of<NoAttrs>;
  void (*infer)(Infer&) = nullptr;
  Grads (*backward)(const Backward&) = nullptr;
  std::array<Save, 6> saves{};
  Outputs (*composite)(const Composite&) = nullptr;
  Cost (*cost)(const CallInfo&) = nullptr;
  Cast autocast = Cast::keep;
  std::uint32_t mutates = 0;  ///< declared inputs that the kernel writes
  std::uint32_t accumulates =
      0;  ///< outputs that can be written into a Dest (added to; f32 allowed)
  bool random = false;
  bool dynamic = false;       ///< output shapes need data: waits, refused under capture
  bool cpu_fallback = false;  ///< may run on the CPU for tensors of another device, with a warning
  int key = -1;               ///< flattened input whose dtype selects the row; -1: output 0
};

/// Inference of ops whose output looks like their first input.
WEFT_API void like_input(Infer& infer);
/// One operation per element, all inputs and outputs moved once.
WEFT_API Cost pointwise_cost(const CallInfo& call);

}  // namespace weft
