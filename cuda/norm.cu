// SPDX-License-Identifier: Apache-2.0
#include "cuda/common.cuh"
#include "weft/op/attrs/norm.h"
#include "weft/op/registry.h"

namespace weft::cuda {

namespace {

struct RowShape {
  std::int64_t rows = 1;
  std::int64_t columns = 1;

  RowShape(const KernelArgs& args, const Shape& x) {
    const int lead = x.rank() - static_cast<int>(args.attrs<LayerNormAttrs>().dims);
    rows = x.numel(0, lead);
    columns = x.numel(lead, x.rank());
  }
};

// reads x (again from L2) and writes y: 2·N·C·sizeof(T). Corrected two-pass, Chan, Golub & LeVeque
// 1983, eq. 1.7: the mean is base + shift, for at mean 1e4 a rounded f32 mean is off by 5e-4.
template <class T>
__global__ void __launch_bounds__(kWideBlock)
    layer_norm_kernel(T* __restrict__ y, Compute<T>* mean_out, Compute<T>* rstd_out,
                      const T* __restrict__ x, const T* weight, const T* bias, RowShape shape,
                      Compute<T> eps) {
  using C = Compute<T>;
  __shared__ C shared[32];
  const auto count = static_cast<C>(shape.columns);
  for (std::int64_t row = blockIdx.x; row < shape.rows; row += gridDim.x) {
    const T* in = x + row * shape.columns;
    C sum = 0;
    for (std::int64_t i = threadIdx.x; i < shape.columns; i += blockDim.x) sum += load(in[i]);
    const C base = block_sum(sum, shared) / count;
    C deviations = 0;
    C squares = 0;
    for (std::int64_t i = threadIdx.x; i < shape.columns; i += blockDim.x) {
      const C deviation = load(in[i]) - base;
      deviations += deviation;
      squares += deviation * deviation;
    }
    const C shift = block_sum(deviations, shared) / count;
    const C variance = block_sum(squares, shared) / count - shift * shift;
    const C rstd = C(1) / sqrt((variance < C(0) ? C(0) : variance) + eps);
    if (threadIdx.x == 0) {
      if (mean_out != nullptr) mean_out[row] = base + shift;
      if (rstd_out != nullptr) rstd_out[row] = rstd;
    }
    T* out = y + row * shape.columns;
    for (std::int64_t i = threadIdx.x; i < shape.columns; i += blockDim.x) {
      C value = (load(in[i]) - base - shift) * rstd;
      if (weight != nullptr) value *= load(weight[i]);
      if (bias != nullptr) value += load(bias[i]);
      out[i] = stored<T>(value);
    }
  }
}

template <class T>
struct GradInputs {
  const T* g;
  const T* x;
  const T* weight;
  const Compute<T>* mean;
  const Compute<T>* rstd;
};

// dx = rstd (h - mean(h) - xhat mean(h xhat)), h = g weight: reads g and x, writes dx
template <class T>
__global__ void __launch_bounds__(kWideBlock)
    layer_norm_dx_kernel(T* __restrict__ dx, GradInputs<T> in, RowShape shape) {
  using C = Compute<T>;
  __shared__ C shared[32];
  const auto count = static_cast<C>(shape.columns);
  for (std::int64_t row = blockIdx.x; row < shape.rows; row += gridDim.x) {
    const T* g = in.g + row * shape.columns;
    const T* x = in.x + row * shape.columns;
    const C mean = in.mean[row];
    const C rstd = in.rstd[row];
    const auto scaled = [&](std::int64_t i) {
      return in.weight != nullptr ? load(g[i]) * load(in.weight[i]) : load(g[i]);
    };
    C sum = 0;
    C dot = 0;
    for (std::int64_t i = threadIdx.x; i < shape.columns; i += blockDim.x) {
      const C h = scaled(i);
      sum += h;
      dot += h * (load(x[i]) - mean) * rstd;
    }
    sum = block_sum(sum, shared) / count;
    dot = block_sum(dot, shared) / count;
    T* out = dx + row * shape.columns;
    for (std::int64_t i = threadIdx.x; i < shape.columns; i += blockDim.x) {
      const C xhat = (load(x[i]) - mean) * rstd;
      out[i] = stored<T>(rstd * (scaled(i) - sum - xhat * dot));
    }
  }
}

/// How the rows are split for the gradients of weight and bias: the parts stand in grid dimension
/// y, and one thread adds all parts of a column.
struct RowParts {
  std::int64_t rows = 128;  ///< of a part
  std::int64_t count = 0;

