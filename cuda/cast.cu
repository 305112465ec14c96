// SPDX-License-Identifier: Apache-2.0
#include "cuda/common.cuh"
#include "weft/op/attrs/cast.h"
#include "weft/op/registry.h"

namespace weft::cuda {

namespace {

/// A stored bool: reading any other byte than 0 and 1 as `bool` would be undefined.
struct Bool {
  std::uint8_t byte;
};

template <class T>
inline constexpr bool kIsHalf = std::is_same_v<T, bf16> || std::is_same_v<T, f16>;

/// The nearest To towards zero, its limits beyond them; NaN becomes 0.
template <class To, class From>
__device__ inline To saturated(From x) {
  if constexpr (std::is_same_v<To, From>) {
    return x;
  } else if constexpr (std::is_same_v<To, std::uint8_t>) {
    if constexpr (std::is_integral_v<From>)
      return static_cast<To>(x < 0 ? 0 : x > 255 ? 255 : x);
    else
      return x > From(0) ? static_cast<To>(x < From(255) ? x : From(255)) : To(0);
  } else if constexpr (std::is_same_v<From, std::int64_t> && std::is_same_v<To, std::int32_t>) {
    return static_cast<To>(x < INT32_MIN ? INT32_MIN : x > INT32_MAX ? INT32_MAX : x);
  } else if constexpr (std::is_integral_v<From>) {
    return static_cast<To>(x);
  } else if (x != x) {
    return To(0);
  } else if constexpr (std::is_same_v<To, std::int32_t>) {  // these instructions saturate, a cast
                                                            // need not
    if constexpr (std::is_same_v<From, double>)
      return __double2int_rz(x);
    else
      return __float2int_rz(x);
  } else {
    if constexpr (std::is_same_v<From, double>)
      return __double2ll_rz(x);
    else
      return __float2ll_rz(x);
  }
}

template <class To, class From>
__device__ inline To converted(From x) {
  if constexpr (std::is_same_v<From, Bool>) {
    return converted<To>(static_cast<std::uint8_t>(x.byte != 0));
  } else if constexpr (kIsHalf<From>) {
    return converted<To>(load(x));
  } else if constexpr (std::is_same_v<To, Bool>) {
    return Bool{static_cast<std::uint8_t>(x != From(0))};
  } else if constexpr (kIsHalf<To>) {
    return stored<To>(static_cast<float>(x));
  } else if constexpr (std::is_integral_v<To>) {
    return saturated<To>(x);
  } else {
    return static_cast<To>(x);
  }
}

// reads x once, writes y once
template <class To, class From>
__global__ void __launch_bounds__(kBlock)
    convert_kernel(To* __restrict__ y, const From* __restrict__ x, std::int64_t n) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += step) {
    y[i] = converted<To>(x[i]);
  }
}

template <class T>
__global__ void __launch_bounds__(kBlock) fill_kernel(T* y, double value, std::int64_t n) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  const T element = converted<T>(value);
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < n; i += step) {
    y[i] = element;
  }
}

template <class F>
void with_dtype(DType dtype, F&& fn) {
  switch (dtype) {
    case DType::f64:
      return fn(double{});
    case DType::f32:
      return fn(float{});
    case DType::bf16:
      return fn(bf16{});
    case DType::f16:
      return fn(f16{});
    case DType::i64:
      return fn(std::int64_t{});
    case DType::i32:
      return fn(std::int32_t{});
    case DType::u8:
      return fn(std::uint8_t{});
    case DType::boolean:
      return fn(Bool{});
  }
}

void convert(const KernelArgs& args, const TensorArg& to, const TensorArg& from) {
  if (to.numel == 0) return;
  if (to.dtype == from.dtype) {
    if (to.data == from.data) return;
    const auto bytes = static_cast<std::size_t>(to.numel) * size_of(to.dtype);
    check(cudaMemcpyAsync(to.data, from.data, bytes, cudaMemcpyDeviceToDevice, stream_of(args)),
          args.op);
    return;
  }
  with_dtype(to.dtype, [&](auto to_tag) {
    with_dtype(from.dtype, [&](auto from_tag) {
      using To = decltype(to_tag);
      using From = decltype(from_tag);
      if constexpr (!std::is_same_v<To, From>) {
        launch(args, convert_kernel<To, From>, grid_for(to.numel, kBlock), kBlock, to.as<To>(),
               from.as<const From>(), to.numel);
      }
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
