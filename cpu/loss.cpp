// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cpu/clones.h"
#include "cpu/lanes.h"
#include "cpu/register.h"
#include "cpu/row_sums.h"
#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/math/exp.h"
#include "weft/math/log.h"
#include "weft/op/attrs/loss.h"
#include "weft/op/registry.h"

namespace weft::cpu {

namespace {

std::int64_t rows_of(const TensorArg& targets) { return targets.numel; }
std::int64_t classes_of(const TensorArg& logits) { return logits.shape->back(); }

constexpr std::int64_t kIgnored = -1;

/// The class of row `row`, or kIgnored.
template <class I>
std::int64_t class_of(const I* targets, std::int64_t row, std::int64_t classes,
                      std::int64_t ignore_index) {
  const auto target = static_cast<std::int64_t>(targets[row]);
  if (target == ignore_index) return kIgnored;
  if (target < 0 || target >= classes) {
    throw Error(ErrorKind::index, cat("cross_entropy: targets[", row, "] is ", target,
                                      " but logits have ", classes, " classes"));
  }
  return target;
}

/// Calls `fn(row, class)` for the rows of `targets` in [first, last).
template <class F>
void for_targets(const TensorArg& targets, std::int64_t classes, std::int64_t ignore_index,
                 std::int64_t first, std::int64_t last, const F& fn) {
  const auto walk = [&](const auto* values) {
    for (std::int64_t row = first; row < last; ++row) {
      fn(row, class_of(values, row, classes, ignore_index));
    }
  };
  if (targets.dtype == DType::i32) {
    walk(targets.as<std::int32_t>());
  } else {
    walk(targets.as<std::int64_t>());
  }
}

template <class T>
WEFT_CLONES Wide<T> logsumexp(const T* x, std::int64_t n) {
  using C = Wide<T>;
  C buffer[kBlock];
  LaneMax<C> max;
  for_blocks(n, [&](std::int64_t begin, std::int64_t m) {
    const C* v = widened(x + begin, m, buffer);
    max.add(m, [&](std::int64_t i) { return v[i]; });
  });
  const C top = max.total();
  LaneSums<C> sums;
  for_blocks(n, [&](std::int64_t begin, std::int64_t m) {
    prefetch(x + n + begin, m);
    store(buffer, m,
          [&](std::int64_t i) { return math::exp_normal(static_cast<C>(x[begin + i]) - top); });
    sums.add(m, [&](std::int64_t i) { return buffer[i]; });
  });
  return top + math::log(sums.total());
}

/// sum over classes of weight (lse - x).
template <class T>
WEFT_CLONES Wide<T> smooth_loss(const T* x, const T* weight, Wide<T> lse, std::int64_t n) {
  using C = Wide<T>;
  LaneSums<C> sums;
  if (weight == nullptr) {
    sums.add(n, [&](std::int64_t i) { return lse - static_cast<C>(x[i]); });
  } else {
    sums.add(n, [&](std::int64_t i) {
      return static_cast<C>(weight[i]) * (lse - static_cast<C>(x[i]));
    });
  }
  return sums.total();
}

template <class T>
struct CrossEntropy {
  using C = Wide<T>;
  const CrossEntropyAttrs& attrs;
  const TensorArg& targets;
  const T* logits;
  const T* weight;
  std::int64_t rows;
  std::int64_t classes;

  CrossEntropy(const CrossEntropyAttrs& a, const TensorArg& logits_arg,
               const TensorArg& targets_arg, const TensorArg& weight_arg)
      : attrs(a),
        targets(targets_arg),
        logits(logits_arg.as<T>()),
        weight(weight_arg.as<T>()),
        rows(rows_of(targets_arg)),
        classes(classes_of(logits_arg)) {}

  C weight_of(std::int64_t c) const { return weight != nullptr ? static_cast<C>(weight[c]) : C{1}; }
  /// What every class takes of a smoothed target, and what the target keeps beside that.
  C spread() const {
    return static_cast<C>(attrs.label_smoothing) /
           static_cast<C>(std::max<std::int64_t>(1, classes));
  }
  C kept() const { return static_cast<C>(1 - attrs.label_smoothing); }

