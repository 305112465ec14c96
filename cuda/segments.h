// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "weft/op/kernel.h"

namespace weft::cuda {

/// One parameter of a multi-tensor step that has a gradient.
struct Segment {
  std::byte* param = nullptr;
  const std::byte* grad = nullptr;
  std::byte* first = nullptr;   ///< first state tensor
  std::byte* second = nullptr;  ///< second state tensor
  std::int64_t numel = 0;
  std::int32_t index = 0;  ///< in the parameter list
  DType param_dtype = DType::f32;
  DType grad_dtype = DType::f32;
};

/// The elements of a segment that one block handles.
inline constexpr std::int64_t kSegmentChunk = 16384;

/// Up to 256 segments, small enough to be a kernel's argument: a launch, also a captured one, then
/// depends on nothing but its arguments.
struct SegmentBatch {
  static constexpr int kMost = 256;

  int count = 0;
  std::int32_t first_chunk[kMost + 1] = {};  ///< of each segment, and after the last one the total
  Segment segments[kMost];

  std::int32_t chunks() const { return first_chunk[count]; }
};
static_assert(sizeof(SegmentBatch) < 32 * 1024 - 256, "kernel arguments end at 32764 bytes");

/// The tensors of a multi-tensor step; a span is empty where the step has no such list.
struct SegmentLists {
  std::span<const TensorArg> params, grads, first, second;
};

/// Calls `fn(batch)` for every batch of the parameters whose gradient holds elements.
template <class F>
void for_batches(const SegmentLists& lists, const F& fn) {
  const auto data_at = [](std::span<const TensorArg> list, std::size_t i) {
    return i < list.size() && list[i].present() ? list[i].data : nullptr;
  };
  SegmentBatch batch;
  const auto flush = [&] {
    if (batch.count > 0) fn(static_cast<const SegmentBatch&>(batch));
    batch.count = 0;
  };
  for (std::size_t i = 0; i < lists.grads.size(); ++i) {
    const TensorArg& grad = lists.grads[i];
    if (!grad.present() || grad.numel == 0) continue;
    const auto chunks = (grad.numel + kSegmentChunk - 1) / kSegmentChunk;
    if (batch.count == SegmentBatch::kMost || batch.first_chunk[batch.count] + chunks > INT32_MAX)
      flush();
    batch.segments[batch.count] = {data_at(lists.params, i),
                                   grad.data,
                                   data_at(lists.first, i),
                                   data_at(lists.second, i),
                                   grad.numel,
                                   static_cast<std::int32_t>(i),
                                   i < lists.params.size() ? lists.params[i].dtype : grad.dtype,
                                   grad.dtype};
    batch.first_chunk[batch.count + 1] =
        static_cast<std::int32_t>(batch.first_chunk[batch.count] + chunks);
    ++batch.count;
  }
  flush();
}

}  // namespace weft::cuda
