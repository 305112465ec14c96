// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cublasLt.h>

#include <compare>
#include <cstdint>

#include "weft/base/dtype.h"

namespace weft::cuda {

/// A row-major product y = op(a) op(b), batched: all strides and leading dimensions in elements.
struct GemmShape {
  int device = 0;
  std::int64_t m = 0, n = 0, k = 0;
  bool transpose_a = false, transpose_b = false;
  std::int64_t batch = 1;
  std::int64_t stride_a = 0, stride_b = 0, stride_y = 0;  ///< between batches; 0 repeats
  DType in = DType::f32;
  DType out = DType::f32;
  std::uint32_t align_a = 64, align_b = 64,
                align_y = 64;  ///< bytes; what every matrix's address divides by

  auto operator<=>(const GemmShape&) const = default;
};

/// Descriptors and the algorithm that cuBLASLt recommends for a shape.
struct GemmPlan {
  GemmPlan() = default;
  ~GemmPlan();
  GemmPlan(const GemmPlan&) = delete;
  GemmPlan& operator=(const GemmPlan&) = delete;

  cublasLtMatmulDesc_t operation = nullptr;
  cublasLtMatrixLayout_t a = nullptr, b = nullptr, y = nullptr;
  cublasLtMatmulHeuristicResult_t choice{};
};

/// The plan of a shape: made at its first use, kept for good. Throws Error(device | unsupported).
const GemmPlan& gemm_plan(const GemmShape& shape);

/// y = op(a) op(b) + beta y on `stream`.
void run_gemm(const GemmPlan& plan, const GemmShape& shape, const void* a, const void* b, void* y,
              bool accumulate, void* workspace, std::size_t workspace_bytes, void* stream);

}  // namespace weft::cuda
