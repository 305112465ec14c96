// SPDX-License-Identifier: Apache-2.0
#include "cuda/common.cuh"
#include "weft/op/attrs/cast.h"
#include "weft/op/registry.h"

namespace weft::cuda {

namespace {

template <class To, class From>
__device__ inline To converted(From x) {
  if constexpr (std::is_same_v<From, bf16> || std::is_same_v<From, f16>) {
    return converted<To>(load(x));
  } else if constexpr (std::is_same_v<To, bf16> || std::is_same_v<To, f16>) {
    return stored<To>(static_cast<float>(x));
  } else if constexpr (std::is_same_v<To, bool>) {
    return x != From(0);
  } else if constexpr (std::is_same_v<From, bool> || std::is_floating_point_v<To> || std::is_integral_v<From>) {
    return static_cast<To>(x);
  } else {
    // Device conversions saturate; NaN becomes 0, as on the CPU.
    return x == x ? static_cast<To>(x) : To(0);
  }
}

// reads x once, writes y once
template <class To, class From>
__global__ void convert_kernel(To* __restrict__ y, const From* __restrict__ x, std::int64_t n) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += step) {
    y[i] = converted<To>(x[i]);
  }
}

template <class T>
__global__ void fill_kernel(T* y, double value, std::int64_t n) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  const T element = converted<T>(value);
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += step) {
    y[i] = element;
  }
}

template <class F>
void with_dtype(DType dtype, F&& fn) {
  switch (dtype) {
    case DType::f64: return fn(double{});
    case DType::f32: return fn(float{});
    case DType::bf16: return fn(bf16{});
    case DType::f16: return fn(f16{});
    case DType::i64: return fn(std::int64_t{});
    case DType::i32: return fn(std::int32_t{});
    case DType::u8: return fn(std::uint8_t{});
    case DType::boolean: return fn(bool{});
  }
}

void convert(const KernelArgs& args, const TensorArg& to, const TensorArg& from) {
  if (to.numel == 0) return;
  if (to.dtype == from.dtype) {
    const auto bytes = static_cast<std::size_t>(to.numel) * size_of(to.dtype);
    check(cudaMemcpyAsync(to.data, from.data, bytes, cudaMemcpyDeviceToDevice, stream_of(args)), args.op);
    return;
  }
  with_dtype(to.dtype, [&](auto to_tag) {
    with_dtype(from.dtype, [&](auto from_tag) {
      using To = decltype(to_tag);
      using From = decltype(from_tag);
      launch(args, convert_kernel<To, From>, grid_for(to.numel, kBlock), kBlock, to.as<To>(),
             from.as<const From>(), to.numel);
    });
  });
}

void cast(const KernelArgs& args) { convert(args, args.out(), args.in(0)); }
void copy(const KernelArgs& args) { convert(args, args.in(0), args.in(1)); }

void fill(const KernelArgs& args) {
  const TensorArg& target = args.in(0);
  if (target.numel == 0) return;
  with_dtype(target.dtype, [&](auto tag) {
    using T = decltype(tag);
    launch(args, fill_kernel<T>, grid_for(target.numel, kBlock), kBlock, target.as<T>(),
           args.attrs<FillAttrs>().value, target.numel);
  });
}

constexpr std::initializer_list<DType> kAll = {DType::f64, DType::f32, DType::bf16, DType::f16,
                                               DType::i64, DType::i32, DType::u8,   DType::boolean};

}  // namespace

void register_cast() {
  add_kernel("cast", DeviceKind::cuda, kAll, {.variant = "plain", .run = cast});
  add_kernel("copy", DeviceKind::cuda, kAll, {.variant = "plain", .run = copy});
  add_kernel("fill", DeviceKind::cuda, kAll, {.variant = "plain", .run = fill});
}

}  // namespace weft::cuda
