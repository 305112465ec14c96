// SPDX-License-Identifier: Apache-2.0
#include "cuda/common.cuh"
#include "cuda/strides.cuh"
#include "weft/math/gelu.h"
#include "weft/op/attrs/pointwise.h"
#include "weft/op/registry.h"

namespace weft::cuda {

namespace {

struct Add {
  template <class C>
  __device__ C operator()(C a, C b) const {
    return a + b;
  }
};
struct Sub {
  template <class C>
  __device__ C operator()(C a, C b) const {
    return a - b;
  }
};
struct Mul {
  template <class C>
  __device__ C operator()(C a, C b) const {
    return a * b;
  }
};
struct Div {
  template <class C>
  __device__ C operator()(C a, C b) const {
    return a / b;
  }
};
// The order of the comparisons keeps NaN.
struct Relu {
  template <class C>
  __device__ C operator()(C x) const {
    return x < C(0) ? C(0) : x;
  }
};
struct ReluGrad {
  template <class C>
  __device__ C operator()(C g, C y) const {
    return y <= C(0) ? C(0) : g;
  }
};
template <bool kTanh>
struct Gelu {
  template <class C>
  __device__ C operator()(C x) const {
    if constexpr (kTanh)
      return math::gelu_tanh(x);
    else
      return math::gelu_erf(x);
  }
};
template <bool kTanh>
struct GeluGrad {
  template <class C>
  __device__ C operator()(C g, C x) const {
    if constexpr (kTanh)
      return g * math::gelu_tanh_derivative(x);
    else
      return g * math::gelu_erf_derivative(x);
  }
};
/// A binary op with a number on one side.
template <class Op, class C, bool kLeft>
struct WithScalar {
  C scalar;
  __device__ C operator()(C x) const {
    if constexpr (kLeft)
      return Op{}(scalar, x);
    else
      return Op{}(x, scalar);
  }
};

// reads every input once and writes y once, 16 bytes at a time: limit is the copy rate. y may be
// one of the inputs (gradients are added in place).
template <class T, class Op, int kInputs>
__global__ void __launch_bounds__(kBlock)
    packed_kernel(T* y, const T* a, const T* b, std::int64_t n, Op op) {
  constexpr int kCount = Pack<T>::kCount;
  const std::int64_t packs = n / kCount;
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  const std::int64_t first = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const auto apply = [&](const T& x, const T& other) {
    if constexpr (kInputs == 1)
      return stored<T>(op(load(x)));
    else
      return stored<T>(op(load(x), load(other)));
  };
  for (std::int64_t p = first; p < packs; p += step) {
    const Pack<T> x = load_pack(a + p * kCount);
    Pack<T> other = x;
    if constexpr (kInputs == 2) other = load_pack(b + p * kCount);
    Pack<T> result;
#pragma unroll
    for (int k = 0; k < kCount; ++k) result.values[k] = apply(x.values[k], other.values[k]);
    store_pack(y + p * kCount, result);
  }
  for (std::int64_t i = packs * kCount + first; i < n; i += step)
    y[i] = apply(a[i], kInputs == 2 ? b[i] : a[i]);
}

template <class T, class Op, int kInputs>
__global__ void __launch_bounds__(kBlock)
    strided_kernel(T* y, const T* a, const T* b, std::int64_t n, Strides<2> strides, Op op) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += step) {
    std::int64_t at[2];
    strides.offsets(i, at);
    if constexpr (kInputs == 1)
      y[i] = stored<T>(op(load(a[at[0]])));
    else
      y[i] = stored<T>(op(load(a[at[0]]), load(b[at[1]])));
  }
}

template <class T, int kInputs, class Op>
void run(const KernelArgs& args, const TensorArg& a, const TensorArg& b, Op op) {
  const TensorArg& y = args.out();
  if (y.numel == 0) return;
  if (all_aligned(args) && a.numel == y.numel && b.numel == y.numel) {
    launch(args, packed_kernel<T, Op, kInputs>, grid_for(y.numel, kBlock * Pack<T>::kCount), kBlock,
           y.as<T>(), a.as<const T>(), b.as<const T>(), y.numel, op);
    return;
  }
  launch(args, strided_kernel<T, Op, kInputs>, grid_for(y.numel, kBlock), kBlock, y.as<T>(),
         a.as<const T>(), b.as<const T>(), y.numel, Strides<2>(*y.shape, {a.shape, b.shape}), op);
}

template <class Op>
void arithmetic(const KernelArgs& args) {
  const auto& attrs = args.attrs<BinaryAttrs>();
  with_floating(args.out().dtype, [&](auto tag) {
    using T = decltype(tag);
    using C = Compute<T>;
    const C scalar = static_cast<C>(attrs.scalar);
    switch (attrs.side) {
      case ScalarSide::none:
        return run<T, 2>(args, args.in(0), args.in(1), Op{});
      case ScalarSide::right:
        return run<T, 1>(args, args.in(0), args.in(0), WithScalar<Op, C, false>{scalar});
      case ScalarSide::left:
        return run<T, 1>(args, args.in(1), args.in(1), WithScalar<Op, C, true>{scalar});
    }
  });
}

template <class Op>
void unary(const KernelArgs& args, Op op) {
  with_floating(args.out().dtype,
                [&](auto tag) { run<decltype(tag), 1>(args, args.in(0), args.in(0), op); });
}

template <class Op>
void binary(const KernelArgs& args, Op op) {
  with_floating(args.out().dtype,
                [&](auto tag) { run<decltype(tag), 2>(args, args.in(0), args.in(1), op); });
}

void relu(const KernelArgs& args) { unary(args, Relu{}); }
void relu_grad(const KernelArgs& args) { binary(args, ReluGrad{}); }
void gelu(const KernelArgs& args) {
  if (args.attrs<GeluAttrs>().tanh)
    unary(args, Gelu<true>{});
  else
    unary(args, Gelu<false>{});
}
void gelu_grad(const KernelArgs& args) {
  if (args.attrs<GeluAttrs>().tanh)
    binary(args, GeluGrad<true>{});
  else
    binary(args, GeluGrad<false>{});
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    broadcast_kernel(T* __restrict__ y, const T* __restrict__ x, std::int64_t n,
                     Strides<1> strides) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += step) {
    std::int64_t at[1];
    strides.offsets(i, at);
    y[i] = x[at[0]];
  }
}

void broadcast_to(const KernelArgs& args) {
  const TensorArg& y = args.out();
  if (y.numel == 0) return;
  with_floating(y.dtype, [&](auto tag) {
    using T = decltype(tag);
    launch(args, broadcast_kernel<T>, grid_for(y.numel, kBlock), kBlock, y.as<T>(),
           args.in(0).as<const T>(), y.numel, Strides<1>(*y.shape, {args.in(0).shape}));
  });
}

}  // namespace

void register_pointwise() {
  const auto add = [](std::string_view op, KernelFn run) {
    add_kernel(op, DeviceKind::cuda, {DType::f64, DType::f32, DType::bf16, DType::f16},
               {.variant = "packed", .run = run});
  };
  add("add", arithmetic<Add>);
  add("sub", arithmetic<Sub>);
  add("mul", arithmetic<Mul>);
  add("div", arithmetic<Div>);
  add("relu", relu);
  add("relu_grad", relu_grad);
  add("gelu", gelu);
  add("gelu_grad", gelu_grad);
  add("broadcast_to", broadcast_to);
}

}  // namespace weft::cuda
