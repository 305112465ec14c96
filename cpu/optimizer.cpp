// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <span>

#include "cpu/clones.h"
#include "cpu/lanes.h"
#include "cpu/register.h"
#include "cpu/row_sums.h"
#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/math/clamp.h"
#include "weft/op/attrs/optimizer.h"
#include "weft/op/registry.h"
#include "weft/op/step_state.h"

namespace weft::cpu {

namespace {

std::int64_t total_elements(std::span<const TensorArg> tensors) {
  std::int64_t total = 0;
  for (const TensorArg& tensor : tensors) {
    if (tensor.present()) total += tensor.numel;
  }
  return total;
}

/// `fn(index, begin, end)` for the pieces of `tensors` that lie in [first, last) of all their
/// elements laid end to end; absent tensors have none.
template <class F>
void for_pieces(std::span<const TensorArg> tensors, std::int64_t first, std::int64_t last,
                const F& fn) {
  std::int64_t start = 0;
  for (std::size_t i = 0; i < tensors.size() && start < last; ++i) {
    if (!tensors[i].present()) continue;
    const std::int64_t end = start + tensors[i].numel;
    if (end > first && end > start) {
      fn(i, std::max(first, start) - start, std::min(last, end) - start);
    }
    start = end;
  }
}

/// Calls `fn` with a null pointer of the type of a floating dtype.
template <class F>
decltype(auto) with_floating(DType dtype, const F& fn) {
  switch (dtype) {
    case DType::f64:
      return fn(static_cast<double*>(nullptr));
    case DType::bf16:
      return fn(static_cast<bf16*>(nullptr));
    case DType::f16:
      return fn(static_cast<f16*>(nullptr));
    default:
      return fn(static_cast<float*>(nullptr));
  }
}

template <class T>
WEFT_CLONES double sum_of_squares(const T* g, std::int64_t n) {
  LaneSums<double> sums;
  sums.add(n, [&](std::int64_t i) {
    const auto value = static_cast<double>(g[i]);
    return value * value;
  });
  return sums.total();
}

// Clamping would hide an infinity: g * 0 is NaN for it.
template <class T>
WEFT_CLONES double sum_of_clamped_squares(const T* g, std::int64_t n, double factor, double limit) {
  LaneSums<double> sums;
  sums.add(n, [&](std::int64_t i) {
    const auto value = static_cast<double>(g[i]);
    const double clamped = math::clamp(value * factor, -limit, limit);
    return clamped * clamped + value * 0.0;
  });
  return sums.total();
}

bool all_finite(const double* values, std::int64_t n) {
  return std::all_of(values, values + n, [](double v) { return std::isfinite(v); });
}

struct GradSum {
  double squares = 0;
  std::int64_t first_nonfinite = -1;
};

/// The sum of squares of one piece, unscaled when it is clamped.
template <class T>
double piece_squares(const T* g, std::int64_t n, double inverse_scale, double clip_value) {
  return std::isinf(clip_value) ? sum_of_squares(g, n)
                                : sum_of_clamped_squares(g, n, inverse_scale, clip_value);
}

GradSum sum_grads(std::span<const TensorArg> grads, std::int64_t first, std::int64_t last,
                  double inverse_scale, double clip_value) {
  GradSum sum;
  for_pieces(grads, first, last, [&](std::size_t i, std::int64_t begin, std::int64_t end) {
    const double squares = with_floating(grads[i].dtype, [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      return piece_squares(grads[i].as<T>() + begin, end - begin, inverse_scale, clip_value);
    });
    sum.squares += squares;
    if (std::isfinite(squares) || sum.first_nonfinite >= 0) return;
    // Squares of finite f64 may overflow.
    if (grads[i].dtype == DType::f64 && all_finite(grads[i].as<double>() + begin, end - begin))
      return;
    sum.first_nonfinite = static_cast<std::int64_t>(i);
  });
  return sum;
}

std::int64_t chunks_of(std::int64_t elements) { return (elements + kGrain - 1) / kGrain; }

GradSum sum_all_grads(const KernelArgs& args, double inverse_scale, double clip_value) {
  const std::span<const TensorArg> grads = args.list(2);
  const std::int64_t total = total_elements(grads);
  auto* chunks = reinterpret_cast<GradSum*>(args.workspace);
  parallel_chunks(chunks_of(total), [&](std::int64_t chunk) {
    chunks[chunk] = sum_grads(grads, chunk * kGrain, std::min(total, (chunk + 1) * kGrain),
                              inverse_scale, clip_value);
  });
  GradSum sum;
  for (std::int64_t chunk = 0; chunk < chunks_of(total); ++chunk) {
    sum.squares += chunks[chunk].squares;
    if (sum.first_nonfinite < 0) sum.first_nonfinite = chunks[chunk].first_nonfinite;
  }
  return sum;
}

bool is_finite_scalar(const TensorArg& x) {
  return with_floating(x.dtype, [&](auto* type) {
    return std::isfinite(static_cast<double>(*x.as<std::remove_pointer_t<decltype(type)>>()));
  });
}

// reads every gradient once: 4 bytes per f32 parameter
void begin_update(const KernelArgs& args) {
  StepState& state = *args.in(0).as<StepState>();
  auto* updates = args.in(1).as<std::int32_t>();
  const std::span<const TensorArg> grads = args.list(2);
  const TensorArg& scaler = args.in(args.list_begin[3]);
  const TensorArg& loss = args.in(args.list_begin[4]);

  state.inverse_loss_scale =
      scaler.present() ? 1.0 / static_cast<double>(scaler.as<LossScalerState>()->scale) : 1.0;
  const double clip_value = state.settings.clip_value;
  const GradSum sum = sum_all_grads(args, state.inverse_loss_scale, clip_value);
  state.grad_norm =
      std::sqrt(sum.squares) * (std::isinf(clip_value) ? state.inverse_loss_scale : 1.0);
  state.first_nonfinite = static_cast<std::int32_t>(sum.first_nonfinite);
  state.found_inf = sum.first_nonfinite >= 0 ? 1 : 0;
  state.error = loss.present() && !is_finite_scalar(loss) ? kStepNonfiniteLoss : kStepOk;
  state.clip_factor = 1;
  if (!state.applies()) {
    ++state.skipped;
    return;
  }
  state.clip_factor = std::min(1.0, state.settings.clip_norm / (state.grad_norm + 1e-6));
  ++state.updates;
  for (std::size_t i = 0; i < grads.size(); ++i) updates[i] += grads[i].present() ? 1 : 0;
}

std::size_t begin_update_workspace(const KernelArgs& args) {
  return static_cast<std::size_t>(chunks_of(total_elements(args.list(2)))) * sizeof(GradSum);
}

/// What a parameter kernel computes a gradient from: clamp(g * inverse_scale) * clip_factor.
template <class C>
struct GradScale {
  C inverse_scale;
  C limit;
  C clip_factor;

