// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/thread_state.h"
#include "op/dispatch.h"
#include "weft/op/node.h"
#include "weft/op/observer.h"

namespace weft {

/// One call of one op. The stages in order: autocast, same device, infer, choose kernel, allocate,
/// run, record. What every call needs is in dispatch.cpp; what few need is in dispatch_slow.cpp.
class Dispatcher {
 public:
  Dispatcher(OpEntry& op, const void* attrs, std::span<const Tensor* const> inputs,
             std::span<const std::uint16_t> list_begin, const CallOptions& options)
      : op_(op),
        attrs_(attrs),
        inputs_(inputs),
        edge_inputs_(inputs),
        list_begin_(list_begin),
        options_(options),
        ts_(thread_state) {}
  ~Dispatcher() {}  // of the union: KernelArgs is trivially destructible

  /// Fills `outputs`, one tensor per declared output.
  void run(Tensor* outputs);
  /// `run`, for inlining into its caller (dispatch.cpp).
  void run_stages(Tensor* outputs);

 private:
  static constexpr std::size_t kInlineArgs = 16;

  // dispatch.cpp
  void check_inputs();
  void infer();
  void check_required(std::uint32_t may_lack) const;
  void plan_recording();
  void plan_saves();
  void build_args();
  void describe_outputs();
  const KernelRow* choose();
  bool usable(const KernelRow& row);
  void allocate(Tensor* outputs);
  void run_kernel(const KernelRow& row, Tensor* outputs);
  Ref<TensorImpl> make_workspace(const KernelRow& row);
  void record(Tensor* outputs);
  bool declared_needs_grad(int declared) const;

  // dispatch_slow.cpp
  void apply_autocast();
  void apply_casts(const Infer& infer);
  void replace_input(std::size_t i, Tensor tensor, bool keep_edge);
  const KernelRow* choose_pinned(std::span<const KernelRow> rows);
  const KernelRow* choose_deterministic(std::span<const KernelRow> rows);
  void check_mutated();
  void bump_mutated();
  void place_output(int i, const Dest& dest, Tensor& output);
  void run_watched(const KernelRow* row, Tensor* outputs);
  void run_without_kernel(Tensor* outputs);
  void run_composite(Tensor* outputs);
  void run_on_cpu(Tensor* outputs);
  [[noreturn]] void fail_device(std::size_t a, std::size_t b) const;
  [[noreturn]] void fail_missing_input(std::size_t i) const;
  [[noreturn]] void fail_no_kernel() const;
  std::string input_text(std::size_t i) const;

  Session& session() const { return ts_.session != nullptr ? *ts_.session : current_session(); }
  Shape& out_shape(int i) { return reinterpret_cast<Shape*>(shapes_)[i]; }
  DType key_dtype() const {
    if (op_.def.key >= 0) return inputs_[static_cast<std::size_t>(op_.def.key)]->dtype();
    return op_.output_count > 0 ? out_dtypes_[0] : inputs_[0]->dtype();
  }

  OpEntry& op_;
  const void* attrs_;
  std::span<const Tensor* const> inputs_;
  std::span<const Tensor* const>
      edge_inputs_;  ///< differ from inputs_ where autocast took a leaf's copy
  std::span<const std::uint16_t> list_begin_;
  const CallOptions& options_;
  ThreadState& ts_;

  Device device_;
  bool wants_grad_ = false;  ///< an input requires grad
  bool records_ = false;
  std::uint32_t save_inputs_ = 0;
  std::uint32_t save_outputs_ = 0;
  std::uint32_t wanted_ = 0;
  DType out_dtypes_[kMaxOutputs];
  union {
    KernelArgs kernel_args_;  ///< set by build_args
  };
  /// What few calls need.
  struct Extra {
    std::vector<Tensor> converted;
    std::vector<const Tensor*> inputs;
    std::vector<const Tensor*> edges;
    std::vector<std::byte> args;
  };
  Extra& extra() {
    if (!extra_) extra_ = std::make_unique<Extra>();
    return *extra_;
  }
  std::unique_ptr<Extra> extra_;
  TensorArg* arg_table_ = nullptr;
  // Raw: constructing what a call does not use would cost more than the call.
  alignas(TensorArg) std::byte args_[(kInlineArgs + kMaxOutputs) * sizeof(TensorArg)];
  alignas(Shape) std::byte shapes_[kMaxOutputs * sizeof(Shape)];
};

}  // namespace weft
