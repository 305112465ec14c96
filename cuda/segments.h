// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "weft/op/kernel.h"

namespace weft::cuda {

/// One parameter of a multi-tensor step, on the device. `grad == nullptr` would be inactive; such
/// parameters have no segment.
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

/// A block of a launch: elements [begin, begin + kSegmentChunk) of a segment.
struct SegmentChunk {
  std::int32_t segment = 0;
  std::int64_t begin = 0;
};

inline constexpr std::int64_t kSegmentChunk = 16384;

/// The segments of a step on the device, so that one launch covers all parameters.
struct SegmentTable {
  const Segment* segments = nullptr;     ///< device memory
  const SegmentChunk* chunks = nullptr;  ///< device memory
  std::int64_t chunk_count = 0;
};

/// The table for these lists (an empty span where a step has none), uploaded at its first use and kept:
/// optimizers keep their addresses. Never call it under capture.
const SegmentTable& segment_table(const KernelArgs& args, std::span<const TensorArg> params,
                                  std::span<const TensorArg> grads, std::span<const TensorArg> first,
                                  std::span<const TensorArg> second);

}  // namespace weft::cuda
