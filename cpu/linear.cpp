// SPDX-License-Identifier: Apache-2.0
#include "cpu/clones.h"
#include "cpu/gemm_engines.h"
#include "cpu/register.h"
#include "weft/math/gelu.h"
#include "weft/op/attrs/matmul.h"
#include "weft/op/registry.h"

namespace weft::cpu {
namespace {

struct Relu {
  template <class A>
  [[gnu::always_inline]] static A value(A x) {
    return x < A{0} ? A{0} : x;
  }
  template <class A>
  [[gnu::always_inline]] static A slope(A y) {
    return y > A{0} ? A{1} : A{0};
  }
};
struct Gelu {
  template <class A>
  [[gnu::always_inline]] static A value(A x) {
    return math::gelu_erf(x);
  }
  template <class A>
  [[gnu::always_inline]] static A slope(A x) {
    return math::gelu_erf_derivative(x);
  }
};
struct GeluTanh {
  template <class A>
  [[gnu::always_inline]] static A value(A x) {
    return math::gelu_tanh(x);
  }
  template <class A>
  [[gnu::always_inline]] static A slope(A x) {
    return math::gelu_tanh_derivative(x);
  }
};
struct Identity {
  template <class A>
  [[gnu::always_inline]] static A value(A x) {
    return x;
  }
};

/// One row of results: y = activation(sums + bias), and the sum before it where it is kept. `sums`
/// may be y or before itself.
template <class Act, class T, class A>
WEFT_CLONES void finish_row(const A* sums, const T* bias, T* before, T* y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const A z = bias ? sums[i] + static_cast<A>(bias[i]) : sums[i];
    if (before) before[i] = static_cast<T>(z);
    y[i] = static_cast<T>(Act::value(z));
  }
}

/// dz = g * activation'(kept)
template <class Act, class T, class X>
WEFT_CLONES void activation_gradient(const T* g, const T* kept, X* dz, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    dz[i] =
        static_cast<X>(static_cast<AccOf<T>>(g[i]) * Act::slope(static_cast<AccOf<T>>(kept[i])));
  }
}

struct LinearShape {
  std::int64_t rows = 0, in = 0, out = 0;
};

LinearShape forward_shape(const KernelArgs& args) {
  const Shape& weight = *args.in(1).shape;
  return {args.in(0).shape->numel(0, args.in(0).shape->rank() - 1), weight[1], weight[0]};
}

template <class X, class C>
Gemm<X, C> forward_gemm(const LinearShape& s, const X* x, const X* weight, C* y) {
  return {s.rows, s.out, s.in, false, true, x, s.in, weight, s.in, y, s.out, false};
}

template <class Engine, class T>
inline constexpr bool kSumsApart = is_half(dtype_of<T>);

/// Halves sum into an f32 workspace; others into y, or into `before` where that is kept.
template <class Engine, class T, class Act>
void linear(const KernelArgs& args) {
  using X = typename Engine::template Compute<T>;
  using Acc = AccOf<T>;
  Workspace workspace(args.workspace);
  const LinearShape s = forward_shape(args);
  const X* x = operand<X>(args.in(0).as<T>(), args.in(0).numel, workspace);
  const X* weight = operand<X>(args.in(1).as<T>(), args.in(1).numel, workspace);
  const T* bias = args.in(2).present() ? args.in(2).as<T>() : nullptr;
  T* y = args.out(0).as<T>();
  T* before = args.outputs.size() > 1 && args.out(1).present() ? args.out(1).as<T>() : nullptr;
  Acc* sums = nullptr;
  if constexpr (kSumsApart<Engine, T>) {
    sums = workspace.take<Acc>(args.out(0).numel);
  } else {
    sums = before ? before : y;
  }
  const bool finished = std::is_same_v<Act, Identity> && !bias && !kSumsApart<Engine, T>;
  product<Engine>(forward_gemm(s, x, weight, sums), [&](std::int64_t row, std::int64_t column,
                                                        std::int64_t rows, std::int64_t columns) {
    if (finished) return;
    for (std::int64_t r = row; r < row + rows; ++r) {
      const std::int64_t at = r * s.out + column;
      finish_row<Act>(sums + at, bias ? bias + column : nullptr, before ? before + at : nullptr,
                      y + at, columns);
    }
  });
}

