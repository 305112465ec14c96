// SPDX-License-Identifier: Apache-2.0
#include "op/dispatch.h"

#include <algorithm>
#include <cstring>

#include "core/tensor_alloc.h"
#include "op/dispatcher.h"
#include "op/node_make.h"

// Each stage is called once; inlining them into `run` saves their prologues (callgrind, add[4]).
#define WEFT_STAGE [[gnu::always_inline]] inline

namespace weft {

namespace {

constexpr std::uint16_t kOneEach[kMaxInputs + 1] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
constexpr CallOptions kNoOptions;

bool is_set(std::uint32_t mask, int bit) { return ((mask >> bit) & 1u) != 0; }

// Most attribute structs are a few words: a call to memcpy would cost more than the copy.
void copy_attrs(std::byte* target, const void* source, std::size_t bytes) {
  if (bytes % 8 != 0) {
    std::memcpy(target, source, bytes);
    return;
  }
  for (std::size_t i = 0; i < bytes; i += 8) {
    std::memcpy(target + i, static_cast<const std::byte*>(source) + i, 8);
  }
}

TensorArg arg_of(const TensorImpl* impl) {
  return {impl->data, &impl->shape, impl->shape.numel(), impl->dtype};
}

}  // namespace

WEFT_STAGE void Dispatcher::check_inputs() {
  std::size_t first = inputs_.size();
  bool lacks = false;
  bool wants_grad = wants_grad_;  // autocast may have seen a leaf behind a copy
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const TensorImpl* impl = inputs_[i]->impl();
    if (impl == nullptr) {
      lacks = true;
      continue;
    }
    const Device device = impl->storage->device;
    wants_grad |= impl->requires_grad;
    if (first == inputs_.size()) {
      first = i;
      device_ = device;
    } else if (!(device == device_)) [[unlikely]] {
      fail_device(first, i);
    }
  }
  if (first == inputs_.size()) device_ = ts_.settings.device;
  wants_grad_ = wants_grad;
  if (lacks) check_required(op_.optional_inputs | op_.list_inputs);
}

void Dispatcher::check_required(std::uint32_t may_lack) const {
  for (int i = 0; i < op_.input_count; ++i) {
    const std::size_t at = list_begin_[static_cast<std::size_t>(i)];
    if (!is_set(may_lack, i) && !inputs_[at]->defined()) fail_missing_input(at);
  }
}

WEFT_STAGE void Dispatcher::infer() {
  Infer infer;
  infer.op_ = op_.name();
  infer.attrs_ = attrs_;
  infer.user_ = op_.user;
  infer.input_names_ = &op_.def.inputs;
  infer.inputs_ = inputs_;
  infer.list_begin_ = list_begin_;
  infer.shapes_ = reinterpret_cast<Shape*>(shapes_);
  infer.dtypes_ = out_dtypes_;
  op_.def.infer(infer);
  if (infer.casts_ != 0) [[unlikely]]
    apply_casts(infer);
}

bool Dispatcher::declared_needs_grad(int declared) const {
  const auto i = static_cast<std::size_t>(declared);
  for (std::size_t at = list_begin_[i]; at < list_begin_[i + 1]; ++at) {
    if (edge_inputs_[at]->requires_grad()) return true;
  }
  return false;
}

WEFT_STAGE void Dispatcher::plan_recording() {
  wanted_ = ((1u << op_.output_count) - 1u) & (~op_.optional_outputs | options_.want);
  if (!ts_.settings.grad) return;
  if (wants_grad_ && op_.output_count != 0 && is_floating(out_dtypes_[0])) {
    records_ = true;
    if (op_.save_count != 0) plan_saves();
  }
}

void Dispatcher::plan_saves() {
  for (std::size_t k = 0; k < op_.save_count; ++k) {
    const Save& save = op_.def.saves[k];
    if (save.for_grad >= 0 && !declared_needs_grad(save.for_grad)) continue;
    save_inputs_ |= save.inputs;
    save_outputs_ |= save.outputs;
  }
  wanted_ |= save_outputs_;
}

