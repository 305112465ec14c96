// SPDX-License-Identifier: Apache-2.0
#include "cuda/segments.h"

#include <cstring>
#include <list>
#include <mutex>
#include <vector>

#include "cuda/common.cuh"

namespace weft::cuda {

namespace {

std::vector<Segment> segments_of(std::span<const TensorArg> params, std::span<const TensorArg> grads,
                                 std::span<const TensorArg> first, std::span<const TensorArg> second) {
  std::vector<Segment> segments;
  const auto data_at = [](std::span<const TensorArg> list, std::size_t i) {
    return i < list.size() && list[i].present() ? list[i].data : nullptr;
  };
  for (std::size_t i = 0; i < grads.size(); ++i) {
    if (!grads[i].present() || grads[i].numel == 0) continue;
    Segment segment{};
    segment.param = data_at(params, i);
    segment.grad = grads[i].data;
    segment.first = data_at(first, i);
    segment.second = data_at(second, i);
    segment.numel = grads[i].numel;
    segment.index = static_cast<std::int32_t>(i);
    segment.param_dtype = i < params.size() ? params[i].dtype : grads[i].dtype;
    segment.grad_dtype = grads[i].dtype;
    segments.push_back(segment);
  }
  return segments;
}

bool same(const Segment& a, const Segment& b) {
  return a.param == b.param && a.grad == b.grad && a.first == b.first && a.second == b.second &&
         a.numel == b.numel && a.index == b.index && a.param_dtype == b.param_dtype &&
         a.grad_dtype == b.grad_dtype;
}

struct Entry {
  int device = 0;
  std::vector<Segment> segments;
  SegmentTable table;
  void* memory = nullptr;
};

// Old tables go first; 64 covers several optimizers with all their accumulation phases.
constexpr std::size_t kMaxTables = 64;

void upload(Entry& entry, const KernelArgs& args) {
  std::vector<SegmentChunk> chunks;
  for (std::size_t s = 0; s < entry.segments.size(); ++s) {
    for (std::int64_t begin = 0; begin < entry.segments[s].numel; begin += kSegmentChunk) {
      chunks.push_back({static_cast<std::int32_t>(s), begin});
    }
  }
  const std::size_t segment_bytes = entry.segments.size() * sizeof(Segment);
  const std::size_t chunk_bytes = chunks.size() * sizeof(SegmentChunk);
  const std::size_t chunks_at = (segment_bytes + 255) / 256 * 256;
  check(cudaMalloc(&entry.memory, chunks_at + chunk_bytes + 256), args.op);
  auto* base = static_cast<std::byte*>(entry.memory);
  // Synchronous, once per table: the host vectors need not outlive it.
  check(cudaMemcpy(base, entry.segments.data(), segment_bytes, cudaMemcpyHostToDevice), args.op);
  check(cudaMemcpy(base + chunks_at, chunks.data(), chunk_bytes, cudaMemcpyHostToDevice), args.op);
  entry.table = {reinterpret_cast<const Segment*>(base),
                 reinterpret_cast<const SegmentChunk*>(base + chunks_at),
                 static_cast<std::int64_t>(chunks.size())};
}

}  // namespace

const SegmentTable& segment_table(const KernelArgs& args, std::span<const TensorArg> params,
                                  std::span<const TensorArg> grads, std::span<const TensorArg> first,
                                  std::span<const TensorArg> second) {
  static std::mutex mutex;
  static std::list<Entry>& tables = *new std::list<Entry>;
  std::vector<Segment> segments = segments_of(params, grads, first, second);
  const int device = args.stream.device.index;
  const std::lock_guard lock(mutex);
  for (const Entry& entry : tables) {
    if (entry.device == device && std::equal(entry.segments.begin(), entry.segments.end(),
                                             segments.begin(), segments.end(), same)) {
      return entry.table;
    }
  }
  if (tables.size() == kMaxTables) {
    // cudaFree waits for work that may still read the table.
    check(cudaFree(tables.front().memory), args.op);
    tables.pop_front();
  }
  Entry& entry = tables.emplace_back();
  entry.device = device;
  entry.segments = std::move(segments);
  upload(entry, args);
  return entry.table;
}

}  // namespace weft::cuda
