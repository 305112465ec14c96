// SPDX-License-Identifier: Apache-2.0
#include <atomic>

#include "core/tensor_alloc.h"
#include "op/dispatcher.h"
#include "op/fallback.h"
#include "op/recorder.h"
#include "op/transfer.h"
#include "weft/op/attrs/cast.h"

namespace weft {

namespace {

bool is_set(std::uint32_t mask, int bit) { return ((mask >> bit) & 1u) != 0; }

Tensor converted(const Tensor& x, DType dtype) {
  static OpEntry& cast = op_named("cast");
  const CastAttrs attrs{dtype};
  const Tensor* in[] = {&x};
  return dispatch_one(&cast, &attrs, in);
}

DerivedCopy::Kind shadow_kind(DType dtype) {
  return dtype == DType::bf16 ? DerivedCopy::Kind::bf16 : DerivedCopy::Kind::f16;
}

// A half copy of an f32 leaf: refreshed into the same storage when the leaf has changed.
Tensor shadow_of(const Tensor& leaf, DType dtype) {
  LeafGrad& record = *leaf_if_any(leaf.impl());
  StepRecorder* recorder = thread_state.recorder;
  for (std::size_t i = 0; i < record.derived.size(); ++i) {
    DerivedCopy& derived = record.derived[i];
    if (derived.kind != shadow_kind(dtype)) continue;
    const bool current = derived.version == leaf.version();
    if (recorder != nullptr) recorder->derived(leaf, i, current);
    if (!current) {
      static OpEntry& copy = op_named("copy");
      const NoGrad no_grad;
      const Tensor* in[] = {&derived.copy, &leaf};
      const NoAttrs attrs;
      dispatch(&copy, &attrs, in);
      derived.version = leaf.version();
    }
    return derived.copy;
  }
  const NoGrad no_grad;
  Tensor copy = converted(leaf, dtype);
  record.derived.push_back({shadow_kind(dtype), copy, leaf.version()});
  return copy;
}

}  // namespace

void Dispatcher::replace_input(std::size_t i, Tensor tensor, bool keep_edge) {
  Extra& own = extra();
  if (own.inputs.empty()) {
    own.converted.reserve(inputs_.size());
    own.inputs.assign(inputs_.begin(), inputs_.end());
    own.edges.assign(edge_inputs_.begin(), edge_inputs_.end());
    inputs_ = own.inputs;
    edge_inputs_ = own.edges;
  }
  // An input may be converted twice (autocast, then promotion); pointers into `converted_` stay
  // valid because a second conversion takes the first one's place.
  for (Tensor& held : own.converted) {
    if (&held != own.inputs[i]) continue;
    held = std::move(tensor);
    return;
  }
  own.converted.push_back(std::move(tensor));
  own.inputs[i] = &own.converted.back();
  if (!keep_edge) own.edges[i] = &own.converted.back();
}

void Dispatcher::apply_autocast() {
  DType target = ts_.settings.autocast_dtype;
  if (op_.def.autocast == Cast::fp32) target = DType::f32;
  if (op_.def.autocast == Cast::promote) {
    bool any = false;
    for (const Tensor* input : inputs_) {
      if (!input->defined() || !is_floating(input->dtype())) continue;
      target = any ? promote(target, input->dtype()) : input->dtype();
      any = true;
    }
  }
  const bool autocast = std::exchange(ts_.settings.autocast, false);
  struct Restore {
    ThreadState& ts;
    bool autocast;
    ~Restore() { ts.settings.autocast = autocast; }
  } restore{ts_, autocast};
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const Tensor& input = *inputs_[i];
    if (!input.defined() || !is_floating(input.dtype()) || input.dtype() == target ||
        input.dtype() == DType::f64) {
      continue;
    }
    if (op_.def.autocast == Cast::fp32 && !is_half(input.dtype())) continue;
    const bool leaf =
        input.requires_grad() && input.is_leaf() && input.dtype() == DType::f32 && is_half(target);
    wants_grad_ = wants_grad_ || leaf;
    replace_input(i, leaf ? shadow_of(input, target) : converted(input, target), leaf);
  }
}

void Dispatcher::apply_casts(const Infer& infer) {
  for (int k = 0; k < infer.casts_; ++k) {
    const auto at = static_cast<std::size_t>(k);
    const auto i = static_cast<unsigned char>(infer.cast_input_[at]);
    if (is_set(op_.def.mutates, static_cast<int>(i))) {
      infer.fail(ErrorKind::dtype, cat(infer.text(static_cast<int>(i)),
                                       " but is written in place as ", infer.cast_dtype_[at]));
    }
    replace_input(i, converted(*inputs_[i], infer.cast_dtype_[at]), false);
  }
}

