// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <limits>
#include <vector>

#include "weft/ops/optimizer.h"

/// What tests of optimizer ops share: formulas in double, and one small step.
namespace weft::test {

using Values = std::vector<double>;
inline constexpr double kNone = std::numeric_limits<double>::infinity();

inline Tensor i32(const std::vector<std::int32_t>& values) {
  return Tensor::from(values, {static_cast<std::int64_t>(values.size())});
}

inline StepSettings settings(double lr, double weight_decay = 0, double clip_norm = kNone,
                             double clip_value = kNone) {
  StepSettings s;
  s.groups[0] = {lr, weight_decay};
  s.groups[1] = {2 * lr, 0};
  s.clip_norm = clip_norm;
  s.clip_value = clip_value;
  return s;
}

/// torch.optim.SGD, element by element.
struct SgdReference {
  SgdAttrs attrs;
  ParamGroupState group;
  Values buffer = {};
  int updates = 0;

  void step(Values& p, const Values& grads) {
    buffer.resize(p.size());
    ++updates;
    for (std::size_t i = 0; i < p.size(); ++i) {
      double g = grads[i] + group.weight_decay * p[i];
      if (attrs.momentum != 0) {
        buffer[i] = updates == 1 ? g : attrs.momentum * buffer[i] + (1 - attrs.dampening) * g;
        g = attrs.nesterov ? g + attrs.momentum * buffer[i] : buffer[i];
      }
      p[i] -= group.lr * g;
    }
  }
};

/// Kingma & Ba 2015, algorithm 1; Loshchilov & Hutter 2019, algorithm 2.
struct AdamReference {
  AdamAttrs attrs;
  ParamGroupState group;
  Values m = {};
  Values v = {};
  int updates = 0;

  void step(Values& p, const Values& grads) {
    m.resize(p.size());
    v.resize(p.size());
    ++updates;
    for (std::size_t i = 0; i < p.size(); ++i) {
      const double g = grads[i] + (attrs.decoupled ? 0 : group.weight_decay * p[i]);
      if (attrs.decoupled) p[i] -= group.lr * group.weight_decay * p[i];
      m[i] = attrs.beta1 * m[i] + (1 - attrs.beta1) * g;
      v[i] = attrs.beta2 * v[i] + (1 - attrs.beta2) * g * g;
      const double mean = m[i] / (1 - std::pow(attrs.beta1, updates));
      const double square = v[i] / (1 - std::pow(attrs.beta2, updates));
      p[i] -= group.lr * mean / (std::sqrt(square) + attrs.eps);
    }
  }
};

/// Two parameters of two values each and what belongs to them, for tests of single steps.
struct Step {
  Tensor state = make_step_state(settings(0.1, 0.01));
  Tensor groups = i32({0, 1});
  Tensor updates = i32({0, 0});
  std::vector<Tensor> params = {Tensor::of({1, -2}), Tensor::of({3, 4})};
  std::vector<Tensor> grads = {Tensor::of({0.5, -1}), Tensor::of({2, 0.25})};
  std::vector<Tensor> m = {Tensor::of({0, 0}), Tensor::of({0, 0})};
  std::vector<Tensor> v = {Tensor::of({0, 0}), Tensor::of({0, 0})};

  UpdateTargets targets() const { return {state, groups, updates, params, grads}; }
  void begin(const BeginUpdateOptions& options = {}) {
    begin_update(state, updates, grads, options);
  }
  void adam(const AdamAttrs& attrs = {}) { adam_step(targets(), m, v, attrs); }
  void sgd(const SgdAttrs& attrs = {}) {
    sgd_step(targets(), attrs.momentum != 0 ? m : std::vector<Tensor>(), attrs);
  }
  StepState read() const { return read_step_state(state); }
  /// Every value that a step may change but the state.
  Values written() const {
    Values all = updates.to_vector();
    for (const auto* list : {&params, &m, &v}) {
      for (const Tensor& t : *list) {
        const Values values = t.to_vector();
        all.insert(all.end(), values.begin(), values.end());
      }
    }
    return all;
  }
};

}  // namespace weft::test