  explicit RowParts(const RowShape& shape) {
    constexpr std::int64_t kMostParts = 512;
    rows = std::max(rows, (shape.rows + kMostParts - 1) / kMostParts);
    count = (shape.rows + rows - 1) / rows;
  }
};

// Partial sums per group of rows, then a second kernel in fixed order: deterministic without
// atomics.
template <class T>
__global__ void __launch_bounds__(kBlock)
    weight_parts_kernel(Compute<T>* __restrict__ parts, GradInputs<T> in, RowShape shape,
                        std::int64_t rows) {
  using C = Compute<T>;
  const std::int64_t column = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (column >= shape.columns) return;
  const std::int64_t begin = blockIdx.y * rows;
  const std::int64_t end = begin + rows < shape.rows ? begin + rows : shape.rows;
  C dweight = 0;
  C dbias = 0;
  for (std::int64_t row = begin; row < end; ++row) {
    const C g = load(in.g[row * shape.columns + column]);
    dweight += g * (load(in.x[row * shape.columns + column]) - in.mean[row]) * in.rstd[row];
    dbias += g;
  }
  C* out = parts + (blockIdx.y * shape.columns + column) * 2;
  out[0] = dweight;
  out[1] = dbias;
}

template <class C, class D>
__global__ void __launch_bounds__(kBlock)
    weight_sum_kernel(D* target, const C* __restrict__ parts, std::int64_t columns,
                      std::int64_t count, int which, bool add) {
  const std::int64_t column = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (column >= columns) return;
  C sum = 0;
  for (std::int64_t part = 0; part < count; ++part)
    sum += parts[(part * columns + column) * 2 + which];
  if (add) sum += load(target[column]);
  target[column] = stored<D>(sum);
}

template <class T>
const T* optional(const TensorArg& arg) {
  return arg.present() ? arg.as<const T>() : nullptr;
}

void layer_norm(const KernelArgs& args) {
  const RowShape shape(args, *args.in(0).shape);
  if (shape.rows == 0) return;
  with_floating(args.out().dtype, [&](auto tag) {
    using T = decltype(tag);
    using C = Compute<T>;
    launch(args, layer_norm_kernel<T>, grid_for(shape.rows, 1), block_for(shape.columns),
           args.out().as<T>(), args.out(1).present() ? args.out(1).as<C>() : nullptr,
           args.out(2).present() ? args.out(2).as<C>() : nullptr, args.in(0).as<const T>(),
           optional<T>(args.in(1)), optional<T>(args.in(2)), shape,
           static_cast<C>(args.attrs<LayerNormAttrs>().eps));
  });
}

void layer_norm_grad(const KernelArgs& args) {
  const RowShape shape(args, *args.in(1).shape);
  with_floating(args.in(1).dtype, [&](auto tag) {
    using T = decltype(tag);
    using C = Compute<T>;
    const GradInputs<T> in{args.in(0).as<const T>(), args.in(1).as<const T>(),
                           optional<T>(args.in(2)), args.in(3).as<const C>(),
                           args.in(4).as<const C>()};
    if (args.out(0).present() && shape.rows * shape.columns > 0) {
      launch(args, layer_norm_dx_kernel<T>, grid_for(shape.rows, 1), block_for(shape.columns),
             args.out(0).as<T>(), in, shape);
    }
    if (shape.columns == 0 || (!args.out(1).present() && !args.out(2).present())) return;
    auto* parts = reinterpret_cast<C*>(args.workspace);
    const auto blocks = static_cast<unsigned>((shape.columns + kBlock - 1) / kBlock);
    const RowParts split(shape);
    if (split.count > 0) {
      launch(args, weight_parts_kernel<T>, dim3(blocks, static_cast<unsigned>(split.count)), kBlock,
             parts, in, shape, split.rows);
    }
    for (const std::size_t which : {std::size_t{1}, std::size_t{2}}) {
      const TensorArg& target = args.out(which);
      if (!target.present()) continue;
      with_floating(target.dtype, [&](auto target_tag) {
        using D = decltype(target_tag);
        launch(args, weight_sum_kernel<C, D>, blocks, kBlock, target.as<D>(),
               static_cast<const C*>(parts), shape.columns, split.count,
               static_cast<int>(which) - 1, args.accumulates(which));
      });
    }
  });
}

std::size_t layer_norm_grad_workspace(const KernelArgs& args) {
  if (!args.out(1).present() && !args.out(2).present()) return 0;
  const RowShape shape(args, *args.in(1).shape);
  return static_cast<std::size_t>(RowParts(shape).count * shape.columns) * 2 * sizeof(double);
}

}  // namespace

void register_norm() {
  const std::initializer_list<DType> dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16};
  add_kernel("layer_norm", DeviceKind::cuda, dtypes, {.variant = "row", .run = layer_norm});
  add_kernel("layer_norm_grad", DeviceKind::cuda, dtypes,
             {.variant = "row", .run = layer_norm_grad, .workspace = layer_norm_grad_workspace});
}

}  // namespace weft::cuda
