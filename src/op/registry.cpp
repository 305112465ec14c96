// SPDX-License-Identifier: Apache-2.0
#include "weft/op/registry.h"

#include <deque>
#include <map>
#include <mutex>

#include "core/host_read.h"
#include "core/op_namer.h"
#include "core/thread_state.h"
#include "op/builtins.h"
#include "op/dispatch.h"
#include "op/recorder.h"

namespace weft {

namespace {

struct Registry {
  std::mutex mutex;
  std::deque<OpEntry> entries;  // never moves
  std::deque<std::string> strings;
  std::map<std::string, OpEntry*, std::less<>> by_name;
  std::map<OpEntry*, void (*)(const void*)> releases;

  ~Registry() {
    for (const auto& [entry, release] : releases) release(entry->user);
  }
};

Registry& registry() {
  static Registry instance;
  return instance;
}

const char* keep(Registry& reg, std::string_view text) {
  return reg.strings.emplace_back(text).c_str();
}

constexpr char marker_of(std::string_view name) {
  return name.empty() ? '\0' : (name.back() == '?' || name.back() == '*') ? name.back() : '\0';
}

constexpr std::string_view bare(std::string_view name) {
  return marker_of(name) == '\0' ? name : name.substr(0, name.size() - 1);
}

bool is_identifier(std::string_view name) {
  if (name.empty() || (name.front() >= '0' && name.front() <= '9')) return false;
  for (const char c : name) {
    const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || c == ':' || c == '.';
    if (!fits) return false;
  }
  return true;
}

[[noreturn]] void reject(std::string_view op, std::string_view message) {
  throw Error(ErrorKind::value, cat("add_op: record `", quoted(op), "`: ", message));
}

void check_names(const OpDef& def, const Names& names, std::string_view what) {
  for (int i = 0; i < names.count; ++i) {
    if (!is_identifier(bare(names[i]))) {
      reject(def.name,
             cat(what, " ", i, " is called \"", quoted(names[i]), "\", which is no name"));
    }
    for (int j = 0; j < i; ++j) {
      if (bare(names[i]) == bare(names[j]))
        reject(def.name, cat(what, " `", bare(names[i]), "` twice"));
    }
  }
}

void check_record(const OpDef& def) {
  if (def.name == nullptr || !is_identifier(def.name)) {
    reject(def.name == nullptr ? "" : def.name, "an op needs a name of letters, digits, _ : .");
  }
  if (def.version < 1) reject(def.name, cat("version is ", def.version, ", must be at least 1"));
  if (def.infer == nullptr) reject(def.name, "has no shape inference (`infer`)");
  if (def.attrs == nullptr || def.attrs->size > kMaxAttrsBytes) {
    reject(def.name, cat("attributes must be described and at most ", kMaxAttrsBytes, " bytes"));
  }
  if (def.outputs.count == 0 && def.mutates == 0)
    reject(def.name, "makes no output and mutates no input");
  if (def.outputs.count > kMaxOutputs) reject(def.name, cat("more than ", kMaxOutputs, " outputs"));
  check_names(def, def.inputs, "input");
  check_names(def, def.outputs, "output");
  for (int i = 0; i < def.outputs.count; ++i) {
    if (marker_of(def.outputs[i]) == '*')
      reject(def.name, "a list output; outputs are single tensors");
  }
}

std::uint32_t mask_of(const Names& names, char marker) {
  std::uint32_t mask = 0;
  for (int i = 0; i < names.count; ++i) {
    if (marker_of(names[i]) == marker) mask |= 1u << i;
  }
  return mask;
}

Names keep_names(Registry& reg, const Names& names) {
  Names kept = names;
  for (int i = 0; i < names.count; ++i)
    kept.names[static_cast<std::size_t>(i)] = keep(reg, names[i]);
  return kept;
}

std::string without_spaces(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c != ' ') out += c;
  }
  return out;
}

std::string_view field_type_text(const Field& field) {
  constexpr std::string_view names[] = {"boolean", "integer", "real", "dtype", "dims", "choice"};
  return names[static_cast<std::size_t>(field.type)];
}

std::string op_name_of(std::uint16_t id) {
  Registry& reg = registry();
  const std::lock_guard lock(reg.mutex);
  return id >= 1 && id <= reg.entries.size() ? std::string(reg.entries[id - 1u].name())
                                             : std::string();
}

// A look-up made while the built-ins register must not start over.
constinit thread_local bool registering = false;

}  // namespace

void ensure_registered() {
  if (registering) return;
  static std::once_flag once;
  std::call_once(once, [] {
    registering = true;
    set_op_namer(op_name_of);
    set_host_read_hook([](const Tensor& x) { thread_state.recorder->host_read(x); });
    register_builtin_ops();
    cpu::register_kernels();
    registering = false;
  });
}

std::string_view OpEntry::input_name(int i) const { return bare(def.inputs[i]); }
std::string_view OpEntry::output_name(int i) const { return bare(def.outputs[i]); }

