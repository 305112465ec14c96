// SPDX-License-Identifier: Apache-2.0
#include "weft/nn/eval_scope.h"

#include "nn/module_state.h"

namespace weft::nn {

EvalScope::EvalScope(Module& module) {
  detail::walk(*module.state_, {}, [this](const std::string&, detail::ModuleState& state) {
    modes_.emplace_back(state.shared_from_this(), state.training);
    state.training = false;
  });
}

EvalScope::~EvalScope() {
  // Backwards, because a module with two parents was met twice.
  for (auto it = modes_.rbegin(); it != modes_.rend(); ++it) it->first->training = it->second;
}

}  // namespace weft::nn
