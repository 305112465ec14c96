// SPDX-License-Identifier: Apache-2.0
#include "cpu/clones.h"
#include "cpu/gemm.h"
#include "cpu/parallel.h"
#include "cpu/register.h"
#include "weft/op/attrs/conv.h"
#include "weft/op/registry.h"

namespace weft::cpu {
namespace {

/// Takes the pixel at `place` into the running maximum of each channel. A value wins over a smaller
/// one, a NaN over a number; later equals and NaNs do not.
template <class T>
WEFT_CLONES void take_pixel(const T* x, std::int32_t place, std::int64_t channels, T* best,
                            std::int32_t* index) {
  using A = AccOf<T>;
  for (std::int64_t c = 0; c < channels; ++c) {
    const A value = static_cast<A>(x[c]), old = static_cast<A>(best[c]);
    const bool wins = (value > old) | ((value != value) & (old == old));
    best[c] = wins ? x[c] : best[c];
    index[c] = wins ? place : index[c];
  }
}

/// The part of a window that lies within the image.
struct Window {
  std::int64_t begin, end;
  Window(std::int64_t i, std::int64_t stride, std::int64_t padding, std::int64_t kernel,
         std::int64_t extent)
      : begin(std::max<std::int64_t>(i * stride - padding, 0)),
        end(std::min(i * stride - padding + kernel, extent)) {}
};

/// One row of outputs. `index` is where the places go, all of one row or of one pixel when they are
/// not kept.
template <class T>
void pool_row(const MaxPool2dAttrs& a, const Shape& x, const T* image, std::int64_t row,
              std::int64_t columns, T* y, std::int32_t* index, bool keeps_index) {
  const std::int64_t width = x[2], channels = x[3];
  const Window down(row, a.stride_h, a.padding_h, a.kernel_h, x[1]);
  for (std::int64_t column = 0; column < columns; ++column) {
    const Window across(column, a.stride_w, a.padding_w, a.kernel_w, width);
    T* best = y + column * channels;
    std::int32_t* places = keeps_index ? index + column * channels : index;
    const std::int64_t first = down.begin * width + across.begin;
    std::copy_n(image + first * channels, channels, best);
    std::fill_n(places, channels, static_cast<std::int32_t>(first));
    for (std::int64_t h = down.begin; h < down.end; ++h) {
      for (std::int64_t w = across.begin; w < across.end; ++w) {
        const std::int64_t place = h * width + w;
        if (place != first)
          take_pixel(image + place * channels, static_cast<std::int32_t>(place), channels, best,
                     places);
      }
    }
  }
}

constexpr std::int64_t kGrain = 1 << 15;  // elements read by a chunk

template <class T>
void max_pool2d(const KernelArgs& args) {
  const auto& a = args.attrs<MaxPool2dAttrs>();
  const Shape &x = *args.in(0).shape, &y = *args.out().shape;
  if (args.out().numel == 0) return;
  const std::int64_t row = y[2] * y[3], rows = y[0] * y[1];
  const bool keeps_index = args.out(1).present();
  auto* index = keeps_index ? args.out(1).as<std::int32_t>()
                            : reinterpret_cast<std::int32_t*>(args.workspace);
  const std::int64_t together =
      std::max<std::int64_t>(1, kGrain / std::max<std::int64_t>(row * a.kernel_h * a.kernel_w, 1));
  parallel_for(rows, together, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const T* image = args.in(0).as<T>() + r / y[1] * x[1] * x[2] * x[3];
      std::int32_t* places = index + (keeps_index ? r * row : begin / together * x[3]);
      pool_row(a, x, image, r % y[1], y[2], args.out(0).as<T>() + r * row, places, keeps_index);
    }
  });
}

/// Without a kept index, places of one pixel for each chunk of `max_pool2d`.
std::size_t max_pool2d_workspace(const KernelArgs& args) {
  if (args.out(1).present()) return 0;
  const Shape& y = *args.out().shape;
  return static_cast<std::size_t>(y[0] * y[1] * y[3]) * sizeof(std::int32_t);
}

/// Windows may overlap: outputs of one image add in row order, in the accumulator type.
template <class T>
void max_pool2d_grad(const KernelArgs& args) {
  using A = AccOf<T>;
  const Shape &g = *args.in(0).shape, &dx = *args.out().shape;
  const std::int64_t channels = g[3], outputs = g[1] * g[2] * channels,
                     image = dx[1] * dx[2] * channels;
  const std::int64_t together =
      std::max<std::int64_t>(1, kGrain / std::max<std::int64_t>(image, 1));
  parallel_for(g[0], together, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      const T* from = args.in(0).as<T>() + n * outputs;
      const std::int32_t* places = args.in(1).as<std::int32_t>() + n * outputs;
      T* to = args.out().as<T>() + n * image;
      A* sums = reinterpret_cast<A*>(args.workspace) + n * image;
      if constexpr (std::is_same_v<A, T>) sums = to;
      std::fill_n(sums, image, A{0});
      for (std::int64_t i = 0; i < outputs; ++i)
        sums[places[i] * channels + i % channels] += static_cast<A>(from[i]);
      if constexpr (!std::is_same_v<A, T>) {
        for (std::int64_t i = 0; i < image; ++i) to[i] = static_cast<T>(sums[i]);
      }
    }
  });
}

std::size_t half_sums(const KernelArgs& args) {
  return static_cast<std::size_t>(args.out().numel) * sizeof(float);
}

template <class T>
void add_rows() {
  add_kernel("max_pool2d", DeviceKind::cpu, {dtype_of<T>},
             {.variant = "portable", .run = max_pool2d<T>, .workspace = max_pool2d_workspace});
  add_kernel("max_pool2d_grad", DeviceKind::cpu, {dtype_of<T>},
             {.variant = "portable",
              .run = max_pool2d_grad<T>,
              .workspace = is_half(dtype_of<T>) ? half_sums : nullptr});
}

}  // namespace

void register_max_pool() {
  add_rows<double>();
  add_rows<float>();
  add_rows<bf16>();
  add_rows<f16>();
}

}  // namespace weft::cpu
