// SPDX-License-Identifier: Apache-2.0
#include "cuda/blas.h"

#include <cuda_runtime.h>

#include <map>
#include <memory>
#include <mutex>

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
    case DType::f64:
      return CUDA_R_64F;
    case DType::bf16:
      return CUDA_R_16BF;
    case DType::f16:
      return CUDA_R_16F;
    default:
      return CUDA_R_32F;
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

/// A row-major [rows, columns] matrix. cuBLASLt is told of its transpose, column-major: the only
/// order for which all types, algorithms and epilogues exist.
cublasLtMatrixLayout_t layout(const GemmShape& shape, DType dtype, std::int64_t rows,
                              std::int64_t columns, std::int64_t stride) {
  cublasLtMatrixLayout_t result = nullptr;
  check(cublasLtMatrixLayoutCreate(&result, type_of(dtype), static_cast<std::uint64_t>(columns),
                                   static_cast<std::uint64_t>(rows), columns),
        shape);
  if (shape.batch == 1) return result;
  const auto set = [&](cublasLtMatrixLayoutAttribute_t attribute, const auto& value) {
    check(cublasLtMatrixLayoutSetAttribute(result, attribute, &value, sizeof(value)), shape);
  };
  set(CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, static_cast<std::int32_t>(shape.batch));
  set(CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, stride);
  return result;
}

void describe(GemmPlan& plan, const GemmShape& s) {
  const bool wide = s.in == DType::f64;
  // Plain f32: TF32 would drop 13 bits without being asked.
  check(cublasLtMatmulDescCreate(&plan.operation, wide ? CUBLAS_COMPUTE_64F : CUBLAS_COMPUTE_32F,
                                 wide ? CUDA_R_64F : CUDA_R_32F),
        s);
  const auto transpose = [&](cublasLtMatmulDescAttributes_t attribute, bool flag) {
    const cublasOperation_t op = flag ? CUBLAS_OP_T : CUBLAS_OP_N;
    check(cublasLtMatmulDescSetAttribute(plan.operation, attribute, &op, sizeof(op)), s);
  };
  // yT = op(b)T op(a)T: the first operand is b.
  transpose(CUBLASLT_MATMUL_DESC_TRANSA, s.transpose_b);
  transpose(CUBLASLT_MATMUL_DESC_TRANSB, s.transpose_a);
  plan.a =
      s.transpose_a ? layout(s, s.in, s.k, s.m, s.stride_a) : layout(s, s.in, s.m, s.k, s.stride_a);
  plan.b =
      s.transpose_b ? layout(s, s.in, s.n, s.k, s.stride_b) : layout(s, s.in, s.k, s.n, s.stride_b);
  plan.y = layout(s, s.out, s.m, s.n, s.stride_y);
}

using Preference =
    std::unique_ptr<cublasLtMatmulPreferenceOpaque_t, decltype(&cublasLtMatmulPreferenceDestroy)>;

Preference preference_for(const GemmShape& shape) {
  cublasLtMatmulPreference_t created = nullptr;
  check(cublasLtMatmulPreferenceCreate(&created), shape);
  Preference preference(created, &cublasLtMatmulPreferenceDestroy);
  const auto set = [&](cublasLtMatmulPreferenceAttributes_t attribute, const auto& value) {
    check(cublasLtMatmulPreferenceSetAttribute(created, attribute, &value, sizeof(value)), shape);
  };
  set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
      std::uint64_t{32} << 20);  // what NVIDIA advises for Hopper
  // Parts of a split k are added in f32, never in a half's precision.
  set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
      std::uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
  // The default promises 256 bytes.
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, shape.align_b);
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, shape.align_a);
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, shape.align_y);
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, shape.align_y);
  return preference;
}

std::unique_ptr<GemmPlan> make_plan(const GemmShape& shape) {
  auto plan = std::make_unique<GemmPlan>();
  describe(*plan, shape);
  const Preference preference = preference_for(shape);
  int found = 0;
  const cublasStatus_t status =
      cublasLtMatmulAlgoGetHeuristic(handle_of(shape.device), plan->operation, plan->b, plan->a,
                                     plan->y, plan->y, preference.get(), 1, &plan->choice, &found);
  if (status == CUBLAS_STATUS_NOT_SUPPORTED || (status == CUBLAS_STATUS_SUCCESS && found == 0)) {
    throw Error(ErrorKind::unsupported,
                cat("matmul ", shape_text(shape), ": cuBLASLt has no algorithm"));
  }
  check(status, shape);
  return plan;
}

struct Plans {
  std::mutex mutex;
  std::map<GemmShape, std::unique_ptr<GemmPlan>> all;
};

}  // namespace

GemmPlan::~GemmPlan() {
  for (const cublasLtMatrixLayout_t one : {a, b, y}) {
    if (one != nullptr) static_cast<void>(cublasLtMatrixLayoutDestroy(one));
  }
  if (operation != nullptr) static_cast<void>(cublasLtMatmulDescDestroy(operation));
}

const GemmPlan& gemm_plan(const GemmShape& shape) {
  static Plans& plans = *new Plans;
  const std::lock_guard lock(plans.mutex);
  std::unique_ptr<GemmPlan>& plan = plans.all[shape];
  if (plan == nullptr) plan = make_plan(shape);
  return *plan;
}

void run_gemm(const GemmPlan& plan, const GemmShape& shape, const void* a, const void* b, void* y,
              bool accumulate, void* workspace, std::size_t workspace_bytes, void* stream) {
  const double one = 1, beta = accumulate ? 1 : 0;
  const float one_f = 1, beta_f = accumulate ? 1 : 0;
  const bool wide = shape.in == DType::f64;
  check(cublasLtMatmul(handle_of(shape.device), plan.operation,
                       wide ? static_cast<const void*>(&one) : &one_f, b, plan.b, a, plan.a,
                       wide ? static_cast<const void*>(&beta) : &beta_f, y, plan.y, y, plan.y,
                       &plan.choice.algo, workspace, workspace_bytes,
                       static_cast<cudaStream_t>(stream)),
        shape);
}

}  // namespace weft::cuda
