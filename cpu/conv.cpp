// SPDX-License-Identifier: Apache-2.0
// The convolution that is always there: windows as rows of a matrix, a block at a time, times the
// weight.
#include "cpu/conv_shape.h"
#include "cpu/gemm_engines.h"
#include "cpu/register.h"
#include "weft/op/registry.h"

namespace weft::cpu {
namespace {

/// Output positions of one image that are handled together: their windows take about 256 KiB of
/// f32.
std::int64_t block_of(const ConvShape& s) {
  const std::int64_t fitting = 65536 / std::max<std::int64_t>(s.depth(), 1);
  return std::clamp(fitting, std::int64_t{16}, std::max<std::int64_t>(s.positions(), 16));
}

/// Calls `visit(position - first, place in the window, pixel)` for all places of the windows of
/// positions [first, first + count); `pixel` is the offset of the input pixel, or -1 in the
/// padding.
template <class Visit>
void visit_windows(const ConvShape& s, std::int64_t first, std::int64_t count, Visit&& visit) {
  for (std::int64_t p = 0; p < count; ++p) {
    const std::int64_t top = (first + p) / s.ow * s.stride_h - s.padding_h;
    const std::int64_t left = (first + p) % s.ow * s.stride_w - s.padding_w;
    for (std::int64_t kh = 0; kh < s.kh; ++kh) {
      const std::int64_t row = top + kh * s.dilation_h;
      for (std::int64_t kw = 0; kw < s.kw; ++kw) {
        const std::int64_t column = left + kw * s.dilation_w;
        const bool inside = row >= 0 && row < s.h && column >= 0 && column < s.w;
        visit(p, kh * s.kw + kw, inside ? (row * s.w + column) * s.c : -1);
      }
    }
  }
}

/// Windows of group `group` as rows [count, depth].
template <class T>
void gather_windows(const ConvShape& s, const T* image, std::int64_t group, std::int64_t first,
                    std::int64_t count, T* windows) {
  const std::int64_t channels = s.group_inputs(), depth = s.depth();
  visit_windows(s, first, count, [&](std::int64_t p, std::int64_t place, std::int64_t pixel) {
    T* to = windows + p * depth + place * channels;
    if (pixel < 0) {
      std::fill_n(to, channels, T{});
    } else {
      std::copy_n(image + pixel + group * channels, channels, to);
    }
  });
}

/// The reverse: adds rows [count, depth] to the pixels they came from.
template <class A>
void scatter_windows(const ConvShape& s, const A* windows, std::int64_t group, std::int64_t first,
                     std::int64_t count, A* image) {
  const std::int64_t channels = s.group_inputs(), depth = s.depth();
  visit_windows(s, first, count, [&](std::int64_t p, std::int64_t place, std::int64_t pixel) {
    if (pixel < 0) return;
    const A* from = windows + p * depth + place * channels;
    A* to = image + pixel + group * channels;
    for (std::int64_t i = 0; i < channels; ++i) to[i] += from[i];
  });
}

/// Blocks of positions over all images, shared out evenly to pieces.
struct Blocks {
  std::int64_t size, per_image, count, pieces;

  Blocks(const ConvShape& s, std::int64_t most_pieces)
      : size(block_of(s)),
        per_image((s.positions() + size - 1) / size),
        count(per_image * s.n),
        pieces(s.pieces(std::min(count, most_pieces))) {}

