// SPDX-License-Identifier: Apache-2.0
#include <atomic>

#include "nn/module_state.h"
#include "weft/base/error.h"
#include "weft/base/glob.h"
#include "weft/base/text.h"
#include "weft/core/context.h"
#include "weft/nn/module.h"

namespace weft::nn {

using detail::ModuleState;

HookHandle& HookHandle::operator=(HookHandle&& other) noexcept {
  if (this != &other) {
    remove();
    modules_ = std::move(other.modules_);
    id_ = other.id_;
    other.modules_.clear();
  }
  return *this;
}

HookHandle::~HookHandle() { remove(); }

void HookHandle::remove() noexcept {
  if (modules_.empty()) return;
  for (const auto& weak : modules_) {
    if (const auto module = weak.lock()) {
      std::erase_if(module->hooks, [this](const auto& hook) { return hook->id == id_; });
    }
  }
  modules_.clear();
  current_session().bump_revision();
}

HookHandle Module::add_hook(std::string_view pattern, ForwardHook hook, bool before) {
  static std::atomic<std::uint64_t> next_id{1};
  HookHandle handle;
  handle.id_ = next_id.fetch_add(1, std::memory_order_relaxed);
  const auto entry = std::make_shared<const detail::HookEntry>(
      detail::HookEntry{handle.id_, before, std::move(hook)});
  std::vector<std::string> paths;
  detail::walk(*state_, {}, [&](const std::string& prefix, ModuleState& state) {
    const std::string path = prefix.substr(0, prefix.empty() ? 0 : prefix.size() - 1);
    if (!path.empty()) paths.push_back(path);
    if (!glob_match(pattern, path)) return;
    state.hooks.push_back(entry);
    handle.modules_.push_back(state.weak_from_this());
  });
  if (handle.modules_.empty()) {
    throw Error(ErrorKind::value, cat("on_forward: no module is called `", quoted(pattern), "`"),
                cat("modules are ", join(paths)));
  }
  current_session().bump_revision();
  return handle;
}

HookHandle Module::on_forward(std::string_view pattern, ForwardHook hook) {
  return add_hook(pattern, std::move(hook), false);
}

HookHandle Module::before_forward(std::string_view pattern, ForwardHook hook) {
  return add_hook(pattern, std::move(hook), true);
}

}  // namespace weft::nn
