// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "cpu/conv_shape.h"
#include "cpu/gemm.h"

/// oneDNN behind one door: every call runs on the calling thread alone (its OpenMP thread count is
/// set to 1 and restored), primitives are made once per shape and kept, and failures become
/// weft::Error.
namespace weft::cpu::onednn {

inline constexpr bool kBuilt = WEFT_HAVE_ONEDNN != 0;

/// Whether oneDNN has bf16 primitives for this CPU.
bool has_bf16();
/// Whether they beat f32 ones: with AMX, and on AMD. Intel's AVX-512 without AMX has half the f32
/// rate.
bool bf16_is_fast();

void gemm(const Gemm<float, float>& g);
void gemm(const Gemm<bf16, bf16>& g);
void gemm(const Gemm<bf16, float>& g);
/// Makes the primitive that `gemm` will use. For f32 there is none.
void prepare_gemm(const Gemm<float, float>& g);
void prepare_gemm(const Gemm<bf16, bf16>& g);
void prepare_gemm(const Gemm<bf16, float>& g);

enum class ConvPass : std::uint8_t { forward, backward_data, backward_weights };

/// One pass of a convolution of f32 or bf16 in the weight layout that oneDNN likes best. With plain
/// weights it would fall to its reference code, below 1 GFLOP/s: hence `pack`. Immutable, shared by
/// threads.
class Conv {
 public:
  /// Made at the first call, kept for ever.
  static const Conv& find(ConvPass pass, const ConvShape& shape);

  std::size_t packed_bytes() const { return packed_bytes_; }
  std::size_t scratch_bytes() const { return scratch_bytes_; }
  /// oneDNN's name of the implementation; one that begins with `ref` is not to be used.
  const std::string& implementation() const { return implementation_; }

  /// `weight` [o,kh,kw,c/groups] into oneDNN's layout. Not for backward_weights.
  void pack(const void* weight, void* packed) const;
  void forward(const void* x, const void* packed, const void* bias, void* y, void* scratch) const;
  void backward_data(const void* g, const void* packed, void* dx, void* scratch) const;
  /// Leaves dweight [o,kh,kw,c/groups] in f32 whatever the dtype; `packed` is scratch of its own.
  void backward_weights(const void* x, const void* g, void* packed, float* dweight,
                        void* scratch) const;

  ~Conv();
  Conv(const Conv&) = delete;
  Conv& operator=(const Conv&) = delete;

 private:
  Conv(ConvPass pass, const ConvShape& shape);
  struct Impl;
  Impl* impl_;
  std::size_t packed_bytes_ = 0;
  std::size_t scratch_bytes_ = 0;
  std::string implementation_;
};

}  // namespace weft::cpu::onednn
