// SPDX-License-Identifier: Apache-2.0
#include "weft/nn/module.h"

#include <algorithm>
#include <unordered_map>

#include "nn/module_state.h"
#include "weft/base/error.h"
#include "weft/base/glob.h"
#include "weft/base/text.h"
#include "weft/core/context.h"

namespace weft::nn {

using detail::ModuleState;
using detail::walk;

namespace detail {

std::string ModuleState::path() const {
  const auto above = parent.lock();
  if (!above) return {};
  const std::string prefix = above->path();
  return prefix.empty() ? name : prefix + "." + name;
}

std::uint16_t ModuleState::interned_path() {
  std::int32_t id = path_id.load(std::memory_order_relaxed);
  if (id < 0) {
    id = intern_path(path());
    path_id.store(id, std::memory_order_relaxed);
  }
  return static_cast<std::uint16_t>(id);
}

void ModuleState::forget_paths() {
  walk(*this, {}, [](const std::string&, ModuleState& state) { state.path_id = -1; });
}

}  // namespace detail

Module::Module(std::string_view type) : state_(std::make_shared<ModuleState>()) {
  state_->type = type;
}

Module::~Module() = default;

Tensor Module::forward(const Tensor&) {
  throw Error(ErrorKind::unsupported, cat("module ", state_->type, " has no forward(x)"),
              "override `Tensor forward(const Tensor& x)`");
}

Tensor Module::operator()(const Tensor& x) {
  ModuleState& state = *state_;
  // A root that runs inside another module's forward keeps that module's path.
  const std::uint16_t own = state.interned_path();
  const ModuleScope scope(own != 0 ? own : current_path());
  if (state.hooks.empty()) [[likely]]
    return forward(x);

  // Copies, because a hook may remove itself.
  const auto hooks = state.hooks;
  const std::string path = state.path();
  Tensor output;
  const ForwardCall call{path, state.type, x, output};
  for (const auto& hook : hooks) {
    if (hook->before) hook->call(call);
  }
  output = forward(x);
  for (const auto& hook : hooks) {
    if (!hook->before) hook->call(call);
  }
  return output;
}

std::vector<NamedParameter> Module::named_parameters() const {
  std::vector<NamedParameter> out;
  std::unordered_map<const void*, std::size_t> seen;
  walk(*state_, {}, [&](const std::string& prefix, ModuleState& state) {
    for (auto& [name, parameter] : state.parameters) {
      const auto [at, first] = seen.emplace(parameter.id(), out.size());
      if (first) {
        out.push_back({prefix + name, parameter, {}});
      } else if (prefix + name != out[at->second].name) {
        out[at->second].aliases.push_back(prefix + name);
      }
    }
  });
  const std::string root = path();
  for (NamedParameter& entry : out) {
    const std::string full = root.empty() ? entry.name : root + "." + entry.name;
    if (entry.parameter.name() != full) entry.parameter.set_name(full);
  }
  return out;
}

std::vector<Parameter> Module::parameters() const {
  std::vector<Parameter> out;
  for (NamedParameter& entry : named_parameters()) out.push_back(std::move(entry.parameter));
  return out;
}

std::vector<NamedBuffer> Module::named_buffers() const {
  std::vector<NamedBuffer> out;
  walk(*state_, {}, [&](const std::string& prefix, ModuleState& state) {
    for (auto& [name, buffer] : state.buffers) {
      const bool seen = std::any_of(out.begin(), out.end(), [&](const NamedBuffer& other) {
        return other.buffer.same_as(buffer);
      });
      if (!seen) out.push_back({prefix + name, buffer});
    }
  });
  return out;
}

std::int64_t Module::parameter_count() const {
  std::int64_t count = 0;
  for (const NamedParameter& entry : named_parameters()) count += entry.parameter.numel();
  return count;
}

const std::string& Module::type() const noexcept { return state_->type; }
std::string Module::path() const { return state_->path(); }
bool Module::is_training() const noexcept { return state_->training; }

void Module::train(bool on) {
  bool changed = false;
  walk(*state_, {}, [&](const std::string&, ModuleState& state) {
    changed = changed || state.training != on;
    state.training = on;
  });
  if (changed) current_session().bump_revision();
}

void Module::to(Device device) {
  for (NamedParameter& entry : named_parameters()) entry.parameter.to(device);
  for (NamedBuffer& entry : named_buffers()) entry.buffer.to(device);
}

void Module::to(DType dtype) {
  if (!is_floating(dtype)) {
    throw Error(ErrorKind::dtype, cat("module: cannot hold its parameters as ", dtype),
                "choose f64, f32, bf16 or f16");
  }
  for (NamedParameter& entry : named_parameters()) entry.parameter.to(dtype);
  // Statistics lose too much in a half.
  const DType kept = is_half(dtype) ? DType::f32 : dtype;
  for (NamedBuffer& entry : named_buffers()) {
    if (is_floating(entry.buffer.dtype())) entry.buffer.to(kept);
  }
}

std::int64_t Module::freeze(std::string_view pattern, bool frozen) {
  std::int64_t count = 0;
  std::vector<std::string> names;
  for (NamedParameter& entry : named_parameters()) {
    names.push_back(entry.name);
    if (!glob_match(pattern, entry.name)) continue;
    entry.parameter.freeze(frozen);
    ++count;
  }
  if (count == 0) {
    throw Error(ErrorKind::value, cat("freeze: no parameter is called `", quoted(pattern), "`"),
                cat("parameters are ", join(names)));
  }
  return count;
}

Parameter Module::parameter(std::string_view name, Tensor value) {
  return parameter(name, Parameter(std::move(value)));
}

namespace {

void require_free_name(const ModuleState& state, std::string_view name) {
  if (name.empty() || name.find('.') != std::string_view::npos) {
    throw Error(ErrorKind::value,
                cat("module ", state.type, ": `", quoted(name), "` is no name for a part"),
                "use a name without dots");
  }
  const auto taken = [name](const auto& list) {
    return std::any_of(list.begin(), list.end(), [name](const auto& e) { return e.first == name; });
  };
  if (taken(state.parameters) || taken(state.buffers) || taken(state.children)) {
    throw Error(ErrorKind::value,
                cat("module ", state.type, ": it has a part called `", quoted(name), "`"),
                "choose another name");
  }
}

}  // namespace

Parameter Module::parameter(std::string_view name, Parameter shared) {
  require_free_name(*state_, name);
  if (!shared.defined()) {
    throw Error(ErrorKind::value, cat("module ", type(), ": parameter `", name, "` is undefined"));
  }
  state_->parameters.emplace_back(name, shared);
  current_session().bump_revision();
  return shared;
}

Buffer Module::buffer(std::string_view name, Tensor value) {
  require_free_name(*state_, name);
  Buffer made(std::move(value));
  made.set_name(name);
  state_->buffers.emplace_back(name, made);
  current_session().bump_revision();
  return made;
}

void Module::describe_as(std::string details) { state_->details = std::move(details); }

void Module::adopt(std::string_view name, const Module& module) {
  require_free_name(*state_, name);
  for (auto above = state_; above; above = above->parent.lock()) {
    if (above == module.state_) {
      throw Error(ErrorKind::value,
                  cat("module ", type(), ": `", name, "` contains the module it is put into"));
    }
  }
  // A module used twice keeps its first place; its parameters are tied by being the same.
  if (module.state_->parent.expired()) {
    module.state_->parent = state_;
    module.state_->name = name;
    module.state_->forget_paths();
  }
  state_->children.emplace_back(name, module.state_);
  current_session().bump_revision();
}

}  // namespace weft::nn