  /// Calls `visit(image, first position, positions)` for the blocks of piece `i`.
  template <class Visit>
  void run(const ConvShape& s, std::int64_t i, Visit&& visit) const {
    for (std::int64_t block = count * i / pieces; block < count * (i + 1) / pieces; ++block) {
      const std::int64_t first = block % per_image * size;
      visit(block / per_image, first, std::min(size, s.positions() - first));
    }
  }
};

constexpr std::int64_t kForwardPieces = 16;
constexpr std::int64_t kWeightPieces = 8;  // each has its own sum of the whole weight

/// Memory of one piece of a forward pass.
template <class T>
struct ForwardScratch {
  T* windows;
  AccOf<T>* sums;
  ForwardScratch(const ConvShape& s, std::int64_t block, Workspace& workspace)
      : windows(workspace.take<T>(block * s.depth())),
        sums(workspace.take<AccOf<T>>(block * s.group_outputs())) {}
};

/// Of one piece of the gradient of x. Halves sum a whole image in f32 before they round.
template <class T>
struct DataScratch {
  AccOf<T>*windows, *image = nullptr;
  DataScratch(const ConvShape& s, std::int64_t block, Workspace& workspace)
      : windows(workspace.take<AccOf<T>>(block * s.depth())) {
    if constexpr (is_half(dtype_of<T>)) image = workspace.take<float>(s.image());
  }
};

/// Of one piece of the gradient of weight. The sums come last, all pieces together.
template <class T>
struct WeightScratch {
  T* windows;
  WeightScratch(const ConvShape& s, std::int64_t block, Workspace& workspace)
      : windows(workspace.take<T>(block * s.depth())) {}
};

template <class Scratch>
std::size_t piece_bytes(const ConvShape& s) {
  Workspace counted;
  Scratch(s, block_of(s), counted);
  return counted.used();
}

template <class Scratch>
Scratch piece_of(const ConvShape& s, std::byte* base, std::int64_t i) {
  Workspace own(base + static_cast<std::size_t>(i) * piece_bytes<Scratch>(s));
  return Scratch(s, block_of(s), own);
}

template <class T>
void conv2d(const KernelArgs& args) {
  const ConvShape s = forward_shape(args, dtype_of<T>);
  const T *x = args.in(0).as<T>(), *weight = args.in(1).as<T>();
  const T* bias = args.in(2).present() ? args.in(2).as<T>() : nullptr;
  T* y = args.out().as<T>();
  const Blocks blocks(s, kForwardPieces);
  const std::int64_t outputs = s.group_outputs(), depth = s.depth();
  parallel_chunks(blocks.pieces, [&](std::int64_t i) {
    const auto scratch = piece_of<ForwardScratch<T>>(s, args.workspace, i);
    blocks.run(s, i, [&](std::int64_t image, std::int64_t first, std::int64_t count) {
      for (std::int64_t group = 0; group < s.groups; ++group) {
        gather_windows(s, x + image * s.image(), group, first, count, scratch.windows);
        portable_gemm(Gemm<T, AccOf<T>>{count, outputs, depth, false, true, scratch.windows, depth,
                                        weight + group * outputs * depth, depth, scratch.sums,
                                        outputs, false});
        for (std::int64_t p = 0; p < count; ++p) {
          T* to = y + (image * s.positions() + first + p) * s.o + group * outputs;
          for (std::int64_t o = 0; o < outputs; ++o) {
            const AccOf<T> shift =
                bias ? static_cast<AccOf<T>>(bias[group * outputs + o]) : AccOf<T>{0};
            to[o] = static_cast<T>(scratch.sums[p * outputs + o] + shift);
          }
        }
      }
    });
  });
}

template <class T>
std::size_t conv2d_workspace(const KernelArgs& args) {
  const ConvShape s = forward_shape(args, dtype_of<T>);
  return static_cast<std::size_t>(Blocks(s, kForwardPieces).pieces) *
         piece_bytes<ForwardScratch<T>>(s);
}

std::int64_t data_pieces(const ConvShape& s) {
  return s.pieces(std::min<std::int64_t>(s.n, kForwardPieces));
}

/// An image is one piece's own: its windows overlap.
template <class T>
void conv2d_dx(const ConvShape& s, const T* g, const T* weight, T* dx, std::byte* workspace) {
  using Acc = AccOf<T>;
  const std::int64_t pieces = data_pieces(s), block = block_of(s), outputs = s.group_outputs(),
                     depth = s.depth();
  parallel_chunks(pieces, [&](std::int64_t i) {
    const auto scratch = piece_of<DataScratch<T>>(s, workspace, i);
    for (std::int64_t image = s.n * i / pieces; image < s.n * (i + 1) / pieces; ++image) {
      Acc* sums = scratch.image;
      if constexpr (!is_half(dtype_of<T>)) sums = dx + image * s.image();
      std::fill_n(sums, s.image(), Acc{0});
      for (std::int64_t first = 0; first < s.positions(); first += block) {
        const std::int64_t count = std::min(block, s.positions() - first);
        for (std::int64_t group = 0; group < s.groups; ++group) {
          portable_gemm(Gemm<T, Acc>{count, depth, outputs, false, false,
                                     g + (image * s.positions() + first) * s.o + group * outputs,
                                     s.o, weight + group * outputs * depth, depth, scratch.windows,
                                     depth, false});
          scatter_windows(s, scratch.windows, group, first, count, sums);
        }
      }
      if constexpr (is_half(dtype_of<T>)) narrow(sums, dx + image * s.image(), s.image());
    }
  });
}

template <class T, class C>
void conv2d_dweight(const ConvShape& s, const T* g, const T* x, C* dweight, bool accumulate,
                    std::byte* workspace) {
  using Acc = AccOf<T>;
  const Blocks blocks(s, kWeightPieces);
  const std::int64_t outputs = s.group_outputs(), depth = s.depth();
  auto* sums = reinterpret_cast<Acc*>(workspace + static_cast<std::size_t>(blocks.pieces) *
                                                      piece_bytes<WeightScratch<T>>(s));
  parallel_chunks(blocks.pieces, [&](std::int64_t i) {
    const auto scratch = piece_of<WeightScratch<T>>(s, workspace, i);
    Acc* own = sums + i * s.weights();
    std::fill_n(own, s.weights(), Acc{0});
    blocks.run(s, i, [&](std::int64_t image, std::int64_t first, std::int64_t count) {
      for (std::int64_t group = 0; group < s.groups; ++group) {
        gather_windows(s, x + image * s.image(), group, first, count, scratch.windows);
        portable_gemm(Gemm<T, Acc>{outputs, depth, count, true, false,
                                   g + (image * s.positions() + first) * s.o + group * outputs, s.o,
                                   scratch.windows, depth, own + group * outputs * depth, depth,
                                   true});
      }
    });
  });
  sum_parts(sums, s.weights(), blocks.pieces, dweight, s.weights(), accumulate);
}

template <class T>
void conv2d_grad(const KernelArgs& args) {
  const ConvShape s = grad_shape(args, dtype_of<T>);
  const T* g = args.in(0).as<T>();
  if (args.out(0).present())
    conv2d_dx(s, g, args.in(2).as<T>(), args.out(0).as<T>(), args.workspace);
  if (args.out(1).present()) {
    with_output<T>(args.out(1), [&](auto* out) {
      conv2d_dweight(s, g, args.in(1).as<T>(), out, args.accumulates(1), args.workspace);
    });
  }
  if (args.out(2).present()) {
    with_output<T>(args.out(2), [&](auto* out) {
      column_sums(g, s.n * s.positions(), s.o, out, args.accumulates(2));
    });
  }
}

/// The gradients run one after the other and share their memory.
template <class T>
std::size_t conv2d_grad_workspace(const KernelArgs& args) {
  const ConvShape s = grad_shape(args, dtype_of<T>);
  std::size_t bytes = 0;
  if (args.out(0).present())
    bytes = static_cast<std::size_t>(data_pieces(s)) * piece_bytes<DataScratch<T>>(s);
  if (args.out(1).present()) {
    const auto pieces = static_cast<std::size_t>(Blocks(s, kWeightPieces).pieces);
    const std::size_t sums = pieces * static_cast<std::size_t>(s.weights()) * sizeof(AccOf<T>);
    bytes = std::max(bytes, pieces * piece_bytes<WeightScratch<T>>(s) + sums);
  }
  return bytes;
}

template <class T>
void add_portable_rows() {
  add_kernel("conv2d", DeviceKind::cpu, {dtype_of<T>},
             {.variant = "portable", .run = conv2d<T>, .workspace = conv2d_workspace<T>});
  add_kernel("conv2d_grad", DeviceKind::cpu, {dtype_of<T>},
             {.variant = "portable", .run = conv2d_grad<T>, .workspace = conv2d_grad_workspace<T>});
}

}  // namespace

void register_conv() {
  register_conv_onednn();
  add_portable_rows<double>();
  add_portable_rows<float>();
  add_portable_rows<bf16>();
  add_portable_rows<f16>();
}

}  // namespace weft::cpu
