// SPDX-License-Identifier: Apache-2.0
#include "cuda/common.cuh"
#include "weft/math/exp.h"
#include "weft/op/attrs/softmax.h"
#include "weft/op/registry.h"

namespace weft::cuda {

namespace {

/// A softmax dimension as [outer, count, inner].
struct Rows {
  std::int64_t outer = 1;
  std::int64_t count = 1;
  std::int64_t inner = 1;

  explicit Rows(const KernelArgs& args) {
    const Shape& shape = *args.out().shape;
    if (shape.rank() == 0) return;
    const int dim = shape.dim_index(args.attrs<SoftmaxAttrs>().dim, args.op);
    outer = shape.numel(0, dim);
    count = shape[dim];
    inner = shape.numel(dim + 1, shape.rank());
  }
  WEFT_HD std::int64_t rows() const { return outer * inner; }
  __device__ std::int64_t begin(std::int64_t row) const {
    return row / inner * count * inner + row % inner;
  }
};

// reads x (twice more from L2) and writes y; a block per row
template <class T>
__global__ void __launch_bounds__(kWideBlock)
    softmax_kernel(T* __restrict__ y, const T* __restrict__ x, Rows rows) {
  using C = Compute<T>;
  __shared__ C shared[32];
  for (std::int64_t row = blockIdx.x; row < rows.rows(); row += gridDim.x) {
    const std::int64_t begin = rows.begin(row);
    C most = -INFINITY;
    for (std::int64_t i = threadIdx.x; i < rows.count; i += blockDim.x) {
      most = nan_max(most, load(x[begin + i * rows.inner]));
    }
    most = block_max(most, shared);
    // A row that is masked everywhere becomes zeros.
    if (most == -INFINITY) {
      for (std::int64_t i = threadIdx.x; i < rows.count; i += blockDim.x) {
        y[begin + i * rows.inner] = stored<T>(C(0));
      }
      continue;
    }
    C sum = 0;
    for (std::int64_t i = threadIdx.x; i < rows.count; i += blockDim.x) {
      sum += math::exp_normal(load(x[begin + i * rows.inner]) - most);
    }
    const C inverse = C(1) / block_sum(sum, shared);
    for (std::int64_t i = threadIdx.x; i < rows.count; i += blockDim.x) {
      const std::int64_t at = begin + i * rows.inner;
      y[at] = stored<T>(math::exp_normal(load(x[at]) - most) * inverse);
    }
  }
}

// dx = y (g - sum(g y)): reads g and y, writes dx
template <class T>
__global__ void __launch_bounds__(kWideBlock)
    softmax_grad_kernel(T* __restrict__ dx, const T* __restrict__ g, const T* __restrict__ y,
                        Rows rows) {
  using C = Compute<T>;
  __shared__ C shared[32];
  for (std::int64_t row = blockIdx.x; row < rows.rows(); row += gridDim.x) {
    const std::int64_t begin = rows.begin(row);
    C sum = 0;
    for (std::int64_t i = threadIdx.x; i < rows.count; i += blockDim.x) {
      const std::int64_t at = begin + i * rows.inner;
      sum += load(g[at]) * load(y[at]);
    }
    sum = block_sum(sum, shared);
    for (std::int64_t i = threadIdx.x; i < rows.count; i += blockDim.x) {
      const std::int64_t at = begin + i * rows.inner;
      dx[at] = stored<T>(load(y[at]) * (load(g[at]) - sum));
    }
  }
}

void softmax(const KernelArgs& args) {
  const Rows rows(args);
  if (args.out().numel == 0) return;
  with_floating(args.out().dtype, [&](auto tag) {
    using T = decltype(tag);
    launch(args, softmax_kernel<T>, grid_for(rows.rows(), 1), block_for(rows.count),
           args.out().as<T>(), args.in(0).as<const T>(), rows);
  });
}

void softmax_grad(const KernelArgs& args) {
  const Rows rows(args);
  if (args.out().numel == 0) return;
  with_floating(args.out().dtype, [&](auto tag) {
    using T = decltype(tag);
    launch(args, softmax_grad_kernel<T>, grid_for(rows.rows(), 1), block_for(rows.count),
           args.out().as<T>(), args.in(0).as<const T>(), args.in(1).as<const T>(), rows);
  });
}

}  // namespace

void register_softmax() {
  const std::initializer_list<DType> dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16};
  add_kernel("softmax", DeviceKind::cuda, dtypes, {.variant = "row", .run = softmax});
  add_kernel("softmax_grad", DeviceKind::cuda, dtypes, {.variant = "row", .run = softmax_grad});
}

}  // namespace weft::cuda
