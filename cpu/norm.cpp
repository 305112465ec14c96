// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "cpu/clones.h"
#include "cpu/lanes.h"
#include "cpu/register.h"
#include "cpu/row_sums.h"
#include "weft/op/attrs/norm.h"
#include "weft/op/registry.h"

namespace weft::cpu {

namespace {

/// The mean is base + shift: the shift mends the rounding of the base, a first mean.
template <class C>
struct Moments {
  C base;
  C shift;
  C variance;

  WEFT_INLINE C mean() const { return base + shift; }
};

// Corrected two-pass, Chan, Golub & LeVeque 1983, eq. 1.7. At mean 1e4 an f32 mean is off by 5e-4.
template <class C>
WEFT_INLINE Moments<C> corrected(C base, C deviations, C squares, C count) {
  const C shift = deviations / count;
  const C variance = squares / count - shift * shift;
  return {base, shift, variance < C{0} ? C{0} : variance};
}

template <class T>
WEFT_INLINE Moments<Wide<T>> moments_of(const T* x, std::int64_t n) {
  using C = Wide<T>;
  C buffer[kBlock];
  LaneSums<C> sums;
  for_blocks(n, [&](std::int64_t begin, std::int64_t m) {
    const C* v = widened(x + begin, m, buffer);
    sums.add(m, [&](std::int64_t i) { return v[i]; });
  });
  const C count = static_cast<C>(n);
  const C mean = sums.total() / count;
  LaneSums<C> deviations;
  LaneSums<C> squares;
  for_blocks(n, [&](std::int64_t begin, std::int64_t m) {
    const C* v = widened(x + begin, m, buffer);
    deviations.add(m, [&](std::int64_t i) { return v[i] - mean; });
    squares.add(m, [&](std::int64_t i) { return (v[i] - mean) * (v[i] - mean); });
  });
  return corrected(mean, deviations.total(), squares.total(), count);
}

template <class T>
struct LayerNormRows {
  using C = Wide<T>;
  const T* x;
  const T* weight;
  const T* bias;
  T* y;
  C* mean;
  C* rstd;
  std::int64_t width;
  C eps;
};

// reads x (from memory once) and writes y: 2 * N * C * sizeof(T)
template <class T>
WEFT_CLONES void layer_norm_rows(const LayerNormRows<T>& a, std::int64_t first, std::int64_t last) {
  using C = Wide<T>;
  C x_block[kBlock], w_block[kBlock], b_block[kBlock];
  for (std::int64_t row = first; row < last; ++row) {
    const T* x = a.x + row * a.width;
    T* y = a.y + row * a.width;
    prefetch_for_writing(y, std::min(a.width, kBlock * 4));
    const auto moments = moments_of(x, a.width);
    const C rstd = C{1} / std::sqrt(moments.variance + a.eps);
    for_blocks(a.width, [&](std::int64_t begin, std::int64_t m) {
      const C* v = widened(x + begin, m, x_block);
      const C* w = block_of(a.weight, begin, m, w_block, kOnes<C>);
      const C* b = block_of(a.bias, begin, m, b_block, kZeros<C>);
      prefetch(x + a.width + begin, m);
      store(y + begin, m, [&](std::int64_t i) {
        return (v[i] - moments.base - moments.shift) * rstd * w[i] + b[i];
      });
    });
    if (a.mean != nullptr) a.mean[row] = moments.mean();
    if (a.rstd != nullptr) a.rstd[row] = rstd;
  }
}

std::int64_t trailing(const Shape& shape, std::int64_t dims) {
  return shape.numel(shape.rank() - static_cast<int>(dims), shape.rank());
}

std::int64_t rows_of(std::int64_t numel, std::int64_t width) {
  return width == 0 ? 0 : numel / width;
}

template <class T>
void layer_norm(const KernelArgs& args) {
  using C = Wide<T>;
  const auto& attrs = args.attrs<LayerNormAttrs>();
  const TensorArg& x = args.in(0);
  const std::int64_t width = trailing(*x.shape, attrs.dims);
  const LayerNormRows<T> rows{x.as<T>(),
                              args.in(1).as<T>(),
                              args.in(2).as<T>(),
                              args.out(0).as<T>(),
                              args.out(1).as<C>(),
                              args.out(2).as<C>(),
                              width,
                              static_cast<C>(attrs.eps)};
  parallel_for(rows_of(x.numel, width), rows_per_grain(width),
               [&](std::int64_t first, std::int64_t last) { layer_norm_rows(rows, first, last); });
}

template <class T>
struct LayerNormGradRows {
  using C = Wide<T>;
  const T* g;
  const T* x;
  const T* weight;
  const C* mean;
  const C* rstd;
  T* dx;
  std::int64_t width;
};

// dx = rstd (gw - mean(gw) - xhat mean(gw xhat)) with gw = g weight and xhat = (x - mean) rstd
template <class T>
WEFT_CLONES void layer_norm_dx(const LayerNormGradRows<T>& a, std::int64_t first,
                               std::int64_t last) {
  using C = Wide<T>;
  C g_block[kBlock], x_block[kBlock], w_block[kBlock];
  for (std::int64_t row = first; row < last; ++row) {
    const T* g_row = a.g + row * a.width;
    const T* x_row = a.x + row * a.width;
    T* dx = a.dx + row * a.width;
    const C mean = a.mean[row];
    const C rstd = a.rstd[row];
    LaneSums<C> sum_g;
    LaneSums<C> sum_gx;
    for_blocks(a.width, [&](std::int64_t begin, std::int64_t m) {
      const C* g = widened(g_row + begin, m, g_block);
      const C* x = widened(x_row + begin, m, x_block);
      const C* w = block_of(a.weight, begin, m, w_block, kOnes<C>);
      sum_g.add(m, [&](std::int64_t i) { return g[i] * w[i]; });
      sum_gx.add(m, [&](std::int64_t i) { return g[i] * w[i] * ((x[i] - mean) * rstd); });
    });
    const C count = static_cast<C>(a.width);
    const C mean_g = sum_g.total() / count;
    const C mean_gx = sum_gx.total() / count;
    for_blocks(a.width, [&](std::int64_t begin, std::int64_t m) {
      const C* g = widened(g_row + begin, m, g_block);
      const C* x = widened(x_row + begin, m, x_block);
      const C* w = block_of(a.weight, begin, m, w_block, kOnes<C>);
      store(dx + begin, m, [&](std::int64_t i) {
        return rstd * (g[i] * w[i] - mean_g - (x[i] - mean) * rstd * mean_gx);
      });
    });
  }
}

/// Adds g xhat of rows [first, last) to sums[0, width) and g to sums[width, 2 width).
template <class T>
WEFT_CLONES void layer_norm_dweight(const LayerNormGradRows<T>& a, std::int64_t first,
                                    std::int64_t last, Wide<T>* sums) {
  using C = Wide<T>;
  C g_block[kBlock], x_block[kBlock];
  for (std::int64_t row = first; row < last; ++row) {
    const C mean = a.mean[row];
    const C rstd = a.rstd[row];
    for_blocks(a.width, [&](std::int64_t begin, std::int64_t m) {
      const C* g = widened(a.g + row * a.width + begin, m, g_block);
      const C* x = widened(a.x + row * a.width + begin, m, x_block);
      C* __restrict dweight = sums + begin;
      C* __restrict dbias = sums + a.width + begin;
      for (std::int64_t i = 0; i < m; ++i) dweight[i] += g[i] * ((x[i] - mean) * rstd);
      for (std::int64_t i = 0; i < m; ++i) dbias[i] += g[i];
    });
  }
}

bool wants_sums(const KernelArgs& args) { return args.out(1).present() || args.out(2).present(); }

template <class C>
void write_weight_grads(const KernelArgs& args, const C* sums, std::int64_t width) {
  if (args.out(1).present()) write_output_sums(args, 1, sums);
  if (args.out(2).present()) write_output_sums(args, 2, sums + width);
}

// reads g and x, writes dx: 3 * N * C * sizeof(T); rows of g and x are still in L2 for the sums
template <class T>
void layer_norm_grad(const KernelArgs& args) {
  using C = Wide<T>;
  const TensorArg& x = args.in(1);
  const std::int64_t width = trailing(*x.shape, args.attrs<LayerNormAttrs>().dims);
  const LayerNormGradRows<T> rows{
      args.in(0).as<T>(),  x.as<T>(), args.in(2).as<T>(), args.in(3).as<C>(), args.in(4).as<C>(),
      args.out(0).as<T>(), width};
  const std::int64_t count = rows_of(x.numel, width);
  const bool dx = args.out(0).present();
  if (!wants_sums(args)) {
    if (!dx) return;
    return parallel_for(count, rows_per_grain(width), [&](std::int64_t first, std::int64_t last) {
      layer_norm_dx(rows, first, last);
    });
  }
  C* sums = reinterpret_cast<C*>(args.workspace);
  sum_rows(RowSplit(count, width), 2 * width, sums,
           [&](std::int64_t first, std::int64_t last, C* part) {
             if (dx) layer_norm_dx(rows, first, last);
             layer_norm_dweight(rows, first, last, part);
           });
  write_weight_grads(args, sums, width);
}

template <class T>
std::size_t layer_norm_grad_workspace(const KernelArgs& args) {
  if (!wants_sums(args)) return 0;
  const TensorArg& x = args.in(1);
  const std::int64_t width = trailing(*x.shape, args.attrs<LayerNormAttrs>().dims);
  const RowSplit split(rows_of(x.numel, width), width);
  return static_cast<std::size_t>(split.scratch(2 * width)) * sizeof(Wide<T>);
}

template <class T>
struct BatchNormRows {
  using C = Wide<T>;
  const T* x;
  std::int64_t width;
  std::int64_t rows;
};

template <class T>
WEFT_CLONES void add_rows(const BatchNormRows<T>& a, std::int64_t first, std::int64_t last,
                          Wide<T>* __restrict sums) {
  for (std::int64_t row = first; row < last; ++row) {
    const T* x = a.x + row * a.width;
    for (std::int64_t i = 0; i < a.width; ++i) sums[i] += static_cast<Wide<T>>(x[i]);
  }
}

/// Adds x - mean to sums[0, width) and its square to sums[width, 2 width).
template <class T>
WEFT_CLONES void add_deviations(const BatchNormRows<T>& a, const Wide<T>* mean, std::int64_t first,
                                std::int64_t last, Wide<T>* sums) {
  using C = Wide<T>;
  C* __restrict deviations = sums;
  C* __restrict squares = sums + a.width;
  for (std::int64_t row = first; row < last; ++row) {
    const T* x = a.x + row * a.width;
    for (std::int64_t i = 0; i < a.width; ++i) {
      const C d = static_cast<C>(x[i]) - mean[i];
      deviations[i] += d;
      squares[i] += d * d;
    }
  }
}

/// y = (x - mean) scale + shift, channel by channel.
template <class T>
WEFT_CLONES void normalise_rows(const BatchNormRows<T>& a, const Wide<T>* mean,
                                const Wide<T>* scale, const Wide<T>* shift, T* y,
                                std::int64_t first, std::int64_t last) {
  for (std::int64_t row = first; row < last; ++row) {
    const T* x_row = a.x + row * a.width;
    T* __restrict y_row = y + row * a.width;
    for (std::int64_t i = 0; i < a.width; ++i) {
      y_row[i] = static_cast<T>((static_cast<Wide<T>>(x_row[i]) - mean[i]) * scale[i] + shift[i]);
    }
  }
}

template <class T>
BatchNormRows<T> batch_norm_rows(const TensorArg& x) {
  const std::int64_t width = x.shape->back();
  return {x.as<T>(), width, rows_of(x.numel, width)};
}

/// y = (x - mean + shift) rstd weight + bias; `scale` is scratch, `shift` is overwritten.
template <class T>
void normalise_channels(const KernelArgs& args, const Wide<T>* mean, const Wide<T>* rstd,
                        Wide<T>* scale, Wide<T>* shift) {
  using C = Wide<T>;
  const BatchNormRows<T> rows = batch_norm_rows<T>(args.in(0));
  const T* weight = args.in(3).as<T>();
  const T* bias = args.in(4).as<T>();
  for (std::int64_t i = 0; i < rows.width; ++i) {
    scale[i] = weight != nullptr ? rstd[i] * static_cast<C>(weight[i]) : rstd[i];
    shift[i] = shift[i] * scale[i] + (bias != nullptr ? static_cast<C>(bias[i]) : C{0});
  }
  T* y = args.out(0).as<T>();
  parallel_for(rows.rows, rows_per_grain(rows.width), [&](std::int64_t first, std::int64_t last) {
    normalise_rows(rows, mean, scale, shift, y, first, last);
  });
}

template <class T>
void copy_channels(const TensorArg& out, const T* values) {
  if (out.present()) std::copy(values, values + out.numel, out.as<T>());
}

template <class T>
void batch_norm(const KernelArgs& args) {
  using C = Wide<T>;
  const std::int64_t width = args.in(0).shape->back();
  const C eps = static_cast<C>(args.attrs<BatchNormAttrs>().eps);
  const C* mean = args.in(1).as<C>();
  const C* variance = args.in(2).as<C>();
  C* rstd = reinterpret_cast<C*>(args.workspace);
  for (std::int64_t i = 0; i < width; ++i) rstd[i] = C{1} / std::sqrt(variance[i] + eps);
  C* scale = rstd + width;
  C* shift = scale + width;
  std::fill(shift, shift + width, C{0});
  normalise_channels<T>(args, mean, rstd, scale, shift);
  copy_channels(args.out(1), mean);
  copy_channels(args.out(2), rstd);
}

template <class T>
std::size_t batch_norm_workspace(const KernelArgs& args) {
  return static_cast<std::size_t>(3 * args.in(0).shape->back()) * sizeof(Wide<T>);
}

template <class C>
void update_running(C* running, C value, C momentum) {
  *running += momentum * (value - *running);
}

template <class T>
void batch_norm_train(const KernelArgs& args) {
  using C = Wide<T>;
  const auto& attrs = args.attrs<BatchNormAttrs>();
  const BatchNormRows<T> rows = batch_norm_rows<T>(args.in(0));
  const std::int64_t width = rows.width;
  const RowSplit split(rows.rows, width);
  const C count = static_cast<C>(rows.rows);
  C* mean = reinterpret_cast<C*>(args.workspace);
  C* rstd = mean + width;
  C* scale = rstd + width;
  C* shift = scale + width;
  C* sums = shift + width;

  sum_rows(split, width, sums, [&](std::int64_t first, std::int64_t last, C* part) {
    add_rows(rows, first, last, part);
  });
  for (std::int64_t i = 0; i < width; ++i) mean[i] = sums[i] / count;
  sum_rows(split, 2 * width, sums, [&](std::int64_t first, std::int64_t last, C* part) {
    add_deviations(rows, mean, first, last, part);
  });

  C* running_mean = args.in(1).as<C>();
  C* running_var = args.in(2).as<C>();
  C* mean_out = args.out(1).as<C>();
  const C momentum = static_cast<C>(attrs.momentum);
  for (std::int64_t i = 0; i < width; ++i) {
    const Moments<C> m = corrected(mean[i], sums[i], sums[width + i], count);
    shift[i] = -m.shift;
    rstd[i] = C{1} / std::sqrt(m.variance + static_cast<C>(attrs.eps));
    update_running(running_mean + i, m.mean(), momentum);
    update_running(running_var + i, m.variance * (count / (count - C{1})), momentum);
    if (mean_out != nullptr) mean_out[i] = m.mean();
  }
  normalise_channels<T>(args, mean, rstd, scale, shift);
  copy_channels(args.out(2), rstd);
}

template <class T>
std::size_t batch_norm_train_workspace(const KernelArgs& args) {
  const BatchNormRows<T> rows = batch_norm_rows<T>(args.in(0));
  const RowSplit split(rows.rows, rows.width);
  return static_cast<std::size_t>(4 * rows.width + split.scratch(2 * rows.width)) * sizeof(Wide<T>);
}

/// Adds g xhat of rows [first, last) to sums[0, width) and g to sums[width, 2 width).
template <class T>
WEFT_CLONES void add_channel_grads(const BatchNormRows<T>& a, const T* g, const Wide<T>* mean,
                                   const Wide<T>* rstd, std::int64_t first, std::int64_t last,
                                   Wide<T>* sums) {
  using C = Wide<T>;
  C* __restrict sum_gx = sums;
  C* __restrict sum_g = sums + a.width;
  for (std::int64_t row = first; row < last; ++row) {
    const T* x_row = a.x + row * a.width;
    const T* g_row = g + row * a.width;
    for (std::int64_t i = 0; i < a.width; ++i) {
      const C gradient = static_cast<C>(g_row[i]);
      sum_gx[i] += gradient * ((static_cast<C>(x_row[i]) - mean[i]) * rstd[i]);
      sum_g[i] += gradient;
    }
  }
}

/// dx = scale (g - mean_g - xhat mean_gx); in evaluation both means are 0.
template <class T>
struct ChannelGrad {
  using C = Wide<T>;
  const T* g;
  const C* mean;
  const C* rstd;
  const C* scale;
  const C* mean_gx;
  const C* mean_g;
  T* dx;
};

template <class T>
WEFT_CLONES void batch_norm_dx(const BatchNormRows<T>& a, const ChannelGrad<T>& c,
                               std::int64_t first, std::int64_t last) {
  using C = Wide<T>;
  for (std::int64_t row = first; row < last; ++row) {
    const T* x_row = a.x + row * a.width;
    const T* g_row = c.g + row * a.width;
    T* __restrict dx = c.dx + row * a.width;
    for (std::int64_t i = 0; i < a.width; ++i) {
      const C xhat = (static_cast<C>(x_row[i]) - c.mean[i]) * c.rstd[i];
      dx[i] = static_cast<T>(c.scale[i] *
                             (static_cast<C>(g_row[i]) - c.mean_g[i] - xhat * c.mean_gx[i]));
    }
  }
}

template <class T>
void batch_norm_grad(const KernelArgs& args) {
  using C = Wide<T>;
  const bool training = args.attrs<BatchNormAttrs>().training;
  const BatchNormRows<T> rows = batch_norm_rows<T>(args.in(1));
  const std::int64_t width = rows.width;
  const T* g = args.in(0).as<T>();
  const T* weight = args.in(2).as<T>();
  const C* mean = args.in(3).as<C>();
  const C* rstd = args.in(4).as<C>();
  C* scale = reinterpret_cast<C*>(args.workspace);
  C* sums = scale + width;
  sum_rows(RowSplit(rows.rows, width), 2 * width, sums,
           [&](std::int64_t first, std::int64_t last, C* part) {
             add_channel_grads(rows, g, mean, rstd, first, last, part);
           });
  write_weight_grads(args, sums, width);
  if (!args.out(0).present()) return;

  const C factor = training ? C{1} / static_cast<C>(rows.rows) : C{0};
  for (std::int64_t i = 0; i < 2 * width; ++i) sums[i] *= factor;
  for (std::int64_t i = 0; i < width; ++i) {
    scale[i] = weight != nullptr ? rstd[i] * static_cast<C>(weight[i]) : rstd[i];
  }
  const ChannelGrad<T> grad{g, mean, rstd, scale, sums, sums + width, args.out(0).as<T>()};
  parallel_for(rows.rows, rows_per_grain(width), [&](std::int64_t first, std::int64_t last) {
    batch_norm_dx(rows, grad, first, last);
  });
}

template <class T>
std::size_t batch_norm_grad_workspace(const KernelArgs& args) {
  const BatchNormRows<T> rows = batch_norm_rows<T>(args.in(1));
  const RowSplit split(rows.rows, rows.width);
  return static_cast<std::size_t>(rows.width + split.scratch(2 * rows.width)) * sizeof(Wide<T>);
}

template <class T>
void add_norm_kernels() {
  const auto add = [](const char* op, KernelFn run, WorkspaceFn workspace) {
    add_kernel(op, DeviceKind::cpu, {dtype_of<T>},
               {.variant = "portable", .run = run, .workspace = workspace});
  };
  add("layer_norm", layer_norm<T>, nullptr);
  add("layer_norm_grad", layer_norm_grad<T>, layer_norm_grad_workspace<T>);
  add("batch_norm", batch_norm<T>, batch_norm_workspace<T>);
  add("batch_norm_train", batch_norm_train<T>, batch_norm_train_workspace<T>);
  add("batch_norm_grad", batch_norm_grad<T>, batch_norm_grad_workspace<T>);
}

}  // namespace

void register_norm() {
  add_norm_kernels<double>();
  add_norm_kernels<float>();
  add_norm_kernels<bf16>();
  add_norm_kernels<f16>();
}

}  // namespace weft::cpu