  template <class F>
  void for_rows(const F& fn) const {
    parallel_for(rows, rows_per_grain(classes), [&](std::int64_t first, std::int64_t last) {
      for_targets(targets, classes, attrs.ignore_index, first, last, fn);
    });
  }
};

// reads logits once: N * C * sizeof(T). Per row loss and weight lie in the workspace and are summed
// in f64 in order.
template <class T>
void cross_entropy(const KernelArgs& args) {
  using C = Wide<T>;
  const CrossEntropy<T> ce(args.attrs<CrossEntropyAttrs>(), args.in(0), args.in(1), args.in(2));
  C* losses = reinterpret_cast<C*>(args.workspace);
  C* weights = losses + ce.rows;
  C* lse_out = args.out(1).as<C>();
  ce.for_rows([&](std::int64_t row, std::int64_t target) {
    const T* x = ce.logits + row * ce.classes;
    const C lse = target == kIgnored ? C{0} : logsumexp(x, ce.classes);
    losses[row] = weights[row] = C{0};
    if (lse_out != nullptr) lse_out[row] = lse;
    if (target == kIgnored) return;
    weights[row] = ce.weight_of(target);
    losses[row] = ce.kept() * weights[row] * (lse - static_cast<C>(x[target]));
    if (ce.attrs.label_smoothing > 0) {
      losses[row] += ce.spread() * smooth_loss(x, ce.weight, lse, ce.classes);
    }
  });

  double loss = 0;
  double total = 0;
  for (std::int64_t row = 0; row < ce.rows; ++row) {
    loss += static_cast<double>(losses[row]);
    total += static_cast<double>(weights[row]);
  }
  if (args.out(2).present()) *args.out(2).as<C>() = static_cast<C>(total);
  T* out = args.out(0).as<T>();
  if (ce.attrs.reduction == Reduction::none) {
    for (std::int64_t row = 0; row < ce.rows; ++row) out[row] = static_cast<T>(losses[row]);
  } else {
    *out =
        static_cast<T>(static_cast<C>(ce.attrs.reduction == Reduction::mean ? loss / total : loss));
  }
}

template <class T>
std::size_t cross_entropy_workspace(const KernelArgs& args) {
  return static_cast<std::size_t>(2 * rows_of(args.in(1))) * sizeof(Wide<T>);
}

/// One row: dx = a softmax(x), minus what each class takes of the target.
template <class T>
WEFT_CLONES void softmax_minus_target(const T* x, const T* weight, T* dx, Wide<T> lse, Wide<T> a,
                                      Wide<T> spread, std::int64_t n) {
  using C = Wide<T>;
  if (weight == nullptr) {
    store(dx, n, [&](std::int64_t i) {
      return a * math::exp_normal(static_cast<C>(x[i]) - lse) - spread;
    });
  } else {
    store(dx, n, [&](std::int64_t i) {
      return a * math::exp_normal(static_cast<C>(x[i]) - lse) - spread * static_cast<C>(weight[i]);
    });
  }
}

template <class T>
void cross_entropy_grad(const KernelArgs& args) {
  using C = Wide<T>;
  const CrossEntropy<T> ce(args.attrs<CrossEntropyAttrs>(), args.in(1), args.in(2), args.in(3));
  const T* g = args.in(0).as<T>();
  const C* lse = args.in(4).as<C>();
  T* dx_rows = args.out(0).as<T>();
  C class_weights = static_cast<C>(ce.classes);
  if (ce.weight != nullptr) {
    class_weights = C{0};
    for (std::int64_t c = 0; c < ce.classes; ++c) class_weights += ce.weight_of(c);
  }
  const bool per_row = ce.attrs.reduction == Reduction::none;
  const C divisor = ce.attrs.reduction == Reduction::mean ? *args.in(5).as<C>() : C{1};
  ce.for_rows([&](std::int64_t row, std::int64_t target) {
    const T* x = ce.logits + row * ce.classes;
    T* dx = dx_rows + row * ce.classes;
    if (target == kIgnored) return std::fill(dx, dx + ce.classes, T{});
    const C scale = static_cast<C>(g[per_row ? row : 0]) / divisor;
    const C own = scale * ce.kept() * ce.weight_of(target);
    const C spread = scale * ce.spread();
    softmax_minus_target(x, ce.weight, dx, lse[row], own + spread * class_weights, spread,
                         ce.classes);
    // Halves are rounded once: the target's element is computed again, not patched.
    const C probability = math::exp_normal(static_cast<C>(x[target]) - lse[row]);
    dx[target] = static_cast<T>((own + spread * class_weights) * probability -
                                spread * ce.weight_of(target) - own);
  });
}

template <class T>
void add_loss_kernels() {
  add_kernel(
      "cross_entropy", DeviceKind::cpu, {dtype_of<T>},
      {.variant = "portable", .run = cross_entropy<T>, .workspace = cross_entropy_workspace<T>});
  add_kernel("cross_entropy_grad", DeviceKind::cpu, {dtype_of<T>},
             {.variant = "portable", .run = cross_entropy_grad<T>});
}

}  // namespace

void register_loss() {
  add_loss_kernels<double>();
  add_loss_kernels<float>();
  add_loss_kernels<bf16>();
  add_loss_kernels<f16>();
}

}  // namespace weft::cpu