template <class Engine, class T>
void linear_gelu(const KernelArgs& args) {
  if (args.attrs<LinearGeluAttrs>().tanh) {
    linear<Engine, T, GeluTanh>(args);
  } else {
    linear<Engine, T, Gelu>(args);
  }
}

template <class Engine, class T>
std::size_t linear_workspace(const KernelArgs& args) {
  Workspace counted;
  if constexpr (!std::is_same_v<typename Engine::template Compute<T>, T>) {
    counted.take<float>(args.in(0).numel);
    counted.take<float>(args.in(1).numel);
  }
  if constexpr (kSumsApart<Engine, T>) counted.take<float>(args.out(0).numel);
  return counted.used();
}

void* prepare_linear(const KernelArgs& args) {
  prepare_product<OneDnnEngine>(
      forward_gemm<bf16, float>(forward_shape(args), nullptr, nullptr, nullptr));
  return nullptr;
}

LinearShape grad_shape(const KernelArgs& args) {
  const Shape& g = *args.in(0).shape;
  const TensorArg& operand = args.in(1).present() ? args.in(1) : args.in(2);
  return {g.numel(0, g.rank() - 1), operand.present() ? operand.shape->back() : 0, g.back()};
}

template <class X, class C>
Gemm<X, C> dx_gemm(const LinearShape& s, const X* g, const X* weight, C* dx) {
  return {s.rows, s.in, s.out, false, false, g, s.out, weight, s.in, dx, s.in, false};
}
template <class X, class C>
Gemm<X, C> dweight_gemm(const LinearShape& s, const X* g, const X* x, C* dweight, bool accumulate) {
  return {s.out, s.in, s.rows, true, false, g, s.out, x, s.in, dweight, s.in, accumulate};
}

/// The gradient before the activation, in the type the engine multiplies.
template <class X, class T>
const X* gradient_before(const KernelArgs& args, Workspace& workspace) {
  const auto activation = args.attrs<LinearGradAttrs>().activation;
  const TensorArg& g = args.in(0);
  if (activation == Activation::none) return operand<X>(g.as<T>(), g.numel, workspace);
  X* dz = workspace.take<X>(g.numel);
  if (dz == nullptr) return nullptr;
  const T* kept = args.in(3).as<T>();
  parallel_for(g.numel, kConvertGrain / 4, [&](std::int64_t begin, std::int64_t end) {
    const T* from = g.as<T>() + begin;
    switch (activation) {
      case Activation::relu:
        return activation_gradient<Relu>(from, kept + begin, dz + begin, end - begin);
      case Activation::gelu:
        return activation_gradient<Gelu>(from, kept + begin, dz + begin, end - begin);
      default:
        return activation_gradient<GeluTanh>(from, kept + begin, dz + begin, end - begin);
    }
  });
  return dz;
}

/// Runs g into a result of type C, through f32 sums where the engine computes in f32 but C is a
/// half.
template <class Engine, class X, class C, class Make>
void gradient_product(Make&& make, C* out, std::int64_t count, bool accumulate,
                      Workspace& workspace) {
  if constexpr (std::is_same_v<X, float> && is_half(dtype_of<C>)) {
    float* sums = workspace.take<float>(count);
    product<Engine>(make(sums, false));
    write_sums(sums, out, count, accumulate);
  } else {
    product<Engine>(make(out, accumulate));
  }
}

template <class Engine, class T>
void linear_grad(const KernelArgs& args) {
  using X = typename Engine::template Compute<T>;
  Workspace workspace(args.workspace);
  const LinearShape s = grad_shape(args);
  const X* g = gradient_before<X, T>(args, workspace);
  if (args.out(0).present()) {
    const X* weight = operand<X>(args.in(2).as<T>(), args.in(2).numel, workspace);
    gradient_product<Engine, X>([&](auto* to, bool) { return dx_gemm(s, g, weight, to); },
                                args.out(0).as<T>(), args.out(0).numel, false, workspace);
  }
  if (args.out(1).present()) {
    const X* x = operand<X>(args.in(1).as<T>(), args.in(1).numel, workspace);
    with_output<T>(args.out(1), [&](auto* out) {
      gradient_product<Engine, X>(
          [&](auto* to, bool accumulate) { return dweight_gemm(s, g, x, to, accumulate); }, out,
          args.out(1).numel, args.accumulates(1), workspace);
    });
  }
  if (args.out(2).present()) {
    with_output<T>(args.out(2),
                   [&](auto* out) { column_sums(g, s.rows, s.out, out, args.accumulates(2)); });
  }
}

