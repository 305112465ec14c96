// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "cpu/clones.h"
#include "cpu/lanes.h"
#include "cpu/register.h"
#include "cpu/row_sums.h"
#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/op/attrs/index.h"
#include "weft/op/registry.h"

namespace weft::cpu {

namespace {

std::int64_t index_at(const TensorArg& indices, std::int64_t position) {
  return indices.dtype == DType::i32 ? indices.as<std::int32_t>()[position]
                                     : indices.as<std::int64_t>()[position];
}

std::int64_t checked_index(const TensorArg& indices, std::int64_t position, std::int64_t rows) {
  const std::int64_t index = index_at(indices, position);
  if (index < 0 || index >= rows) {
    throw Error(ErrorKind::index, cat("embedding: indices[", position, "] is ", index,
                                      " but weight has ", rows, " rows"));
  }
  return index;
}

// reads and writes every picked row once, whatever its dtype: 2 * N * D * sizeof(T)
void embedding(const KernelArgs& args) {
  const TensorArg& indices = args.in(0);
  const TensorArg& weight = args.in(1);
  const std::int64_t rows = (*weight.shape)[0];
  const std::size_t bytes = static_cast<std::size_t>((*weight.shape)[1]) * size_of(weight.dtype);
  std::byte* out = args.out(0).data;
  parallel_for(indices.numel, rows_per_grain((*weight.shape)[1]),
               [&](std::int64_t first, std::int64_t last) {
                 for (std::int64_t i = first; i < last; ++i) {
                   const auto row = static_cast<std::size_t>(checked_index(indices, i, rows));
                   if (bytes != 0) {
                     std::memcpy(out + static_cast<std::size_t>(i) * bytes,
                                 weight.data + row * bytes, bytes);
                   }
                 }
               });
}

/// Positions sorted by index, those of one index in their order (counting sort).
struct Occurrences {
  std::int64_t* begin;      ///< of every row, and one more
  std::int64_t* positions;  ///< of row r: [begin[r], begin[r + 1])

  static std::int64_t elements(std::int64_t rows, std::int64_t count) { return rows + 1 + count; }

  Occurrences(std::byte* memory, const TensorArg& indices, std::int64_t rows)
      : begin(reinterpret_cast<std::int64_t*>(memory)), positions(begin + rows + 1) {
    std::fill(begin, begin + rows + 1, 0);
    for (std::int64_t i = 0; i < indices.numel; ++i) ++begin[checked_index(indices, i, rows)];
    for (std::int64_t row = 1; row <= rows; ++row) begin[row] += begin[row - 1];
    // Filling from the back turns the ends of the rows into their beginnings.
    for (std::int64_t i = indices.numel; i-- > 0;) positions[--begin[index_at(indices, i)]] = i;
  }
};

/// Sums the gradients of one row's occurrences, a block of columns at a time, and writes or adds
/// them.
template <class T, class Out>
WEFT_CLONES void sum_occurrences(const T* grads, const std::int64_t* first,
                                 const std::int64_t* last, std::int64_t width, Out* out,
                                 bool accumulate) {
  using C = Wide<T>;
  C sums[kBlock];
  for_blocks(width, [&](std::int64_t begin, std::int64_t m) {
    for (std::int64_t i = 0; i < m; ++i) sums[i] = C{0};
    for (const std::int64_t* position = first; position != last; ++position) {
      const T* g = grads + *position * width + begin;
      for (std::int64_t i = 0; i < m; ++i) sums[i] += static_cast<C>(g[i]);
    }
    write_sums(out + begin, accumulate, sums, m);
  });
}

template <class T, class Out>
void embedding_grad_into(const KernelArgs& args) {
  const auto& attrs = args.attrs<EmbeddingGradAttrs>();
  const std::int64_t width = args.out(0).shape->back();
  const T* grads = args.in(0).as<T>();
  Out* out = args.out(0).as<Out>();
  const bool accumulate = args.accumulates();
  const Occurrences found(args.workspace, args.in(1), attrs.rows);
  parallel_for(attrs.rows, rows_per_grain(width), [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t row = first; row < last; ++row) {
      const std::int64_t* begin = found.positions + found.begin[row];
      const std::int64_t* end = found.positions + found.begin[row + 1];
      if (row == attrs.padding_index) end = begin;
      if (begin == end && accumulate) continue;
      sum_occurrences(grads, begin, end, width, out + row * width, accumulate);
    }
  });
}

template <class T>
void embedding_grad(const KernelArgs& args) {
  if (args.out(0).dtype == DType::f32) {
    if constexpr (!std::is_same_v<T, double>) embedding_grad_into<T, float>(args);
  } else {
    embedding_grad_into<T, T>(args);
  }
}

std::size_t embedding_grad_workspace(const KernelArgs& args) {
  const std::int64_t rows = args.attrs<EmbeddingGradAttrs>().rows;
  return static_cast<std::size_t>(Occurrences::elements(rows, args.in(1).numel)) *
         sizeof(std::int64_t);
}

template <class T>
void add_embedding_grad() {
  add_kernel(
      "embedding_grad", DeviceKind::cpu, {dtype_of<T>},
      {.variant = "portable", .run = embedding_grad<T>, .workspace = embedding_grad_workspace});
}

}  // namespace

void register_index() {
  add_kernel("embedding", DeviceKind::cpu, {DType::f64, DType::f32, DType::bf16, DType::f16},
             {.variant = "portable", .run = embedding});
  add_embedding_grad<double>();
  add_embedding_grad<float>();
  add_embedding_grad<bf16>();
  add_embedding_grad<f16>();
}

}  // namespace weft::cpu