WEFT_STAGE void Dispatcher::build_args() {
  const std::size_t count = inputs_.size();
  arg_table_ = reinterpret_cast<TensorArg*>(args_);
  if (count > kInlineArgs) [[unlikely]] {
    extra().args.resize((count + kMaxOutputs) * sizeof(TensorArg));
    arg_table_ = reinterpret_cast<TensorArg*>(extra().args.data());
  }
  for (std::size_t i = 0; i < count; ++i) {
    const TensorImpl* impl = inputs_[i]->impl();
    if (impl != nullptr) {
      ::new (arg_table_ + i) TensorArg{impl->data, &impl->shape, impl->shape.numel(), impl->dtype};
    } else {
      ::new (arg_table_ + i) TensorArg;
    }
  }
  ::new (&kernel_args_) KernelArgs{.op = op_.name(),
                                   .attrs_data = attrs_,
                                   .inputs = {arg_table_, count},
                                   .outputs = {arg_table_ + count, op_.output_count},
                                   .list_begin = list_begin_,
                                   .random = {},
                                   .stream = {}};
}

// What `applies` may ask of outputs that are still to be made.
void Dispatcher::describe_outputs() {
  TensorArg* out = arg_table_ + inputs_.size();
  for (int i = 0; i < op_.output_count; ++i) {
    const Shape& shape = out_shape(i);
    ::new (out + i)
        TensorArg(is_set(wanted_, i) ? TensorArg{nullptr, &shape, shape.numel(), out_dtypes_[i]}
                                     : TensorArg{});
  }
}

bool Dispatcher::usable(const KernelRow& row) {
  if (row.applies == nullptr) return true;
  describe_outputs();
  kernel_args_.user = row.user;
  return row.applies(kernel_args_);
}

WEFT_STAGE const KernelRow* Dispatcher::choose() {
  const std::span<const KernelRow> rows = op_.kernels.rows(device_.kind, key_dtype());
  if (ts_.pinned_variant != nullptr) [[unlikely]]
    return choose_pinned(rows);
  for (const KernelRow& row : rows) {
    if (!usable(row)) continue;
    if (row.deterministic || ts_.settings.determinism == Determinism::off) return &row;
    return choose_deterministic(rows);
  }
  return nullptr;
}

WEFT_STAGE void Dispatcher::allocate(Tensor* outputs) {
  TensorArg* out = arg_table_ + inputs_.size();
  for (int i = 0; i < op_.output_count; ++i) {
    if (!is_set(wanted_, i)) {
      ::new (out + i) TensorArg{};
      continue;
    }
    const auto at = static_cast<std::size_t>(i);
    if (at < options_.into.size() && options_.into[at].tensor.defined()) {
      place_output(i, options_.into[at], outputs[i]);
    } else {
      outputs[i] = Tensor(new_tensor(out_shape(i), out_dtypes_[i], device_));
    }
    ::new (out + i) TensorArg(arg_of(outputs[i].impl()));
  }
}

WEFT_STAGE void Dispatcher::run_kernel(const KernelRow& row, Tensor* outputs) {
  allocate(outputs);
  kernel_args_.user = row.user;
  if (!device_.is_cpu()) kernel_args_.stream = session().stream(device_);
  if (row.prepare != nullptr) kernel_args_.plan = row.prepare(kernel_args_);
  Ref<TensorImpl> workspace;
  if (row.workspace != nullptr) [[unlikely]]
    workspace = make_workspace(row);
  const Session& watched = session();
  if (watched.observed() || ts_.recorder != nullptr) [[unlikely]] {
    run_watched(&row, outputs);
  } else {
    row.run(kernel_args_);
  }
  if (op_.def.mutates != 0) [[unlikely]]
    bump_mutated();
}

Ref<TensorImpl> Dispatcher::make_workspace(const KernelRow& row) {
  const std::size_t bytes = row.workspace(kernel_args_);
  if (bytes == 0) return {};
  Ref<TensorImpl> workspace =
      new_tensor(Shape({static_cast<std::int64_t>(bytes)}), DType::u8, device_);
  kernel_args_.workspace = workspace->data;
  kernel_args_.workspace_bytes = bytes;
  return workspace;
}

