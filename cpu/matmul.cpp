// SPDX-License-Identifier: Apache-2.0
#include "weft/op/attrs/matmul.h"

#include "cpu/gemm_engines.h"
#include "cpu/register.h"
#include "weft/op/registry.h"

namespace weft::cpu {
namespace {

/// A matmul as a batch of equal products; a `b` without leading dimensions is shared, and then all
/// rows of a make one product.
struct MatmulShape {
  std::int64_t batch = 1, m = 0, n = 0, k = 0;
  bool transpose_a = false, transpose_b = false;
  int lead = 0;
  Dims extents;           ///< of the batch
  Dims a_steps, b_steps;  ///< matrices to move per step of a batch dimension; 0 where broadcast

  explicit MatmulShape(const KernelArgs& args) {
    const auto& attrs = args.attrs<MatmulAttrs>();
    const Shape &a = *args.in(0).shape, &b = *args.in(1).shape, &y = *args.out().shape;
    transpose_a = attrs.transpose_a;
    transpose_b = attrs.transpose_b;
    m = y[y.rank() - 2];
    n = y[y.rank() - 1];
    k = a[a.rank() - (transpose_a ? 2 : 1)];
    if (b.rank() == 2 && !transpose_a) {
      m = y.numel(0, y.rank() - 1);
      return;
    }
    lead = y.rank() - 2;
    for (int i = 0; i < lead; ++i) extents.push_back(y[i]);
    batch = y.numel(0, lead);
    a_steps = steps(a);
    b_steps = steps(b);
  }

  std::int64_t a_matrix(std::int64_t i) const { return matrix(i, a_steps); }
  std::int64_t b_matrix(std::int64_t i) const { return matrix(i, b_steps); }

 private:
  Dims steps(const Shape& x) const {
    Dims result = extents;
    std::int64_t step = 1;
    for (int i = lead - 1; i >= 0; --i) {
      const int own = i - (lead - (x.rank() - 2));
      const std::int64_t extent = own < 0 ? 1 : x[own];
      result[i] = extent == 1 ? 0 : step;
      step *= extent;
    }
    return result;
  }
  std::int64_t matrix(std::int64_t i, const Dims& step) const {
    std::int64_t result = 0;
    for (int d = lead - 1; d >= 0; --d) {
      result += i % extents[d] * step[d];
      i /= extents[d];
    }
    return result;
  }
};

template <class X, class C>
Gemm<X, C> gemm_of(const MatmulShape& s, const X* a, const X* b, C* c, bool accumulate) {
  return {s.m,
          s.n,
          s.k,
          s.transpose_a,
          s.transpose_b,
          a,
          s.transpose_a ? s.m : s.k,
          b,
          s.transpose_b ? s.k : s.n,
          c,
          s.n,
          accumulate};
}

template <class Engine, class X, class C, class After>
void run_matmul(const MatmulShape& s, const X* a, const X* b, C* c, bool accumulate,
                After&& after) {
  products<Engine>(
      gemm_of(s, a, b, c, accumulate), s.batch,
      [&](Gemm<X, C>& g, std::int64_t i) {
        g.a += s.a_matrix(i) * s.m * s.k;
        g.b += s.b_matrix(i) * s.k * s.n;
        g.c += i * s.m * s.n;
      },
      after);
}

/// Into C, through f32 where the engine computes in f32 but the result is a half.
template <class Engine, class T, class C>
void matmul_into(const KernelArgs& args, Workspace workspace, C* c) {
  using X = typename Engine::template Compute<T>;
  const MatmulShape s(args);
  const X* a = operand<X>(args.in(0).as<T>(), args.in(0).numel, workspace);
  const X* b = operand<X>(args.in(1).as<T>(), args.in(1).numel, workspace);
  const bool accumulate = args.accumulates();
  if constexpr (std::is_same_v<X, C> || std::is_same_v<X, T>) {
    run_matmul<Engine>(s, a, b, c, accumulate, [](auto...) {});
  } else {
    X* sums = workspace.take<X>(args.out().numel);
    run_matmul<Engine>(
        s, a, b, sums, false,
        [&](std::int64_t i, std::int64_t row, std::int64_t column, std::int64_t rows,
            std::int64_t columns) {
          for (std::int64_t r = row; r < row + rows; ++r) {
            const std::int64_t at = (i * s.m + r) * s.n + column;
            for (std::int64_t q = at; q < at + columns; ++q) {
              c[q] = static_cast<C>(accumulate ? static_cast<X>(c[q]) + sums[q] : sums[q]);
            }
          }
        });
  }
}

template <class Engine, class T>
void matmul(const KernelArgs& args) {
  const Workspace workspace(args.workspace);
  with_output<T>(args.out(), [&]<class C>(C* c) { matmul_into<Engine, T>(args, workspace, c); });
}

template <class Engine, class T>
std::size_t matmul_workspace(const KernelArgs& args) {
  if constexpr (std::is_same_v<typename Engine::template Compute<T>, T>) {
    return 0;
  } else {
    Workspace counted;
    for (const TensorArg* arg : {&args.in(0), &args.in(1), &args.out()})
      counted.take<float>(arg->numel);
    return counted.used();
  }
}

template <class T>
void* prepare_matmul(const KernelArgs& args) {
  const MatmulShape s(args);
  const T* none = nullptr;
  with_output<T>(args.out(), [&](auto* c) {
    prepare_product<OneDnnEngine>(gemm_of(s, none, none, c, args.accumulates()));
  });
  return nullptr;
}

bool small_matmul_applies(const KernelArgs& args) {
  const MatmulShape s(args);
  return SmallEngine::applies(s.m, s.n, s.k);
}

template <class Engine, class T>
void add_row(KernelRow row) {
  row.run = matmul<Engine, T>;
  row.workspace = matmul_workspace<Engine, T>;
  add_kernel("matmul", DeviceKind::cpu, {dtype_of<T>}, row);
}

}  // namespace

void register_matmul() {
  add_row<SmallEngine, float>({.variant = "small", .applies = small_matmul_applies});
  if constexpr (onednn::kBuilt) {
    add_row<OneDnnEngine, float>({.variant = "onednn"});
    const KernelRow native{.variant = "onednn", .prepare = prepare_matmul<bf16>};
    if (onednn::bf16_is_fast()) add_row<OneDnnEngine, bf16>(native);
    add_row<OneDnnF32Engine, bf16>({.variant = "onednn_f32"});
    if (onednn::has_bf16() && !onednn::bf16_is_fast()) add_row<OneDnnEngine, bf16>(native);
    add_row<OneDnnF32Engine, f16>({.variant = "onednn_f32"});
  }
  add_row<PortableEngine, double>({.variant = "portable"});
  add_row<PortableEngine, float>({.variant = "portable"});
  add_row<PortableEngine, bf16>({.variant = "portable"});
  add_row<PortableEngine, f16>({.variant = "portable"});
}

}  // namespace weft::cpu