  explicit GradScale(const StepState& state)
      : inverse_scale(static_cast<C>(state.inverse_loss_scale)),
        limit(static_cast<C>(state.settings.clip_value)),
        clip_factor(static_cast<C>(state.clip_factor)) {}
  WEFT_INLINE C operator()(C g) const {
    return math::clamp(g * inverse_scale, -limit, limit) * clip_factor;
  }
};

template <class C>
struct SgdRule {
  GradScale<C> scale;
  C lr, weight_decay, momentum, fresh;  ///< fresh = 1 - dampening, 1 at the first update
  bool first, nesterov;

  SgdRule(const SgdAttrs& attrs, const StepState& state, const ParamGroupState& group,
          std::int32_t update)
      : scale(state),
        lr(static_cast<C>(group.lr)),
        weight_decay(static_cast<C>(group.weight_decay)),
        momentum(static_cast<C>(attrs.momentum)),
        fresh(static_cast<C>(1 - attrs.dampening)),
        first(update <= 1),
        nesterov(attrs.nesterov) {}
};

template <class P, class G>
WEFT_CLONES void sgd_piece(P* __restrict p, const G* __restrict g, std::int64_t n,
                           const SgdRule<Wide<P>>& rule) {
  using C = Wide<P>;
  const SgdRule<C> r = rule;
  for (std::int64_t i = 0; i < n; ++i) {
    const C value = static_cast<C>(p[i]);
    const C grad = r.scale(static_cast<C>(g[i])) + r.weight_decay * value;
    p[i] = static_cast<P>(value - r.lr * grad);
  }
}

template <class P, class G>
WEFT_CLONES void momentum_piece(P* __restrict p, const G* __restrict g, Wide<P>* __restrict buffer,
                                std::int64_t n, const SgdRule<Wide<P>>& rule) {
  using C = Wide<P>;
  const SgdRule<C> r = rule;
  for (std::int64_t i = 0; i < n; ++i) {
    const C value = static_cast<C>(p[i]);
    const C grad = r.scale(static_cast<C>(g[i])) + r.weight_decay * value;
    const C velocity = r.first ? grad : r.momentum * buffer[i] + r.fresh * grad;
    const C step = r.nesterov ? grad + r.momentum * velocity : velocity;
    buffer[i] = velocity;
    p[i] = static_cast<P>(value - r.lr * step);
  }
}

template <class C>
struct AdamRule {
  GradScale<C> scale;
  C coupled_decay, shrink;  ///< one of them is neutral
  C beta2, fresh1, fresh2;  ///< fresh = 1 - beta
  C step, root_scale, eps;