void Dispatcher::record(Tensor* outputs) {
  Node* node = Node::make({.inputs = static_cast<std::uint32_t>(inputs_.size()),
                           .outputs = op_.output_count,
                           .attrs_bytes = static_cast<std::uint32_t>(op_.def.attrs->size),
                           .saves_inputs = save_inputs_ != 0,
                           .saves_outputs = save_outputs_ != 0});
  Ref<Node> holder = Ref<Node>::adopt(node);
  node->op = &op_;
  node->settings = ts_.settings;
  node->path = ts_.path;
  if (op_.def.random) node->random = kernel_args_.random;
  copy_attrs(node->attrs, attrs_, op_.def.attrs->size);
  std::uint64_t sequence = ts_.sequence;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const TensorImpl* impl = inputs_[i]->impl();
    if (impl == nullptr) {
      ::new (&node->inputs()[i]) Node::Meta;
      node->set_edge(i, nullptr);
      continue;
    }
    ::new (&node->inputs()[i]) Node::Meta{impl->shape, impl->dtype};
    const TensorImpl* source = edge_inputs_[i]->impl();
    node->set_edge(i, source);
    if (source->node != nullptr) sequence = std::max(sequence, node_of(source)->sequence);
  }
  node->sequence = ts_.sequence = sequence + 1;
  for (int i = 0; save_inputs_ != 0 && i < op_.input_count; ++i) {
    if (!is_set(save_inputs_, i)) continue;
    const auto declared = static_cast<std::size_t>(i);
    for (std::size_t at = list_begin_[declared]; at < list_begin_[declared + 1]; ++at) {
      if (inputs_[at]->defined()) node->save(node->saved_inputs()[at], inputs_[at]->impl());
    }
  }
  for (int i = 0; i < op_.output_count; ++i) {
    TensorImpl* impl = outputs[i].impl();
    if (impl == nullptr) continue;
    if (is_set(save_outputs_, i)) {
      // Without its grad meta: an output that held its own node would never be freed.
      const Ref<TensorImpl> bare = new_view(impl, impl->data, impl->shape);
      node->save(node->saved_outputs()[static_cast<std::size_t>(i)], bare.get());
    }
    if (!is_floating(impl->dtype)) continue;
    impl->requires_grad = true;
    impl->output_index = static_cast<std::uint8_t>(i);
    // The first output takes over the count that the node was made with.
    if (holder) {
      impl->node = holder.leak();
    } else {
      node->retain();
      impl->node = node;
    }
  }
}

WEFT_STAGE void Dispatcher::run_stages(Tensor* outputs) {
  if (ts_.settings.autocast && op_.def.autocast != Cast::keep) [[unlikely]]
    apply_autocast();
  check_inputs();
  infer();
  plan_recording();
  if (op_.def.mutates != 0) check_mutated();
  build_args();
  const std::uint16_t caller = std::exchange(ts_.op, op_.id);
  struct Restore {
    ThreadState& ts;
    std::uint16_t op;
    ~Restore() { ts.op = op; }
  } restore{ts_, caller};
  if (op_.def.random) {
    kernel_args_.random =
        options_.random != nullptr ? *options_.random : session().next_draw(op_.name(), device_);
  }
  if (const KernelRow* row = choose()) {
    run_kernel(*row, outputs);
  } else {
    run_without_kernel(outputs);
  }
  if (records_) record(outputs);
}

void Dispatcher::run(Tensor* outputs) { run_stages(outputs); }

Outputs dispatch(OpEntry* op, const void* attrs, std::span<const Tensor* const> inputs) {
  return dispatch(op, attrs, inputs, kNoOptions);
}

Outputs dispatch(OpEntry* op, const void* attrs, std::span<const Tensor* const> inputs,
                 const CallOptions& options) {
  Outputs outputs;
  Dispatcher(*op, attrs, inputs, {kOneEach, inputs.size() + 1}, options)
      .run(outputs.tensors.data());
  return outputs;
}

Tensor dispatch_one(OpEntry* op, const void* attrs, std::span<const Tensor* const> inputs) {
  Tensor output;
  Dispatcher(*op, attrs, inputs, {kOneEach, inputs.size() + 1}, kNoOptions).run_stages(&output);
  return output;
}

Outputs dispatch_lists(OpEntry* op, const void* attrs,
                       std::initializer_list<std::span<const Tensor>> inputs,
                       const CallOptions& options) {
  std::vector<const Tensor*> flat;
  std::vector<std::uint16_t> begin;
  for (const std::span<const Tensor> list : inputs) {
    begin.push_back(static_cast<std::uint16_t>(flat.size()));
    for (const Tensor& tensor : list) flat.push_back(&tensor);
  }
  begin.push_back(static_cast<std::uint16_t>(flat.size()));
  Outputs outputs;
  Dispatcher(*op, attrs, flat, begin, options).run(outputs.tensors.data());
  return outputs;
}

}  // namespace weft
