// SPDX-License-Identifier: Apache-2.0
#include "cuda/common.cuh"
#include "weft/op/attrs/reduce.h"
#include "weft/op/registry.h"

namespace weft::cuda {

namespace {

/// Elements that one block adds in the first of two passes.
constexpr std::int64_t kChunk = 16384;

/// A sum as [kept] outputs of [reduced] elements each, both walked by index arithmetic.
struct SumPlan {
  int kept_rank = 0;
  int reduced_rank = 0;
  std::int64_t kept[kMaxRank], kept_stride[kMaxRank];
  std::int64_t reduced[kMaxRank], reduced_stride[kMaxRank];
  std::int64_t outputs = 1;
  std::int64_t count = 1;

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
  const auto append = [](int& rank, std::int64_t* extents, std::int64_t* stride, std::int64_t extent,
                         std::int64_t s) {
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
  return plan;
}

// reads x once; partial sums are negligible
template <class T>
__global__ void sum_kernel(Compute<T>* partial, T* y, const T* __restrict__ x, SumPlan plan,
                           std::int64_t chunks, Compute<T> scale) {
  using C = Compute<T>;
  __shared__ C shared[32];
  const std::int64_t output = blockIdx.x;
  const std::int64_t chunk = blockIdx.y;
  const std::int64_t base = SumPlan::offset(output, plan.kept_rank, plan.kept, plan.kept_stride);
  const std::int64_t begin = chunk * kChunk;
  const std::int64_t end = begin + kChunk < plan.count ? begin + kChunk : plan.count;
  C sum = 0;
  if (plan.reduced_rank == 1) {
    for (std::int64_t i = begin + threadIdx.x; i < end; i += blockDim.x) {
      sum += load(x[base + i * plan.reduced_stride[0]]);
    }
  } else {
    for (std::int64_t i = begin + threadIdx.x; i < end; i += blockDim.x) {
      sum += load(x[base + SumPlan::offset(i, plan.reduced_rank, plan.reduced, plan.reduced_stride)]);
    }
  }
  sum = block_sum(sum, shared);
  if (threadIdx.x != 0) return;
  if (chunks == 1) y[output] = stored<T>(sum * scale);
  else partial[output * chunks + chunk] = sum;
}

// x as [count, outputs]: neighbouring threads read neighbouring columns
template <class T>
__global__ void column_sum_kernel(Compute<T>* partial, T* y, const T* __restrict__ x,
                                  std::int64_t count, std::int64_t outputs, std::int64_t rows,
                                  std::int64_t chunks, Compute<T> scale) {
  const std::int64_t column = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (column >= outputs) return;
  const std::int64_t begin = blockIdx.y * rows;
  const std::int64_t end = begin + rows < count ? begin + rows : count;
  Compute<T> sum = 0;
  for (std::int64_t i = begin; i < end; ++i) sum += load(x[i * outputs + column]);
  if (chunks == 1) y[column] = stored<T>(sum * scale);
  else partial[column * chunks + blockIdx.y] = sum;
}

template <class T>
__global__ void finish_sum_kernel(T* y, const Compute<T>* __restrict__ partial, std::int64_t outputs,
                                  std::int64_t chunks, Compute<T> scale) {
  const std::int64_t output = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (output >= outputs) return;
  Compute<T> sum = 0;
  for (std::int64_t c = 0; c < chunks; ++c) sum += partial[output * chunks + c];
  y[output] = stored<T>(sum * scale);
}

bool is_column_sum(const SumPlan& plan) {
  return plan.kept_rank == 1 && plan.reduced_rank == 1 && plan.kept_stride[0] == 1 &&
         plan.reduced_stride[0] == plan.outputs && plan.outputs >= 32;
}

constexpr std::int64_t kColumnRows = 256;

std::int64_t chunks_of(const SumPlan& plan) {
  const std::int64_t per_chunk = is_column_sum(plan) ? kColumnRows : kChunk;
  return std::max<std::int64_t>(1, (plan.count + per_chunk - 1) / per_chunk);
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
  const std::int64_t chunks = chunks_of(plan);
  return chunks == 1 ? 0 : static_cast<std::size_t>(chunks * plan.outputs) * sizeof(double);
}

void run_sum(const KernelArgs& args, const SumPlan& plan, double factor) {
  if (plan.outputs == 0) return;
  with_floating(args.in(0).dtype, [&](auto tag) {
    using T = decltype(tag);
    using C = Compute<T>;
    const std::int64_t chunks = chunks_of(plan);
    auto* partial = reinterpret_cast<C*>(args.workspace);
    const C scale = static_cast<C>(factor);
    T* y = args.out().as<T>();
    const T* x = args.in(0).as<const T>();
    const auto blocks = static_cast<unsigned>((plan.outputs + kBlock - 1) / kBlock);
    if (is_column_sum(plan)) {
      launch(args, column_sum_kernel<T>, dim3(blocks, static_cast<unsigned>(chunks)), kBlock, partial, y, x,
             plan.count, plan.outputs, kColumnRows, chunks, scale);
    } else {
      launch(args, sum_kernel<T>,
             dim3(static_cast<unsigned>(plan.outputs), static_cast<unsigned>(chunks)), kBlock, partial, y,
             x, plan, chunks, scale);
    }
    if (chunks > 1) {
      launch(args, finish_sum_kernel<T>, blocks, kBlock, y, static_cast<const C*>(partial), plan.outputs,
             chunks, scale);
    }
  });
}

void sum(const KernelArgs& args) { run_sum(args, plan_of(*args.in(0).shape, dropped(args)), 1.0); }

// The mean of nothing is NaN, as on the CPU.
void mean(const KernelArgs& args) {
  const SumPlan plan = plan_of(*args.in(0).shape, dropped(args));
  run_sum(args, plan, 1.0 / static_cast<double>(plan.count));
}

void sum_to(const KernelArgs& args) {
  run_sum(args, plan_of(*args.in(0).shape, dropped_to(args)), 1.0);
}

// Grid dimension y is limited to 65535 and so is what these kernels split.
template <auto Drop>
bool fits(const KernelArgs& args) {
  const SumPlan plan = plan_of(*args.in(0).shape, Drop(args));
  return chunks_of(plan) <= 65535 && plan.outputs < (std::int64_t{1} << 31);
}

}  // namespace

void register_reduce() {
  const std::initializer_list<DType> dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16};
  add_kernel("sum", DeviceKind::cuda, dtypes,
             {.variant = "two_pass", .run = sum, .workspace = sum_workspace<dropped>, .applies = fits<dropped>});
  add_kernel("mean", DeviceKind::cuda, dtypes,
             {.variant = "two_pass", .run = mean, .workspace = sum_workspace<dropped>, .applies = fits<dropped>});
  add_kernel("sum_to", DeviceKind::cuda, dtypes,
             {.variant = "two_pass", .run = sum_to, .workspace = sum_workspace<dropped_to>,
              .applies = fits<dropped_to>});
}

}  // namespace weft::cuda
