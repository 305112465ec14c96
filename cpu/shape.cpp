// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>

#include "cpu/broadcast.h"
#include "cpu/parallel.h"
#include "cpu/register.h"
#include "weft/op/attrs/shape.h"
#include "weft/op/registry.h"

// Ops that move elements without looking at them: kernels know their size, not their type.
namespace weft::cpu {

namespace {

constexpr std::int64_t kGrain = 65536;
constexpr std::int64_t kGrainBytes = 262144;

/// `rows` runs of `bytes`, each run `stride` bytes after the one before.
struct Runs {
  std::byte* data;
  std::int64_t stride;
};

void copy_runs(Runs to, Runs from, std::int64_t rows, std::int64_t bytes) {
  for_rows(rows, bytes, kGrainBytes, [&](std::int64_t row, std::int64_t begin, std::int64_t end) {
    std::memcpy(to.data + row * to.stride + begin, from.data + row * from.stride + begin,
                static_cast<std::size_t>(end - begin));
  });
}

/// A tensor as `rows` runs along `dim`; `step` is the bytes of one index of `dim`.
struct Along {
  std::int64_t rows;
  std::int64_t step;
  std::int64_t extent;

  Along(const TensorArg& x, std::int64_t dim) {
    const int d = static_cast<int>(dim < 0 ? dim + x.shape->rank() : dim);
    rows = x.shape->numel(0, d);
    step = x.shape->numel(d + 1, x.shape->rank()) * static_cast<std::int64_t>(size_of(x.dtype));
    extent = (*x.shape)[d];
  }
  std::int64_t run() const { return extent * step; }
};

void concat(const KernelArgs& args) {
  const std::int64_t dim = args.attrs<ConcatAttrs>().dim;
  const Along y(args.out(), dim);
  std::byte* target = args.out().data;
  for (const TensorArg& part : args.list(0)) {
    const Along x(part, dim);
    copy_runs({target, y.run()}, {part.data, x.run()}, x.rows, x.run());
    target += x.run();
  }
}

void narrow(const KernelArgs& args) {
  const auto& attrs = args.attrs<NarrowAttrs>();
  const Along x(args.in(0), attrs.dim);
  const Along y(args.out(), attrs.dim);
  copy_runs({args.out().data, y.run()}, {args.in(0).data + attrs.start * x.step, x.run()}, y.rows,
            y.run());
}

void narrow_grad(const KernelArgs& args) {
  const auto& attrs = args.attrs<NarrowGradAttrs>();
  const Along g(args.in(0), attrs.dim);
  const Along dx(args.out(), attrs.dim);
  const std::int64_t before = attrs.start * dx.step;
  for_rows(dx.rows, dx.run(), kGrainBytes,
           [&](std::int64_t row, std::int64_t begin, std::int64_t end) {
             std::memset(args.out().data + row * dx.run() + begin, 0,
                         static_cast<std::size_t>(end - begin));
           });
  copy_runs({args.out().data + before, dx.run()}, {args.in(0).data, g.run()}, g.rows, g.run());
}

template <class T>
void broadcast_elements(const KernelArgs& args) {
  const BroadcastPlan<1> plan(*args.out().shape, {args.in(0).shape});
  const T* x = args.in(0).as<T>();
  T* y = args.out().as<T>();
  const std::int64_t inner = plan.inner();
  for_rows(plan.rows(), inner, kGrain, [&](std::int64_t row, std::int64_t begin, std::int64_t end) {
    const T* from = x + plan.offset(0, row);
    T* to = y + row * inner;
    if (plan.inner_stride(0) == 0) {
      std::fill(to + begin, to + end, *from);
    } else {
      std::copy(from + begin, from + end, to + begin);
    }
  });
}

void broadcast_to(const KernelArgs& args) {
  switch (size_of(args.out().dtype)) {
    case 1:
      return broadcast_elements<std::uint8_t>(args);
    case 2:
      return broadcast_elements<std::uint16_t>(args);
    case 4:
      return broadcast_elements<std::uint32_t>(args);
    default:
      return broadcast_elements<std::uint64_t>(args);
  }
}

void add_rows(const char* op, KernelFn run) {
  add_kernel(op, DeviceKind::cpu,
             {DType::f64, DType::f32, DType::bf16, DType::f16, DType::i64, DType::i32, DType::u8,
              DType::boolean},
             {.variant = "portable", .run = run});
}

}  // namespace

void register_shape() {
  add_rows("concat", concat);
  add_rows("narrow", narrow);
  add_rows("narrow_grad", narrow_grad);
  add_rows("broadcast_to", broadcast_to);
}

}  // namespace weft::cpu