std::string Dispatcher::input_text(std::size_t i) const {
  int declared = 0;
  while (declared + 1 < op_.input_count &&
         list_begin_[static_cast<std::size_t>(declared) + 1] <= i) {
    ++declared;
  }
  std::string text(op_.input_name(declared));
  if (is_set(op_.list_inputs, declared)) {
    text += cat("[", i - list_begin_[static_cast<std::size_t>(declared)], "]");
  }
  return text;
}

void Dispatcher::fail_device(std::size_t a, std::size_t b) const {
  throw Error(ErrorKind::device,
              cat(op_.name(), ": ", input_text(a), " is on ", inputs_[a]->device(), " but ",
                  input_text(b), " is on ", inputs_[b]->device()),
              cat("move one of them, e.g. ", input_text(b), ".to(\"", inputs_[a]->device(), "\")"));
}

void Dispatcher::fail_missing_input(std::size_t i) const {
  throw Error(ErrorKind::value,
              cat(op_.name(), ": ", input_text(i), " is an undefined tensor but is required"));
}

void Dispatcher::fail_no_kernel() const {
  std::string have;
  for (std::size_t kind = 0; kind < kDeviceKindCount; ++kind) {
    std::string dtypes;
    for (const DType dtype : kAllDTypes) {
      if (!op_.kernels.rows(static_cast<DeviceKind>(kind), dtype).empty())
        dtypes += cat(" ", dtype);
    }
    if (dtypes.empty()) continue;
    have += cat(have.empty() ? "" : "; ", name_of(static_cast<DeviceKind>(kind)), dtypes);
  }
  const bool on_cpu = !op_.kernels.rows(DeviceKind::cpu, key_dtype()).empty();
  std::string hint;
  if (!device_.is_cpu() && on_cpu) hint = "move its inputs with .to(\"cpu\")";
  if (device_.is_cpu()) hint = "convert its inputs with .to(dtype)";
  throw Error(ErrorKind::unsupported,
              cat(op_.name(), ": no kernel for ", key_dtype(), " on ", device_,
                  "; there are: ", have.empty() ? "none" : have),
              hint);
}

const KernelRow* Dispatcher::choose_pinned(std::span<const KernelRow> rows) {
  if (op_.def.composite != nullptr && std::string_view(ts_.pinned_variant) == "composite")
    return nullptr;
  for (const KernelRow& row : rows) {
    if (row.variant == ts_.pinned_variant && usable(row)) return &row;
  }
  if (ts_.pin_required) {
    throw Error(ErrorKind::unsupported,
                cat(op_.name(), ": variant `", ts_.pinned_variant,
                    "` does not exist or does not apply for ", key_dtype(), " on ", device_));
  }
  for (const KernelRow& row : rows) {
    if (usable(row)) return &row;
  }
  return nullptr;
}

const KernelRow* Dispatcher::choose_deterministic(std::span<const KernelRow> rows) {
  const KernelRow* first = nullptr;
  for (const KernelRow& row : rows) {
    if (!usable(row)) continue;
    if (row.deterministic) return &row;
    if (first == nullptr) first = &row;
  }
  const std::string message =
      cat(op_.name(), ": no deterministic kernel for ", key_dtype(), " on ", device_);
  if (ts_.settings.determinism == Determinism::error) {
    throw Error(ErrorKind::unsupported, message, "use determinism: warn, or run it on the CPU");
  }
  warn_once(cat(message, "; `", first->variant, "` may differ from run to run"));
  return first;
}

void Dispatcher::check_mutated() {
  for (int i = 0; i < op_.input_count; ++i) {
    if (!is_set(op_.def.mutates, i)) continue;
    const auto declared = static_cast<std::size_t>(i);
    for (std::size_t at = list_begin_[declared]; at < list_begin_[declared + 1]; ++at) {
      const Tensor& input = *inputs_[at];
      if (!input.defined()) continue;
      require_writable(*input.impl()->storage, op_.name());
      if (ts_.settings.grad && input.requires_grad()) {
        throw Error(
            ErrorKind::state,
            cat(op_.name(), ": ", input_text(at), " requires grad and would be written in place"),
            "write it under a NoGrad scope, or write a detached copy");
      }
    }
  }
}

void Dispatcher::bump_mutated() {
  for (int i = 0; i < op_.input_count; ++i) {
    if (!is_set(op_.def.mutates, i)) continue;
    const auto declared = static_cast<std::size_t>(i);
    for (std::size_t at = list_begin_[declared]; at < list_begin_[declared + 1]; ++at) {
      if (inputs_[at]->defined()) ++inputs_[at]->impl()->storage->version;
    }
  }
}