  AdamRule(const AdamAttrs& attrs, const StepState& state, const ParamGroupState& group,
           std::int32_t update)
      : scale(state),
        coupled_decay(attrs.decoupled ? C{0} : static_cast<C>(group.weight_decay)),
        shrink(attrs.decoupled ? static_cast<C>(1 - group.lr * group.weight_decay) : C{1}),
        beta2(static_cast<C>(attrs.beta2)),
        fresh1(static_cast<C>(1 - attrs.beta1)),
        fresh2(static_cast<C>(1 - attrs.beta2)),
        step(static_cast<C>(group.lr / (1 - std::pow(attrs.beta1, update)))),
        root_scale(static_cast<C>(1 / std::sqrt(1 - std::pow(attrs.beta2, update)))),
        eps(static_cast<C>(attrs.eps)) {}
};

// reads p, g, m, v and writes p, m, v: 28 bytes per f32 parameter
template <class P, class G>
WEFT_CLONES void adam_piece(P* __restrict p, const G* __restrict g, Wide<P>* __restrict m,
                            Wide<P>* __restrict v, std::int64_t n, const AdamRule<Wide<P>>& rule) {
  using C = Wide<P>;
  const AdamRule<C> r = rule;
  for (std::int64_t i = 0; i < n; ++i) {
    const C value = static_cast<C>(p[i]);
    const C grad = r.scale(static_cast<C>(g[i])) + r.coupled_decay * value;
    const C mean = m[i] + r.fresh1 * (grad - m[i]);
    const C square = r.beta2 * v[i] + r.fresh2 * grad * grad;
    m[i] = mean;
    v[i] = square;
    p[i] = static_cast<P>(value * r.shrink -
                          r.step * mean / (std::sqrt(square) * r.root_scale + r.eps));
  }
}

constexpr std::size_t kParams = 3;
constexpr std::size_t kGrads = 4;
constexpr std::size_t kFirstMoments = 5;
constexpr std::size_t kSecondMoments = 6;

const ParamGroupState& group_of(const KernelArgs& args, const StepState& state, std::size_t param) {
  const std::int32_t group = args.in(1).as<std::int32_t>()[param];
  if (group < 0 || group >= kMaxParamGroups) {
    throw Error(ErrorKind::index, cat(args.op, ": groups[", param, "] is ", group,
                                      " but there are ", kMaxParamGroups, " groups"));
  }
  return state.settings.groups[group];
}

/// Calls `fn(param_type, grad_type, index, begin, end, group, update)` for every piece of every
/// active parameter, in parallel; not at all when the step is not applied.
template <class F>
void for_active_params(const KernelArgs& args, const F& fn) {
  const StepState& state = *args.in(0).as<StepState>();
  if (!state.applies()) return;
  const auto* updates = args.in(2).as<std::int32_t>();
  const std::span<const TensorArg> params = args.list(kParams);
  const std::span<const TensorArg> grads = args.list(kGrads);
  parallel_for(total_elements(grads), kGrain, [&](std::int64_t first, std::int64_t last) {
    for_pieces(grads, first, last, [&](std::size_t i, std::int64_t begin, std::int64_t end) {
      const ParamGroupState& group = group_of(args, state, i);
      with_floating(params[i].dtype, [&](auto* p) {
        using P = std::remove_pointer_t<decltype(p)>;
        P* param = params[i].as<P>() + begin;
        if (grads[i].dtype == params[i].dtype) {
          fn(param, grads[i].as<P>() + begin, i, begin, end - begin, group, updates[i]);
        } else if constexpr (sizeof(P) == 2) {
          fn(param, grads[i].as<float>() + begin, i, begin, end - begin, group, updates[i]);
        }
      });
    });
  });
}

void sgd_step(const KernelArgs& args) {
  const auto& attrs = args.attrs<SgdAttrs>();
  const StepState& state = *args.in(0).as<StepState>();
  const std::span<const TensorArg> buffers = args.list(kFirstMoments);
  for_active_params(args, [&](auto* p, const auto* g, std::size_t i, std::int64_t begin,
                              std::int64_t n, const ParamGroupState& group, std::int32_t update) {
    using C = Wide<std::remove_pointer_t<decltype(p)>>;
    const SgdRule<C> rule(attrs, state, group, update);
    if (attrs.momentum == 0) {
      sgd_piece(p, g, n, rule);
    } else {
      momentum_piece(p, g, buffers[i].as<C>() + begin, n, rule);
    }
  });
}

void adam_step(const KernelArgs& args) {
  const auto& attrs = args.attrs<AdamAttrs>();
  const StepState& state = *args.in(0).as<StepState>();
  const std::span<const TensorArg> means = args.list(kFirstMoments);
  const std::span<const TensorArg> squares = args.list(kSecondMoments);
  for_active_params(args, [&](auto* p, const auto* g, std::size_t i, std::int64_t begin,
                              std::int64_t n, const ParamGroupState& group, std::int32_t update) {
    using C = Wide<std::remove_pointer_t<decltype(p)>>;
    adam_piece(p, g, means[i].as<C>() + begin, squares[i].as<C>() + begin, n,
               AdamRule<C>(attrs, state, group, update));
  });
}

void update_loss_scale(const KernelArgs& args) {
  const auto& attrs = args.attrs<LossScaleAttrs>();
  LossScalerState& scaler = *args.in(0).as<LossScalerState>();
  bool found_inf = false;
  for (const TensorArg& state : args.list(1)) found_inf |= state.as<StepState>()->found_inf != 0;
  if (found_inf) {
    scaler.scale =
        std::max(static_cast<float>(attrs.min), scaler.scale * static_cast<float>(attrs.backoff));
    scaler.growth_count = 0;
    ++scaler.backoffs;
    return;
  }
  if (++scaler.growth_count < attrs.interval) return;
  scaler.growth_count = 0;
  const float grown = scaler.scale * static_cast<float>(attrs.growth);
  if (std::isinf(grown)) return;
  scaler.scale = grown;
  ++scaler.growths;
}

}  // namespace

void register_optimizer() {
  const auto add = [](const char* op, KernelFn run, WorkspaceFn workspace = nullptr) {
    // The state's dtype is the key: one call takes parameters of any floating dtype.
    add_kernel(op, DeviceKind::cpu, {DType::u8},
               {.variant = "portable", .run = run, .workspace = workspace});
  };
  add("begin_update", begin_update, begin_update_workspace);
  add("sgd_step", sgd_step);
  add("adam_step", adam_step);
  add("update_loss_scale", update_loss_scale);
}

}  // namespace weft::cpu
