// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <type_traits>

#include "cpu/broadcast.h"
#include "cpu/clones.h"
#include "cpu/convert.h"
#include "cpu/parallel.h"
#include "cpu/register.h"
#include "weft/math/gelu.h"
#include "weft/op/attrs/pointwise.h"
#include "weft/op/registry.h"

namespace weft::cpu {

namespace {

constexpr std::int64_t kGrain = 65536;
/// Halves are widened by the block; a short repeated operand is laid out over one block.
constexpr std::int64_t kBlock = 1024;

/// What T is computed in.
template <class T>
using Compute = std::conditional_t<std::is_same_v<T, bf16> || std::is_same_v<T, f16>, float, T>;

/// Integers wrap around.
template <class T>
using Wrapping = typename std::conditional_t<std::is_integral_v<T>, std::make_unsigned<T>,
                                             std::type_identity<T>>::type;

struct Add {
  template <class T>
  static T apply(T a, T b) {
    return static_cast<T>(static_cast<Wrapping<T>>(a) + static_cast<Wrapping<T>>(b));
  }
};
struct Sub {
  template <class T>
  static T apply(T a, T b) {
    return static_cast<T>(static_cast<Wrapping<T>>(a) - static_cast<Wrapping<T>>(b));
  }
};
struct Mul {
  template <class T>
  static T apply(T a, T b) {
    return static_cast<T>(static_cast<Wrapping<T>>(a) * static_cast<Wrapping<T>>(b));
  }
};
struct Div {
  template <class T>
  static T apply(T a, T b) {
    return a / b;
  }
};
struct ReluGrad {
  template <class T>
  static T apply(T g, T y) {
    return y <= T{0} ? T{0} : g;
  }
};
struct GeluErfGrad {
  template <class T>
  static T apply(T g, T x) {
    return g * math::gelu_erf_derivative(x);
  }
};
struct GeluTanhGrad {
  template <class T>
  static T apply(T g, T x) {
    return g * math::gelu_tanh_derivative(x);
  }
};

struct Relu {
  template <class T>
  static T apply(T x) {
    return x < T{0} ? T{0} : x;
  }
};
struct GeluErf {
  template <class T>
  static T apply(T x) {
    return math::gelu_erf(x);
  }
};
struct GeluTanh {
  template <class T>
  static T apply(T x) {
    return math::gelu_tanh(x);
  }
};

// y may be one of the operands (gradients are added in place), never a shifted one: hence ivdep.
template <class Op, class T>
WEFT_CLONES void loop(T* y, const T* x, std::int64_t n) {
#pragma GCC ivdep
  for (std::int64_t i = 0; i < n; ++i) y[i] = Op::apply(x[i]);
}
template <class Op, class T>
WEFT_CLONES void loop_both(T* y, const T* a, const T* b, std::int64_t n) {
#pragma GCC ivdep
  for (std::int64_t i = 0; i < n; ++i) y[i] = Op::apply(a[i], b[i]);
}
template <class Op, class T>
WEFT_CLONES void loop_right(T* y, const T* a, T b, std::int64_t n) {
#pragma GCC ivdep
  for (std::int64_t i = 0; i < n; ++i) y[i] = Op::apply(a[i], b);
}
template <class Op, class T>
WEFT_CLONES void loop_left(T* y, T a, const T* b, std::int64_t n) {
#pragma GCC ivdep
  for (std::int64_t i = 0; i < n; ++i) y[i] = Op::apply(a, b[i]);
}

/// The loops of one op over C, the compute type, and how elements of T get into them.
template <class C>
struct Loops {
  void (*both)(C*, const C*, const C*, std::int64_t);
  void (*right)(C*, const C*, C, std::int64_t);
  void (*left)(C*, C, const C*, std::int64_t);

  template <class T>
  void run_both(T* y, const T* a, const T* b, std::int64_t n) const {
    if constexpr (std::is_same_v<T, C>) {
      both(y, a, b, n);
    } else {
      C wide_a[kBlock], wide_b[kBlock];
      for (std::int64_t i = 0; i < n; i += kBlock) {
        const std::int64_t m = std::min(kBlock, n - i);
        widen(a + i, wide_a, m);
        widen(b + i, wide_b, m);
        both(wide_a, wide_a, wide_b, m);
        narrow(wide_a, y + i, m);
      }
    }
  }