OpEntry& add_op(const OpDef& def, const AddOpOptions& options) {
  check_record(def);
  ensure_registered();
  Registry& reg = registry();
  OpEntry* entry = nullptr;
  {
    const std::lock_guard lock(reg.mutex);
    if (!options.replace && reg.by_name.contains(def.name)) {
      throw Error(ErrorKind::value,
                  cat("add_op: an op called `", def.name, "` is already registered"),
                  "choose another name, or pass {.replace = true}");
    }
    entry = &reg.entries.emplace_back();
    entry->def = def;
    entry->def.name = keep(reg, def.name);
    entry->label = entry->def.name;
    entry->def.inputs = keep_names(reg, def.inputs);
    entry->def.outputs = keep_names(reg, def.outputs);
    entry->user = options.user;
    entry->id = static_cast<std::uint16_t>(reg.entries.size());
    entry->input_count = static_cast<std::uint8_t>(def.inputs.count);
    entry->output_count = static_cast<std::uint8_t>(def.outputs.count);
    for (std::size_t k = 0; k < def.saves.size(); ++k) {
      if ((def.saves[k].inputs | def.saves[k].outputs) != 0)
        entry->save_count = static_cast<std::uint8_t>(k + 1);
    }
    entry->optional_inputs = mask_of(def.inputs, '?');
    entry->list_inputs = mask_of(def.inputs, '*');
    entry->optional_outputs = mask_of(def.outputs, '?');
    if (options.release != nullptr) reg.releases[entry] = options.release;
  }
  if (!options.signature.empty() &&
      without_spaces(options.signature) != without_spaces(signature_text(*entry))) {
    reject(def.name, cat("its signature is ", signature_text(*entry), ", not ", options.signature));
  }
  const std::lock_guard lock(reg.mutex);
  reg.by_name[entry->def.name] = entry;
  return *entry;
}

OpEntry* find_op(std::string_view name) {
  ensure_registered();
  Registry& reg = registry();
  const std::lock_guard lock(reg.mutex);
  const auto it = reg.by_name.find(name);
  return it == reg.by_name.end() ? nullptr : it->second;
}

OpEntry& op_named(std::string_view name) {
  if (OpEntry* entry = find_op(name)) return *entry;
  std::vector<std::string> names;
  for (const OpEntry* entry : all_ops()) names.emplace_back(entry->name());
  const std::string near = nearest_name(name, names);
  throw Error(
      ErrorKind::unsupported, cat("no op is called `", quoted(name), "`"),
      near.empty() ? "list them with all_ops() or `weft ops`" : cat("did you mean `", near, "`?"));
}

std::vector<const OpEntry*> all_ops() {
  ensure_registered();
  Registry& reg = registry();
  const std::lock_guard lock(reg.mutex);
  std::vector<const OpEntry*> ops;
  for (const auto& [name, entry] : reg.by_name) ops.push_back(entry);
  return ops;
}

std::string signature_text(const OpEntry& op) {
  std::string text = cat(op.name(), "(");
  for (int i = 0; i < op.def.inputs.count; ++i) text += cat(i == 0 ? "" : ", ", op.def.inputs[i]);
  const AttrsInfo& info = *op.def.attrs;
  if (!info.fields.empty()) {
    text += op.def.inputs.count == 0 ? "*" : ", *";
    const std::string defaults = attrs_text(info, info.defaults);
    std::size_t at = 1;
    for (const Field& field : info.fields) {
      const std::size_t value = at + field.name.size() + 1;
      std::size_t end = defaults.find(", ", value);
      // A list's own commas have no blank behind them.
      if (end == std::string::npos) end = defaults.size() - 1;
      text += cat(", ", field.name, ": ", field_type_text(field), " = ",
                  std::string_view(defaults).substr(value, end - value));
      at = end + 2;
    }
  }
  text += ") -> ";
  const bool tuple = op.def.outputs.count != 1;
  if (tuple) text += "(";
  for (int i = 0; i < op.def.outputs.count; ++i) text += cat(i == 0 ? "" : ", ", op.def.outputs[i]);
  return tuple ? text + ")" : text;
}

void add_kernel(std::string_view op, DeviceKind kind, std::initializer_list<DType> dtypes,
                const KernelRow& row) {
  OpEntry& entry = op_named(op);
  for (const DType dtype : dtypes) entry.kernels.add(kind, dtype, row);
}

namespace {

std::size_t declared_at_least(const OpEntry& op) {
  std::size_t count = op.input_count;
  for (int i = op.input_count - 1; i >= 0 && ((op.optional_inputs >> i) & 1u) != 0; --i) --count;
  return count;
}

}  // namespace

Outputs call_op(OpEntry& op, const void* attrs,
                std::initializer_list<std::span<const Tensor>> lists) {
  if (lists.size() != op.input_count) {
    throw Error(ErrorKind::value, cat(op.name(), ": ", lists.size(), " lists of inputs given but ",
                                      signature_text(op), " declares ", int{op.input_count}));
  }
  int i = 0;
  for (const std::span<const Tensor> list : lists) {
    if (((op.list_inputs >> i) & 1u) == 0 && list.size() != 1) {
      throw Error(ErrorKind::value, cat(op.name(), ": ", op.input_name(i), " is one tensor but ",
                                        list.size(), " were given"));
    }
    ++i;
  }
  return dispatch_lists(&op, attrs, lists);
}

Outputs call_op(OpEntry& op, const void* attrs, std::span<const Tensor> inputs) {
  if (op.list_inputs != 0) {
    if (op.input_count == 1) return call_op(op, attrs, {inputs});
    throw Error(ErrorKind::value,
                cat(op.name(), ": takes lists; pass one span per input of ", signature_text(op)));
  }
  if (inputs.size() > op.input_count || inputs.size() < declared_at_least(op)) {
    throw Error(ErrorKind::value, cat(op.name(), ": ", inputs.size(), " inputs given but ",
                                      signature_text(op), " takes ", int{op.input_count}));
  }
  const Tensor absent;
  std::array<const Tensor*, kMaxInputs> all{};
  for (std::size_t i = 0; i < op.input_count; ++i)
    all[i] = i < inputs.size() ? &inputs[i] : &absent;
  return dispatch(&op, attrs, {all.data(), op.input_count});
}

}  // namespace weft
