// SPDX-License-Identifier: Apache-2.0
#include "op/dispatch.h"

#include <algorithm>
#include <cstring>

#include "core/tensor_alloc.h"
#include "op/dispatcher.h"

namespace weft {

namespace {

constexpr std::uint16_t kOneEach[kMaxInputs + 1] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
constexpr CallOptions kNoOptions;

bool is_set(std::uint32_t mask, int bit) { return ((mask >> bit) & 1u) != 0; }

TensorArg arg_of(const TensorImpl* impl) {
  return {impl->data, &impl->shape, impl->shape.numel(), impl->dtype};
}

}  // namespace

void Dispatcher::run(Tensor* outputs) {
  if (ts_.settings.autocast && op_.def.autocast != Cast::keep) [[unlikely]] apply_autocast();
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

void Dispatcher::check_inputs() {
  device_ = ts_.settings.device;
  std::size_t first = inputs_.size();
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    if (!inputs_[i]->defined()) [[unlikely]] {
      if ((op_.optional_inputs | op_.list_inputs) == 0) fail_missing_input(i);
      continue;
    }
    const Device device = inputs_[i]->device();
    if (first == inputs_.size()) {
      first = i;
      device_ = device;
    } else if (!(device == device_)) [[unlikely]] {
      fail_device(first, i);
    }
  }
  if ((op_.optional_inputs | op_.list_inputs) != 0) {
    for (int i = 0; i < op_.input_count; ++i) {
      const std::size_t at = list_begin_[static_cast<std::size_t>(i)];
      if (!is_set(op_.optional_inputs | op_.list_inputs, i) && !inputs_[at]->defined()) {
        fail_missing_input(at);
      }
    }
  }
}

void Dispatcher::infer() {
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
  if (infer.casts_ != 0) [[unlikely]] apply_casts(infer);
}

bool Dispatcher::declared_needs_grad(int declared) const {
  const auto i = static_cast<std::size_t>(declared);
  for (std::size_t at = list_begin_[i]; at < list_begin_[i + 1]; ++at) {
    if (edge_inputs_[at]->requires_grad()) return true;
  }
  return false;
}

void Dispatcher::plan_recording() {
  wanted_ = ((1u << op_.output_count) - 1u) & ~op_.optional_outputs;
  wanted_ |= options_.want & op_.optional_outputs;
  if (!ts_.settings.grad || op_.output_count == 0) return;
  const bool any = std::any_of(edge_inputs_.begin(), edge_inputs_.end(),
                               [](const Tensor* t) { return t->requires_grad(); });
  if (!any || !is_floating(out_dtypes_[0])) return;
  records_ = true;
  for (const Save& save : op_.def.saves) {
    if ((save.inputs | save.outputs) == 0) continue;
    if (save.for_grad >= 0 && !declared_needs_grad(save.for_grad)) continue;
    save_inputs_ |= save.inputs;
    save_outputs_ |= save.outputs;
  }
  wanted_ |= save_outputs_;
}

void Dispatcher::build_args() {
  const std::size_t count = inputs_.size();
  if (count > kInlineArgs) {
    many_args_.resize((count + kMaxOutputs) * sizeof(TensorArg));
  }
  TensorArg* arg = args();
  for (std::size_t i = 0; i < count; ++i) {
    const TensorImpl* impl = inputs_[i]->impl();
    ::new (arg + i) TensorArg(impl != nullptr ? arg_of(impl) : TensorArg{});
  }
  TensorArg* out = arg + count;
  for (int i = 0; i < op_.output_count; ++i) {
    const Shape& shape = out_shape(i);
    ::new (out + i) TensorArg(is_set(wanted_, i)
                                  ? TensorArg{nullptr, &shape, shape.numel(), out_dtypes_[i]}
                                  : TensorArg{});
  }
  kernel_args_.op = op_.name();
  kernel_args_.attrs_data = attrs_;
  kernel_args_.inputs = {arg, count};
  kernel_args_.outputs = {out, op_.output_count};
  kernel_args_.list_begin = list_begin_;
}

bool Dispatcher::usable(const KernelRow& row) {
  if (row.applies == nullptr) return true;
  kernel_args_.user = row.user;
  return row.applies(kernel_args_);
}

const KernelRow* Dispatcher::choose() {
  const std::span<const KernelRow> rows = op_.kernels.rows(device_.kind, key_dtype());
  if (ts_.pinned_variant != nullptr) [[unlikely]] return choose_pinned(rows);
  for (const KernelRow& row : rows) {
    if (!usable(row)) continue;
    if (row.deterministic || ts_.settings.determinism == Determinism::off) return &row;
    return choose_deterministic(rows);
  }
  return nullptr;
}

void Dispatcher::allocate(Tensor* outputs) {
  auto* out = const_cast<TensorArg*>(kernel_args_.outputs.data());
  for (int i = 0; i < op_.output_count; ++i) {
    if (!is_set(wanted_, i)) continue;
    const auto at = static_cast<std::size_t>(i);
    if (at < options_.into.size() && options_.into[at].tensor.defined()) {
      place_output(i, options_.into[at], outputs[i]);
    } else {
      outputs[i] = Tensor(new_tensor(out_shape(i), out_dtypes_[i], device_));
    }
    out[i] = arg_of(outputs[i].impl());
  }
}

void Dispatcher::run_kernel(const KernelRow& row, Tensor* outputs) {
  allocate(outputs);
  kernel_args_.user = row.user;
  if (!device_.is_cpu()) kernel_args_.stream = session().stream(device_);
  if (row.prepare != nullptr) kernel_args_.plan = row.prepare(kernel_args_);
  Ref<TensorImpl> workspace;
  if (row.workspace != nullptr) {
    if (const std::size_t bytes = row.workspace(kernel_args_)) {
      workspace = new_tensor(Shape({static_cast<std::int64_t>(bytes)}), DType::u8, device_);
      kernel_args_.workspace = workspace->data;
      kernel_args_.workspace_bytes = bytes;
    }
  }
  if (session().observed() || ts_.recorder != nullptr) [[unlikely]] {
    run_watched(&row, outputs);
  } else {
    row.run(kernel_args_);
  }
  if (op_.def.mutates != 0) {
    for (int i = 0; i < op_.input_count; ++i) {
      if (!is_set(op_.def.mutates, i)) continue;
      const auto declared = static_cast<std::size_t>(i);
      for (std::size_t at = list_begin_[declared]; at < list_begin_[declared + 1]; ++at) {
        if (inputs_[at]->defined()) ++inputs_[at]->impl()->storage->version;
      }
    }
  }
}

void Dispatcher::record(Tensor* outputs) {
  Node* node = Node::make(inputs_.size(), op_.output_count, op_.def.attrs->size);
  const Ref<Node> holder = Ref<Node>::adopt(node);
  node->op = &op_;
  node->settings = ts_.settings;
  node->path = ts_.path;
  node->random = kernel_args_.random;
  std::memcpy(node->attrs, attrs_, op_.def.attrs->size);
  std::uint64_t sequence = ts_.sequence;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const TensorImpl* impl = inputs_[i]->impl();
    if (impl == nullptr) continue;
    node->inputs[i] = {impl->shape, impl->dtype, device_};
    const TensorImpl* source = edge_inputs_[i]->impl();
    node->set_edge(i, source);
    if (source->node != nullptr) sequence = std::max(sequence, node_of(source)->sequence);
  }
  node->sequence = ts_.sequence = sequence + 1;
  for (int i = 0; i < op_.input_count; ++i) {
    if (!is_set(save_inputs_, i)) continue;
    const auto declared = static_cast<std::size_t>(i);
    for (std::size_t at = list_begin_[declared]; at < list_begin_[declared + 1]; ++at) {
      if (inputs_[at]->defined()) node->save(node->saved_inputs[at], inputs_[at]->impl());
    }
  }
  for (int i = 0; i < op_.output_count; ++i) {
    TensorImpl* impl = outputs[i].impl();
    if (impl == nullptr) continue;
    const auto at = static_cast<std::size_t>(i);
    node->outputs[at] = {impl->shape, impl->dtype, device_};
    if (is_set(save_outputs_, i)) {
      // Without its grad meta: an output that held its own node would never be freed.
      const Ref<TensorImpl> bare = new_view(impl, impl->data, impl->shape);
      node->save(node->saved_outputs[at], bare.get());
    }
    if (!is_floating(impl->dtype)) continue;
    impl->requires_grad = true;
    impl->output_index = static_cast<std::uint8_t>(i);
    node->retain();
    impl->node = node;
  }
}

Outputs dispatch(OpEntry* op, const void* attrs, std::span<const Tensor* const> inputs) {
  return dispatch(op, attrs, inputs, kNoOptions);
}

Outputs dispatch(OpEntry* op, const void* attrs, std::span<const Tensor* const> inputs,
                 const CallOptions& options) {
  Outputs outputs;
  Dispatcher(*op, attrs, inputs, {kOneEach, inputs.size() + 1}, options).run(outputs.tensors.data());
  return outputs;
}

Tensor dispatch_one(OpEntry* op, const void* attrs, std::span<const Tensor* const> inputs) {
  Tensor output;
  Dispatcher(*op, attrs, inputs, {kOneEach, inputs.size() + 1}, kNoOptions).run(&output);
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
