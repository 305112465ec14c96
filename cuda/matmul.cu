// SPDX-License-Identifier: Apache-2.0
#include "cuda/blas.h"
#include "cuda/common.cuh"
#include "weft/op/attrs/matmul.h"
#include "weft/op/registry.h"

namespace weft::cuda {

namespace {

/// A batched product whose leading dimensions may broadcast: as few cuBLASLt calls as its strides
/// allow.
struct Product {
  GemmShape gemm;
  int lead_rank = 0;
  std::int64_t lead[kMaxRank];
  std::int64_t step_a[kMaxRank], step_b[kMaxRank];  ///< in matrices; 0 where the operand repeats
  std::int64_t loops = 1;                           ///< calls

  explicit Product(const KernelArgs& args);

 private:
  void set_alignment(const KernelArgs& args);
};

Product::Product(const KernelArgs& args) {
  const auto& attrs = args.attrs<MatmulAttrs>();
  const Shape& a = *args.in(0).shape;
  const Shape& b = *args.in(1).shape;
  const Shape& y = *args.out().shape;
  gemm = {.device = args.stream.device.index,
          .m = y[y.rank() - 2],
          .n = y[y.rank() - 1],
          .k = a[a.rank() - (attrs.transpose_a ? 2 : 1)],
          .transpose_a = attrs.transpose_a,
          .transpose_b = attrs.transpose_b,
          .in = args.in(0).dtype,
          .out = args.out().dtype};
  lead_rank = y.rank() - 2;
  std::int64_t matrices_a = 1;
  std::int64_t matrices_b = 1;
  for (int d = lead_rank - 1; d >= 0; --d) {
    const int at_a = d - lead_rank + a.rank() - 2;
    const int at_b = d - lead_rank + b.rank() - 2;
    const std::int64_t own_a = at_a >= 0 ? a[at_a] : 1;
    const std::int64_t own_b = at_b >= 0 ? b[at_b] : 1;
    lead[d] = y[d];
    step_a[d] = own_a == 1 ? 0 : matrices_a;
    step_b[d] = own_b == 1 ? 0 : matrices_b;
    matrices_a *= own_a;
    matrices_b *= own_b;
  }
  const std::int64_t total = y.numel(0, lead_rank);
  const auto regular = [&](std::int64_t matrices) { return matrices == total || matrices == 1; };
  if (matrices_b == 1 && !gemm.transpose_a) {
    gemm.m *= total;  // rows of all batches stand one below the other
  } else if (regular(matrices_a) && regular(matrices_b)) {
    gemm.batch = total;
    gemm.stride_a = matrices_a == 1 ? 0 : gemm.m * gemm.k;
    gemm.stride_b = matrices_b == 1 ? 0 : gemm.k * gemm.n;
    gemm.stride_y = gemm.m * gemm.n;
  } else {
    loops = total;
  }
  set_alignment(args);
}

/// At most 64: what a replayed step keeps when it moves its tensors.
void Product::set_alignment(const KernelArgs& args) {
  const auto alignment = [&](const TensorArg& arg, std::int64_t matrix) {
    auto bits = reinterpret_cast<std::uintptr_t>(arg.data) | 64u;
    if (gemm.batch > 1 || loops > 1)
      bits |= static_cast<std::uintptr_t>(matrix) * size_of(arg.dtype);
    return static_cast<std::uint32_t>(bits & (~bits + 1));
  };
  gemm.align_a = alignment(args.in(0), gemm.m * gemm.k);
  gemm.align_b = alignment(args.in(1), gemm.k * gemm.n);
  gemm.align_y = alignment(args.out(), gemm.m * gemm.n);
}

std::size_t matmul_workspace(const KernelArgs& args) {
  return args.plan == nullptr ? 0 : static_cast<const GemmPlan*>(args.plan)->choice.workspaceSize;
}

void* prepare_matmul(const KernelArgs& args) {
  if (args.out().numel == 0) return nullptr;
  const OnDevice on(args.stream.device.index);
  const Product product(args);
  return product.gemm.k == 0 ? nullptr : const_cast<GemmPlan*>(&gemm_plan(product.gemm));
}

void matmul(const KernelArgs& args) {
  const TensorArg& y = args.out();
  if (y.numel == 0) return;
  const Product product(args);
  const GemmShape& gemm = product.gemm;
  if (gemm.k == 0) {
    // A sum of nothing.
    if (args.accumulates()) return;
    const auto bytes = static_cast<std::size_t>(y.numel) * size_of(y.dtype);
    check(cudaMemsetAsync(y.data, 0, bytes, stream_of(args)), args.op);
    return;
  }
  const OnDevice on(args.stream.device.index);
  const GemmPlan& plan = *static_cast<const GemmPlan*>(args.plan);
  const std::size_t in_bytes = size_of(gemm.in);
  for (std::int64_t i = 0; i < product.loops; ++i) {
    std::int64_t at_a = 0;
    std::int64_t at_b = 0;
    std::int64_t rest = product.loops > 1 ? i : 0;
    for (int d = product.lead_rank - 1; d >= 0; --d) {
      at_a += rest % product.lead[d] * product.step_a[d];
      at_b += rest % product.lead[d] * product.step_b[d];
      rest /= product.lead[d];
    }
    const std::byte* a =
        args.in(0).data + static_cast<std::size_t>(at_a * gemm.m * gemm.k) * in_bytes;
    const std::byte* b =
        args.in(1).data + static_cast<std::size_t>(at_b * gemm.k * gemm.n) * in_bytes;
    std::byte* out = y.data + static_cast<std::size_t>(i * gemm.m * gemm.n) * size_of(gemm.out);
    run_gemm(plan, gemm, a, b, out, args.accumulates(), args.workspace, args.workspace_bytes,
             args.stream.handle);
  }
}

}  // namespace

void register_matmul() {
  add_kernel("matmul", DeviceKind::cuda, {DType::f64, DType::f32, DType::bf16, DType::f16},
             {.variant = "cublaslt",
              .run = matmul,
              .prepare = prepare_matmul,
              .workspace = matmul_workspace});
}

}  // namespace weft::cuda
