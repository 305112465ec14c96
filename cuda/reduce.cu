// SPDX-License-Identifier: Apache-2.0
#include "cuda/common.cuh"
#include "weft/op/attrs/reduce.h"
#include "weft/op/registry.h"

namespace weft::cuda {

namespace {

/// A sum as [kept] outputs of [reduced] elements each, both walked by index arithmetic.
struct SumPlan {
  int kept_rank = 0;
  int reduced_rank = 0;
  std::int64_t kept[kMaxRank], kept_stride[kMaxRank];
  std::int64_t reduced[kMaxRank], reduced_stride[kMaxRank];
  std::int64_t outputs = 1;
  std::int64_t count = 1;
  std::int64_t per_chunk = 1;  ///< elements that one block, or one thread of a column sum, adds
  std::int64_t chunks = 1;

  /// x as [count, outputs].
  bool is_columns() const {
    return kept_rank == 1 && reduced_rank == 1 && kept_stride[0] == 1 &&
           reduced_stride[0] == outputs && outputs >= 32;
  }
  void split() {
    constexpr std::int64_t kMostChunks =
        4096;  // a block adds their sums; grid dimension y ends at 65535
    per_chunk =
        std::max<std::int64_t>(is_columns() ? 256 : 16384, (count + kMostChunks - 1) / kMostChunks);
    chunks = std::max<std::int64_t>(1, (count + per_chunk - 1) / per_chunk);
  }
  __device__ static std::int64_t offset(std::int64_t i, int rank, const std::int64_t* extents,
                                        const std::int64_t* strides) {
    std::int64_t at = 0;
    for (int d = rank - 1; d >= 0; --d) {
      at += i % extents[d] * strides[d];
      i /= extents[d];
    }
    return at;
  }
};

/// Bit d of `drop` says that dimension d of x is summed.
SumPlan plan_of(const Shape& x, std::uint32_t drop) {
  SumPlan plan;
  std::int64_t strides[kMaxRank];
  std::int64_t step = 1;
  for (int d = x.rank() - 1; d >= 0; --d) {
    strides[d] = step;
    step *= x[d];
  }
  const auto append = [](int& rank, std::int64_t* extents, std::int64_t* stride,
                         std::int64_t extent, std::int64_t s) {
    if (rank > 0 && stride[rank - 1] == s * extent) {
      extents[rank - 1] *= extent;
      stride[rank - 1] = s;
      return;
    }
    extents[rank] = extent;
    stride[rank++] = s;
  };
  for (int d = 0; d < x.rank(); ++d) {
    if (((drop >> d) & 1u) != 0) {
      append(plan.reduced_rank, plan.reduced, plan.reduced_stride, x[d], strides[d]);
      plan.count *= x[d];
    } else {
      append(plan.kept_rank, plan.kept, plan.kept_stride, x[d], strides[d]);
      plan.outputs *= x[d];
    }
  }
  plan.split();
  return plan;
}

// reads x once; partial sums are negligible
template <class T>
__global__ void __launch_bounds__(kBlock)
    sum_kernel(Compute<T>* partial, T* y, const T* __restrict__ x, SumPlan plan,
               Compute<T> divisor) {
  using C = Compute<T>;
  __shared__ C shared[32];
  const std::int64_t chunk = blockIdx.y;
  const std::int64_t begin = chunk * plan.per_chunk;
  const std::int64_t end =
      begin + plan.per_chunk < plan.count ? begin + plan.per_chunk : plan.count;
  for (std::int64_t output = blockIdx.x; output < plan.outputs; output += gridDim.x) {
    const std::int64_t base = SumPlan::offset(output, plan.kept_rank, plan.kept, plan.kept_stride);
    C sum = 0;
    if (plan.reduced_rank == 1) {
      for (std::int64_t i = begin + threadIdx.x; i < end; i += blockDim.x) {
        sum += load(x[base + i * plan.reduced_stride[0]]);
      }
    } else {
      for (std::int64_t i = begin + threadIdx.x; i < end; i += blockDim.x) {
        sum += load(
            x[base + SumPlan::offset(i, plan.reduced_rank, plan.reduced, plan.reduced_stride)]);
      }
    }
    sum = block_sum(sum, shared);
    if (threadIdx.x != 0) continue;
    if (plan.chunks == 1)
      y[output] = stored<T>(sum / divisor);
    else
      partial[output * plan.chunks + chunk] = sum;
  }
}

// x as [count, outputs]: neighbouring threads read neighbouring columns
template <class T>
__global__ void __launch_bounds__(kBlock)
    column_sum_kernel(Compute<T>* partial, T* y, const T* __restrict__ x, SumPlan plan,
                      Compute<T> divisor) {
  const std::int64_t column = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (column >= plan.outputs) return;
  const std::int64_t begin = blockIdx.y * plan.per_chunk;
  const std::int64_t end =
      begin + plan.per_chunk < plan.count ? begin + plan.per_chunk : plan.count;
  Compute<T> sum = 0;
  for (std::int64_t i = begin; i < end; ++i) sum += load(x[i * plan.outputs + column]);
  if (plan.chunks == 1)
    y[column] = stored<T>(sum / divisor);
  else
    partial[column * plan.chunks + blockIdx.y] = sum;
}

// A block per output: the sums of its chunks stand side by side.
template <class T>
__global__ void __launch_bounds__(kWideBlock)
    finish_sum_kernel(T* y, const Compute<T>* __restrict__ partial, std::int64_t outputs,
                      std::int64_t chunks, Compute<T> divisor) {
  using C = Compute<T>;
  __shared__ C shared[32];
  for (std::int64_t output = blockIdx.x; output < outputs; output += gridDim.x) {
    C sum = 0;
    for (std::int64_t c = threadIdx.x; c < chunks; c += blockDim.x)
      sum += partial[output * chunks + c];
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) y[output] = stored<T>(sum / divisor);
  }
}

std::uint32_t dropped(const KernelArgs& args) {
  const Shape& x = *args.in(0).shape;
  const Dims& dims = args.attrs<ReduceAttrs>().dims;
  std::uint32_t drop = dims.empty() ? ~0u : 0u;
  for (const std::int64_t dim : dims) drop |= 1u << x.dim_index(dim, args.op);
  return drop;
}

std::uint32_t dropped_to(const KernelArgs& args) {
  const Shape& x = *args.in(0).shape;
  const Shape& y = *args.out().shape;
  std::uint32_t drop = 0;
  for (int d = 0; d < x.rank(); ++d) {
    const int own = d - (x.rank() - y.rank());
    if (own < 0 || (y[own] == 1 && x[d] != 1)) drop |= 1u << d;
  }
  return drop;
}

template <auto Drop>
std::size_t sum_workspace(const KernelArgs& args) {
  const SumPlan plan = plan_of(*args.in(0).shape, Drop(args));
  return plan.chunks == 1 ? 0
                          : static_cast<std::size_t>(plan.chunks * plan.outputs) * sizeof(double);
}

void run_sum(const KernelArgs& args, const SumPlan& plan, std::int64_t count) {
  if (plan.outputs == 0) return;
  with_floating(args.in(0).dtype, [&](auto tag) {
    using T = decltype(tag);
    using C = Compute<T>;
    auto* partial = reinterpret_cast<C*>(args.workspace);
    const auto divisor = static_cast<C>(count);
    T* y = args.out().as<T>();
    const T* x = args.in(0).as<const T>();
    const auto chunks = static_cast<unsigned>(plan.chunks);
    if (plan.is_columns()) {
      const auto blocks = static_cast<unsigned>((plan.outputs + kBlock - 1) / kBlock);
      launch(args, column_sum_kernel<T>, dim3(blocks, chunks), kBlock, partial, y, x, plan,
             divisor);
    } else {
      const auto blocks = static_cast<unsigned>(std::min<std::int64_t>(plan.outputs, 1 << 20));
      const unsigned threads = std::min(unsigned{kBlock}, block_for(plan.count));
      launch(args, sum_kernel<T>, dim3(blocks, chunks), threads, partial, y, x, plan, divisor);
    }
    if (plan.chunks > 1) {
      launch(args, finish_sum_kernel<T>, grid_for(plan.outputs, 1), block_for(plan.chunks), y,
             static_cast<const C*>(partial), plan.outputs, plan.chunks, divisor);
    }
  });
}

void sum(const KernelArgs& args) { run_sum(args, plan_of(*args.in(0).shape, dropped(args)), 1); }

// The mean of nothing is 0 / 0, NaN, as on the CPU.
void mean(const KernelArgs& args) {
  const SumPlan plan = plan_of(*args.in(0).shape, dropped(args));
  run_sum(args, plan, plan.count);
}

void sum_to(const KernelArgs& args) {
  run_sum(args, plan_of(*args.in(0).shape, dropped_to(args)), 1);
}

}  // namespace

void register_reduce() {
  const std::initializer_list<DType> dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16};
  const auto add = [&](std::string_view op, KernelFn run, WorkspaceFn workspace) {
    add_kernel(op, DeviceKind::cuda, dtypes,
               {.variant = "two_pass", .run = run, .workspace = workspace});
  };
  add("sum", sum, sum_workspace<dropped>);
  add("mean", mean, sum_workspace<dropped>);
  add("sum_to", sum_to, sum_workspace<dropped_to>);
}

}  // namespace weft::cuda
