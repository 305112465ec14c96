// SPDX-License-Identifier: Apache-2.0
#include "cuda/blas.h"

#include <cuda_runtime.h>

#include <map>
#include <mutex>
#include <vector>

#include "weft/base/error.h"
#include "weft/base/text.h"

namespace weft::cuda {

namespace {

std::string shape_text(const GemmShape& s) {
  return cat(s.batch, " x [", s.m, ",", s.k, "] [", s.k, ",", s.n, "] ", s.in, " -> ", s.out);
}

void check(cublasStatus_t status, const GemmShape& shape) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error(ErrorKind::device, cat("matmul ", shape_text(shape), " on cuda:", shape.device, ": ",
                                     cublasLtGetStatusString(status)));
}

cudaDataType_t type_of(DType dtype) {
  switch (dtype) {
    case DType::f64: return CUDA_R_64F;
    case DType::bf16: return CUDA_R_16BF;
    case DType::f16: return CUDA_R_16F;
    default: return CUDA_R_32F;
  }
}

cublasLtHandle_t handle_of(int device) {
  static std::mutex mutex;
  static std::map<int, cublasLtHandle_t> handles;
  const std::lock_guard lock(mutex);
  cublasLtHandle_t& handle = handles[device];
  if (handle == nullptr) check(cublasLtCreate(&handle), {.device = device});
  return handle;
}

cublasLtMatrixLayout_t layout(const GemmShape& shape, DType dtype, std::int64_t rows,
                              std::int64_t columns, std::int64_t stride) {
  cublasLtMatrixLayout_t result = nullptr;
  check(cublasLtMatrixLayoutCreate(&result, type_of(dtype), static_cast<std::uint64_t>(rows),
                                   static_cast<std::uint64_t>(columns), columns),
        shape);
  const cublasLtOrder_t order = CUBLASLT_ORDER_ROW;
  check(cublasLtMatrixLayoutSetAttribute(result, CUBLASLT_MATRIX_LAYOUT_ORDER, &order, sizeof(order)), shape);
  if (shape.batch > 1) {
    const auto count = static_cast<std::int32_t>(shape.batch);
    check(cublasLtMatrixLayoutSetAttribute(result, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count,
                                           sizeof(count)),
          shape);
    check(cublasLtMatrixLayoutSetAttribute(result, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride,
                                           sizeof(stride)),
          shape);
  }
  return result;
}

std::unique_ptr<GemmPlan> make_plan(const GemmShape& shape) {
  auto plan = std::make_unique<GemmPlan>();
  const bool wide = shape.in == DType::f64;
  // Plain f32: TF32 would drop 13 bits without being asked.
  check(cublasLtMatmulDescCreate(&plan->operation, wide ? CUBLAS_COMPUTE_64F : CUBLAS_COMPUTE_32F,
                                 wide ? CUDA_R_64F : CUDA_R_32F),
        shape);
  const auto transpose = [&](cublasLtMatmulDescAttributes_t attribute, bool flag) {
    const cublasOperation_t op = flag ? CUBLAS_OP_T : CUBLAS_OP_N;
    check(cublasLtMatmulDescSetAttribute(plan->operation, attribute, &op, sizeof(op)), shape);
  };
  transpose(CUBLASLT_MATMUL_DESC_TRANSA, shape.transpose_a);
  transpose(CUBLASLT_MATMUL_DESC_TRANSB, shape.transpose_b);
  plan->a = shape.transpose_a ? layout(shape, shape.in, shape.k, shape.m, shape.stride_a)
                              : layout(shape, shape.in, shape.m, shape.k, shape.stride_a);
  plan->b = shape.transpose_b ? layout(shape, shape.in, shape.n, shape.k, shape.stride_b)
                              : layout(shape, shape.in, shape.k, shape.n, shape.stride_b);
  plan->y = layout(shape, shape.out, shape.m, shape.n, shape.stride_y);
  cublasLtMatmulPreference_t preference = nullptr;
  check(cublasLtMatmulPreferenceCreate(&preference), shape);
  const std::size_t limit = kGemmWorkspace;
  check(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &limit,
                                             sizeof(limit)),
        shape);
  int found = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
      handle_of(shape.device), plan->operation, plan->a, plan->b, plan->y, plan->y, preference, 1,
      &plan->choice, &found);
  static_cast<void>(cublasLtMatmulPreferenceDestroy(preference));
  check(status, shape);
  if (found == 0) {
    throw Error(ErrorKind::unsupported, cat("matmul ", shape_text(shape), ": cuBLASLt has no algorithm"));
  }
  return plan;
}

struct Plans {
  std::mutex mutex;
  std::vector<std::pair<GemmShape, std::unique_ptr<GemmPlan>>> all;
};

}  // namespace

const GemmPlan& gemm_plan(const GemmShape& shape) {
  static Plans& plans = *new Plans;
  const std::lock_guard lock(plans.mutex);
  for (const auto& [known, plan] : plans.all) {
    if (known == shape) return *plan;
  }
  return *plans.all.emplace_back(shape, make_plan(shape)).second;
}

void run_gemm(const GemmPlan& plan, const GemmShape& shape, const void* a, const void* b, void* y,
              bool accumulate, void* workspace, std::size_t workspace_bytes, void* stream) {
  const double one = 1, beta = accumulate ? 1 : 0;
  const float one_f = 1, beta_f = accumulate ? 1 : 0;
  const bool wide = shape.in == DType::f64;
  check(cublasLtMatmul(handle_of(shape.device), plan.operation,
                       wide ? static_cast<const void*>(&one) : &one_f, a, plan.a, b, plan.b,
                       wide ? static_cast<const void*>(&beta) : &beta_f, y, plan.y, y, plan.y,
                       &plan.choice.algo, workspace, workspace_bytes, static_cast<cudaStream_t>(stream)),
        shape);
}

}  // namespace weft::cuda