template <class Engine, class T>
std::size_t linear_grad_workspace(const KernelArgs& args) {
  using X = typename Engine::template Compute<T>;
  constexpr bool converts = !std::is_same_v<X, T>;
  Workspace counted;
  if (converts || args.attrs<LinearGradAttrs>().activation != Activation::none)
    counted.take<X>(args.in(0).numel);
  for (std::size_t i : {0u, 1u}) {
    if (!converts || !args.out(i).present()) continue;
    counted.take<X>(args.in(2 - i).numel);
    counted.take<float>(args.out(i).numel);
  }
  return counted.used();
}

void* prepare_linear_grad(const KernelArgs& args) {
  const LinearShape s = grad_shape(args);
  const bf16* none = nullptr;
  if (args.out(0).present())
    prepare_product<OneDnnEngine>(dx_gemm<bf16, bf16>(s, none, none, nullptr));
  if (args.out(1).present()) {
    with_output<bf16>(args.out(1), [&](auto* out) {
      prepare_product<OneDnnEngine>(dweight_gemm(s, none, none, out, args.accumulates(1)));
    });
  }
  return nullptr;
}

bool small_linear_applies(const KernelArgs& args) {
  const LinearShape s = forward_shape(args);
  return SmallEngine::applies(s.rows, s.out, s.in);
}
bool small_linear_grad_applies(const KernelArgs& args) {
  const LinearShape s = grad_shape(args);
  return SmallEngine::applies(s.rows, s.out, s.in);
}

template <class Engine, class T>
void add_rows(KernelRow row, KernelRow grad) {
  const auto add = [](const char* op, KernelRow filled, KernelFn run, WorkspaceFn workspace) {
    filled.run = run;
    filled.workspace = workspace;
    add_kernel(op, DeviceKind::cpu, {dtype_of<T>}, filled);
  };
  add("linear", row, linear<Engine, T, Identity>, linear_workspace<Engine, T>);
  add("linear_relu", row, linear<Engine, T, Relu>, linear_workspace<Engine, T>);
  add("linear_gelu", row, linear_gelu<Engine, T>, linear_workspace<Engine, T>);
  add("linear_grad", grad, linear_grad<Engine, T>, linear_grad_workspace<Engine, T>);
}
template <class Engine, class T>
void add_rows(const char* variant) {
  add_rows<Engine, T>({.variant = variant}, {.variant = variant});
}

}  // namespace

void register_linear() {
  add_rows<SmallEngine, float>({.variant = "small", .applies = small_linear_applies},
                               {.variant = "small", .applies = small_linear_grad_applies});
  if constexpr (onednn::kBuilt) {
    add_rows<OneDnnEngine, float>("onednn");
    const KernelRow native{.variant = "onednn", .prepare = prepare_linear};
    const KernelRow native_grad{.variant = "onednn", .prepare = prepare_linear_grad};
    if (onednn::bf16_is_fast()) add_rows<OneDnnEngine, bf16>(native, native_grad);
    add_rows<OneDnnF32Engine, bf16>("onednn_f32");
    if (onednn::has_bf16() && !onednn::bf16_is_fast()) {
      add_rows<OneDnnEngine, bf16>(native, native_grad);
    }
    add_rows<OneDnnF32Engine, f16>("onednn_f32");
  }
  add_rows<PortableEngine, double>("portable");
  add_rows<PortableEngine, float>("portable");
  add_rows<PortableEngine, bf16>("portable");
  add_rows<PortableEngine, f16>("portable");
}

}  // namespace weft::cpu