  template <class T>
  void run_right(T* y, const T* a, C b, std::int64_t n) const {
    if constexpr (std::is_same_v<T, C>) {
      right(y, a, b, n);
    } else {
      in_blocks(y, a, n, [&](C* block, std::int64_t m) { right(block, block, b, m); });
    }
  }

  template <class T>
  void run_left(T* y, C a, const T* b, std::int64_t n) const {
    if constexpr (std::is_same_v<T, C>) {
      left(y, a, b, n);
    } else {
      in_blocks(y, b, n, [&](C* block, std::int64_t m) { left(block, a, block, m); });
    }
  }

  /// `fn` on x widened block by block, its result narrowed into y.
  template <class T, class F>
  static void in_blocks(T* y, const T* x, std::int64_t n, const F& fn) {
    C block[kBlock];
    for (std::int64_t i = 0; i < n; i += kBlock) {
      const std::int64_t m = std::min(kBlock, n - i);
      widen(x + i, block, m);
      fn(block, m);
      narrow(block, y + i, m);
    }
  }
};

template <class Op, class C>
constexpr Loops<C> kLoops{loop_both<Op, C>, loop_right<Op, C>, loop_left<Op, C>};

template <class T>
void with_scalar(const KernelArgs& args, const BinaryAttrs& attrs, const Loops<Compute<T>>& loops) {
  const bool left = attrs.side == ScalarSide::left;
  const auto scalar = static_cast<Compute<T>>(attrs.scalar);
  const T* x = args.in(left ? 1 : 0).as<T>();
  T* y = args.out().as<T>();
  parallel_for(args.out().numel, kGrain, [&](std::int64_t begin, std::int64_t end) {
    if (left) {
      loops.run_left(y + begin, scalar, x + begin, end - begin);
    } else {
      loops.run_right(y + begin, x + begin, scalar, end - begin);
    }
  });
}

template <class T>
void same_shape(const KernelArgs& args, const Loops<Compute<T>>& loops) {
  const T* a = args.in(0).as<T>();
  const T* b = args.in(1).as<T>();
  T* y = args.out().as<T>();
  parallel_for(args.out().numel, kGrain, [&](std::int64_t begin, std::int64_t end) {
    loops.run_both(y + begin, a + begin, b + begin, end - begin);
  });
}

/// Rows of `inner` elements of which operand `repeated` is the same short row every time ([N, C]
/// and [C]): laid out once over a block, so that the loops run over blocks and not over C elements.
template <class T>
void short_rows(const KernelArgs& args, std::size_t repeated, std::int64_t rows, std::int64_t inner,
                const Loops<Compute<T>>& loops) {
  T block[kBlock];
  const std::int64_t fit = kBlock / inner;
  for (std::int64_t i = 0; i < fit; ++i) {
    std::copy_n(args.in(repeated).as<T>(), inner, block + i * inner);
  }
  const T* x = args.in(1 - repeated).as<T>();
  T* y = args.out().as<T>();
  parallel_for(rows, std::max<std::int64_t>(fit, kGrain / inner),
               [&](std::int64_t first, std::int64_t last) {
                 for (std::int64_t row = first; row < last; row += fit) {
                   const std::int64_t at = row * inner;
                   const std::int64_t n = std::min(fit, last - row) * inner;
                   if (repeated == 1) {
                     loops.run_both(y + at, x + at, block, n);
                   } else {
                     loops.run_both(y + at, block, x + at, n);
                   }
                 }
               });
}

template <class T>
void broadcasting(const KernelArgs& args, const Loops<Compute<T>>& loops) {
  const BroadcastPlan<2> plan(*args.out().shape, {args.in(0).shape, args.in(1).shape});
  const std::int64_t rows = plan.rows();
  const std::int64_t inner = plan.inner();
  const bool repeats[] = {plan.inner_stride(0) == 0, plan.inner_stride(1) == 0};
  if (plan.rank == 2 && inner <= kBlock / 4 && !repeats[0] && !repeats[1] && args.out().numel > 0) {
    return short_rows<T>(args, plan.strides[0][0] == 0 ? 0 : 1, rows, inner, loops);
  }
  const T* a = args.in(0).as<T>();
  const T* b = args.in(1).as<T>();
  T* y = args.out().as<T>();
  for_rows(rows, inner, kGrain, [&](std::int64_t row, std::int64_t begin, std::int64_t end) {
    const T* row_a = a + plan.offset(0, row);
    const T* row_b = b + plan.offset(1, row);
    T* row_y = y + row * inner + begin;
    if (repeats[1]) {
      loops.run_right(row_y, row_a + begin, static_cast<Compute<T>>(*row_b), end - begin);
    } else if (repeats[0]) {
      loops.run_left(row_y, static_cast<Compute<T>>(*row_a), row_b + begin, end - begin);
    } else {
      loops.run_both(row_y, row_a + begin, row_b + begin, end - begin);
    }
  });
}

template <class T, class Op>
void arithmetic(const KernelArgs& args) {
  const auto& attrs = args.attrs<BinaryAttrs>();
  const std::int64_t n = args.out().numel;
  if (attrs.side != ScalarSide::none) {
    with_scalar<T>(args, attrs, kLoops<Op, Compute<T>>);
  } else if (args.in(0).numel != n || args.in(1).numel != n) {
    broadcasting<T>(args, kLoops<Op, Compute<T>>);
  } else if (n > kGrain || sizeof(T) == 2) {
    same_shape<T>(args, kLoops<Op, Compute<T>>);
  } else if constexpr (sizeof(T) != 2) {
    loop_both<Op>(args.out().as<T>(), args.in(0).as<T>(), args.in(1).as<T>(), n);
  }
}

template <class T, class Op>
void unary(const KernelArgs& args) {
  using C = Compute<T>;
  const T* x = args.in(0).as<T>();
  T* y = args.out().as<T>();
  parallel_for(args.out().numel, kGrain, [&](std::int64_t begin, std::int64_t end) {
    if constexpr (std::is_same_v<T, C>) {
      loop<Op>(y + begin, x + begin, end - begin);
    } else {
      Loops<C>::in_blocks(y + begin, x + begin, end - begin,
                          [](C* block, std::int64_t m) { loop<Op>(block, block, m); });
    }
  });
}

template <class T, class Op>
void slope(const KernelArgs& args) {
  same_shape<T>(args, {.both = loop_both<Op, Compute<T>>, .right = nullptr, .left = nullptr});
}

template <class T>
void gelu(const KernelArgs& args) {
  args.attrs<GeluAttrs>().tanh ? unary<T, GeluTanh>(args) : unary<T, GeluErf>(args);
}

template <class T>
void gelu_grad(const KernelArgs& args) {
  args.attrs<GeluAttrs>().tanh ? slope<T, GeluTanhGrad>(args) : slope<T, GeluErfGrad>(args);
}

void add_row(const char* op, DType dtype, KernelFn run) {
  add_kernel(op, DeviceKind::cpu, {dtype}, {.variant = "portable", .run = run});
}

template <class T>
void add_number_rows() {
  add_row("add", dtype_of<T>, arithmetic<T, Add>);
  add_row("sub", dtype_of<T>, arithmetic<T, Sub>);
  add_row("mul", dtype_of<T>, arithmetic<T, Mul>);
}

template <class T>
void add_floating_rows() {
  add_number_rows<T>();
  add_row("div", dtype_of<T>, arithmetic<T, Div>);
  add_row("relu", dtype_of<T>, unary<T, Relu>);
  add_row("relu_grad", dtype_of<T>, slope<T, ReluGrad>);
  add_row("gelu", dtype_of<T>, gelu<T>);
  add_row("gelu_grad", dtype_of<T>, gelu_grad<T>);
}

}  // namespace

void register_pointwise() {
  add_floating_rows<double>();
  add_floating_rows<float>();
  add_floating_rows<bf16>();
  add_floating_rows<f16>();
  add_number_rows<std::int64_t>();
  add_number_rows<std::int32_t>();
  add_number_rows<std::uint8_t>();
}

}  // namespace weft::cpu
