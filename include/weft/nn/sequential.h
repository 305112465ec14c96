// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/nn/module.h"

namespace weft::nn {

/// Modules run one after the other: `nn::Sequential(nn::Linear(64, 32), nn::ReLU(), nn::Linear(32,
/// 10))`. Parts without a name are called by their position: `0`, `1`, ...
class WEFT_API Sequential : public Module {
 public:
  Sequential();
  template <std::derived_from<Module>... M>
    requires(sizeof...(M) > 0)
  explicit Sequential(M... modules) : Sequential() {
    (add(std::move(modules)), ...);
  }

  template <std::derived_from<Module> M>
  Sequential& add(M module) {
    return add(std::to_string(size()), std::move(module));
  }
  template <std::derived_from<Module> M>
  Sequential& add(std::string_view name, M module) {
    return add(name, ModulePtr(std::make_shared<M>(std::move(module))));
  }
  Sequential& add(std::string_view name, ModulePtr module);

  std::size_t size() const noexcept { return parts_->size(); }
  /// Part `i`. Throws Error(index).
  Module& at(std::size_t i) const;
  Tensor forward(const Tensor& x) override;

 private:
  std::shared_ptr<std::vector<ModulePtr>> parts_;
};

}  // namespace weft::nn
