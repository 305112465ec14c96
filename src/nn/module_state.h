// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "weft/nn/module.h"

namespace weft::nn::detail {

struct HookEntry {
  std::uint64_t id = 0;
  bool before = false;
  ForwardHook call;
};

/// What all handles of one module share.
struct ModuleState : std::enable_shared_from_this<ModuleState> {
  std::string type;
  std::string details;
  std::string name;  ///< within `parent`
  std::weak_ptr<ModuleState> parent;
  std::vector<std::pair<std::string, Parameter>> parameters;
  std::vector<std::pair<std::string, Buffer>> buffers;
  std::vector<std::pair<std::string, std::shared_ptr<ModuleState>>> children;
  std::vector<std::shared_ptr<const HookEntry>> hooks;
  bool training = true;

  /// Interned at the first use, so that a module may be put into its parents in any order before.
  std::atomic<std::int32_t> path_id{-1};

  std::string path() const;
  std::uint16_t interned_path();
  void forget_paths();
};

/// Calls `visit(prefix, state)` for `root` (prefix empty) and everything below it, parents first.
/// `prefix` is empty or ends in a dot.
template <class State, class Visit>
void walk(State& root, const std::string& prefix, const Visit& visit) {
  visit(prefix, root);
  for (const auto& [name, child] : root.children) walk<State>(*child, prefix + name + ".", visit);
}

}  // namespace weft::nn::detail
