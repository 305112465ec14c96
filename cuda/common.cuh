// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/op/kernel.h"

static_assert(__cplusplus >= 202002L, "CMake fell back to an older language standard");

namespace weft::cuda {

/// Throws Error(device) with the op and CUDA's own words.
[[noreturn]] void fail(cudaError_t status, std::string_view what);
inline void check(cudaError_t status, std::string_view what) {
  if (status != cudaSuccess) [[unlikely]]
    fail(status, what);
}

/// Makes a device current and puts the former one back.
class OnDevice {
 public:
  explicit OnDevice(int index);
  ~OnDevice();
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

 private:
  int wanted_;
  int saved_ = 0;
};

inline cudaStream_t stream_of(const KernelArgs& args) {
  return static_cast<cudaStream_t>(args.stream.handle);
}

/// Threads of a block, at most; of one that walks a row, at most.
inline constexpr int kBlock = 256;
inline constexpr int kWideBlock = 1024;

/// Blocks for `work` items of `per_block` each, bounded so that kernels loop over the rest.
inline unsigned grid_for(std::int64_t work, std::int64_t per_block) {
  constexpr std::int64_t kMost = 132 * 16;
  return static_cast<unsigned>(
      std::clamp<std::int64_t>((work + per_block - 1) / per_block, 1, kMost));
}

/// Launches on the stream of `args` and reports launch errors under the op's name.
template <class... P, class... A>
void launch(const KernelArgs& args, void (*kernel)(P...), dim3 grid, dim3 block, A&&... arguments) {
  const OnDevice on(args.stream.device.index);  // a stream takes kernels of its own device alone
  kernel<<<grid, block, 0, stream_of(args)>>>(std::forward<A>(arguments)...);
  check(cudaGetLastError(), args.op);
}

/// The type that a dtype computes in: f64 in itself, everything else in f32.
template <class T>
using Compute = std::conditional_t<std::is_same_v<T, double>, double, float>;

template <class T>
__device__ inline Compute<T> load(const T& x) {
  if constexpr (std::is_same_v<T, bf16>) {
    return __bfloat162float(reinterpret_cast<const __nv_bfloat16&>(x));
  } else if constexpr (std::is_same_v<T, f16>) {
    return __half2float(reinterpret_cast<const __half&>(x));
  } else {
    return static_cast<Compute<T>>(x);
  }
}

template <class T, class C>
__device__ inline T stored(C value) {
  if constexpr (std::is_same_v<T, bf16>) {
    const __nv_bfloat16 half = __float2bfloat16_rn(static_cast<float>(value));
    return reinterpret_cast<const bf16&>(half);
  } else if constexpr (std::is_same_v<T, f16>) {
    const __half half = __float2half_rn(static_cast<float>(value));
    return reinterpret_cast<const f16&>(half);
  } else {
    return static_cast<T>(value);
  }
}

/// 16 bytes of T, moved by one load or store.
template <class T>
struct alignas(16) Pack {
  static constexpr int kCount = 16 / static_cast<int>(sizeof(T));
  T values[kCount];
};

template <class T>
__device__ inline Pack<T> load_pack(const T* p) {
  const int4 raw = *reinterpret_cast<const int4*>(p);
  return reinterpret_cast<const Pack<T>&>(raw);
}

template <class T>
__device__ inline void store_pack(T* p, const Pack<T>& pack) {
  *reinterpret_cast<int4*>(p) = reinterpret_cast<const int4&>(pack);
}

inline bool all_aligned(const KernelArgs& args) {
  for (const auto side : {args.inputs, args.outputs}) {
    for (const TensorArg& arg : side) {
      if (arg.present() && !arg.aligned(16)) return false;
    }
  }
  return true;
}

/// Calls `fn(T{})` for a floating dtype.
template <class F>
decltype(auto) with_floating(DType dtype, F&& fn) {
  switch (dtype) {
    case DType::f64:
      return fn(double{});
    case DType::bf16:
      return fn(bf16{});
    case DType::f16:
      return fn(f16{});
    default:
      return fn(float{});
  }
}

/// Threads for a block that walks `count` elements.
inline unsigned block_for(std::int64_t count) {
  return static_cast<unsigned>(std::clamp<std::int64_t>((count + 31) / 32 * 32, 32, kWideBlock));
}

/// The sum over a block in a fixed order; every thread gets it. `shared` holds 32 values.
template <class C>
__device__ inline C block_sum(C value, C* shared) {
  for (int offset = 16; offset > 0; offset /= 2)
    value += __shfl_xor_sync(0xffffffffu, value, offset);
  const unsigned lane = threadIdx.x % 32;
  const unsigned warp = threadIdx.x / 32;
  __syncthreads();  // the last call's readers are done with `shared`
  if (lane == 0) shared[warp] = value;
  __syncthreads();
  C total = 0;
  for (unsigned i = 0; i < blockDim.x / 32; ++i) total += shared[i];
  return total;
}

/// Like fmax, but NaN wins: a diverged row must not look finite.
template <class C>
__device__ inline C nan_max(C a, C b) {
  return a != a || a > b ? a : b;
}

template <class C>
__device__ inline C block_max(C value, C* shared) {
  for (int offset = 16; offset > 0; offset /= 2) {
    value = nan_max(value, __shfl_xor_sync(0xffffffffu, value, offset));
  }
  const unsigned lane = threadIdx.x % 32;
  const unsigned warp = threadIdx.x / 32;
  __syncthreads();
  if (lane == 0) shared[warp] = value;
  __syncthreads();
  C most = shared[0];
  for (unsigned i = 1; i < blockDim.x / 32; ++i) most = nan_max(most, shared[i]);
  return most;
}

// One function per family, called from weft_plugin.
void register_cast();
void register_pointwise();
void register_reduce();
void register_matmul();
void register_norm();
void register_softmax();
void register_optimizer();

}  // namespace weft::cuda