void Dispatcher::place_output(int i, const Dest& dest, Tensor& output) {
  const Tensor& target = dest.tensor;
  const bool may_accumulate = is_set(op_.def.accumulates, i);
  const bool dtype_fits =
      target.dtype() == out_dtypes_[i] || (may_accumulate && target.dtype() == DType::f32);
  if (!(target.shape() == out_shape(i)) || !dtype_fits || !(target.device() == device_) ||
      (dest.accumulate && !may_accumulate)) {
    throw Error(ErrorKind::internal, cat(op_.name(), ": destination ", describe(target),
                                         dest.accumulate ? " (added to)" : "",
                                         " does not fit output ", op_.output_name(i), ", ",
                                         out_dtypes_[i], to_string(out_shape(i)), " ", device_));
  }
  require_writable(*target.impl()->storage, op_.name());
  ++target.impl()->storage->version;
  output = target;
  if (dest.accumulate) kernel_args_.accumulate |= 1u << i;
}

void Dispatcher::run_watched(const KernelRow* row, Tensor* outputs) {
  const OpEvent event{
      op_,      row, kernel_args_, inputs_, {outputs, op_.output_count}, ts_.path, ts_.in_backward,
      ts_.depth};
  const std::vector<Observer*> observers = session().observers();
  for (Observer* observer : observers) observer->before(event);
  if (row != nullptr) {
    row->run(kernel_args_);
    if (ts_.recorder != nullptr) ts_.recorder->kernel(event);
  } else {
    run_composite(outputs);
  }
  for (Observer* observer : observers) observer->after(event);
}

void Dispatcher::run_without_kernel(Tensor* outputs) {
  if (op_.def.composite != nullptr) {
    if (session().observed()) {
      run_watched(nullptr, outputs);
    } else {
      run_composite(outputs);
    }
    return;
  }
  if (!device_.is_cpu() && op_.def.cpu_fallback &&
      !op_.kernels.rows(DeviceKind::cpu, key_dtype()).empty()) {
    run_on_cpu(outputs);
    return;
  }
  fail_no_kernel();
}

void Dispatcher::run_composite(Tensor* outputs) {
  struct Scope {
    ThreadState& ts;
    Settings settings;
    explicit Scope(ThreadState& state) : ts(state), settings(state.settings) { ++ts.depth; }
    ~Scope() {
      --ts.depth;
      ts.settings = settings;
    }
  } scope(ts_);
  ts_.settings.autocast = false;
  if (op_.def.backward != nullptr) {
    ts_.settings.grad = false;
  } else {
    records_ = false;  // its inner calls record themselves
  }
  Composite composite;
  composite.attrs_ = attrs_;
  composite.user_ = op_.user;
  composite.inputs_ = inputs_;
  composite.random_ = kernel_args_.random;
  Outputs made = op_.def.composite(composite);
  for (int i = 0; i < op_.output_count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const bool placed = at < options_.into.size() && options_.into[at].tensor.defined();
    if (!placed) {
      outputs[i] = std::move(made[i]);
      continue;
    }
    place_output(i, options_.into[at], outputs[i]);
    copy_into(outputs[i], made[i], is_set(kernel_args_.accumulate, i));
  }
}

void Dispatcher::run_on_cpu(Tensor* outputs) {
  count_fallback(op_);
  warn_once(cat(op_.name(), ": has no kernel for ", device_,
                " and runs on the CPU; its inputs are copied"));
  if (ts_.recorder != nullptr)
    ts_.recorder->refuse(cat(op_.name(), " runs on the CPU for ", device_));
  std::vector<Tensor> host;
  std::vector<const Tensor*> pointers;
  host.reserve(inputs_.size());
  for (const Tensor* input : inputs_) {
    host.push_back(input->defined() ? transfer(*input, Device()) : Tensor());
    pointers.push_back(&host.back());
  }
  CallOptions options;
  options.want = wanted_;
  options.random = op_.def.random ? &kernel_args_.random : nullptr;
  const NoGrad no_grad;
  Tensor made[kMaxOutputs];
  Dispatcher(op_, attrs_, pointers, list_begin_, options).run(made);
  for (int i = 0; i < op_.output_count; ++i) {
    if (made[i].defined()) outputs[i] = transfer(made[i], device_);
  }
  for (int i = 0; i < op_.input_count; ++i) {
    if (!is_set(op_.def.mutates, i)) continue;
    const auto declared = static_cast<std::size_t>(i);
    for (std::size_t at = list_begin_[declared]; at < list_begin_[declared + 1]; ++at) {
      if (inputs_[at]->defined()) transfer_into(*inputs_[at], host[at]);
    }
  }
}

}  // namespace weft
