// SPDX-License-Identifier: Apache-2.0
#include "core/pool_arena.h"

#include <utility>

#include "weft/base/checked.h"

namespace weft {

namespace {

// Two bits below the leading one: four bins an octave.
std::size_t bin_of(std::size_t bytes) {
  const auto octave = static_cast<unsigned>(std::bit_width(bytes) - 1);
  return octave * 4 + ((bytes >> (octave - 2)) & 3);
}

}  // namespace

SizedRequest size_request(std::size_t bytes) {
  std::size_t kind = 0;
  while (bytes > kSegmentRules[kind].largest) ++kind;
  const std::size_t at_least_one = bytes == 0 ? 1 : bytes;
  return {static_cast<SegmentKind>(kind),
          checked_align(at_least_one, kSegmentRules[kind].granule, "allocation")};
}

void FreeList::insert(PoolBlock* block) noexcept {
  const std::size_t bin = bin_of(block->bytes);
  block->bin_before = nullptr;
  block->bin_after = bins_[bin];
  if (bins_[bin] != nullptr) bins_[bin]->bin_before = block;
  bins_[bin] = block;
  filled_[bin / 64] |= std::uint64_t{1} << (bin % 64);
}

void FreeList::remove(PoolBlock* block) noexcept {
  const std::size_t bin = bin_of(block->bytes);
  if (block->bin_before != nullptr)
    block->bin_before->bin_after = block->bin_after;
  else
    bins_[bin] = block->bin_after;
  if (block->bin_after != nullptr) block->bin_after->bin_before = block->bin_before;
  if (bins_[bin] == nullptr) filled_[bin / 64] &= ~(std::uint64_t{1} << (bin % 64));
}

PoolBlock* FreeList::best_fit(std::size_t bytes) const noexcept {
  for (std::size_t bin = bin_of(bytes); bin < kBins;) {
    const std::uint64_t rest = filled_[bin / 64] >> (bin % 64);
    if (rest == 0) {
      bin = (bin / 64 + 1) * 64;
      continue;
    }
    bin += static_cast<std::size_t>(std::countr_zero(rest));
    PoolBlock* best = nullptr;
    for (PoolBlock* block = bins_[bin]; block != nullptr; block = block->bin_after) {
      if (block->bytes == bytes) return block;
      if (block->bytes > bytes && (best == nullptr || block->bytes < best->bytes)) best = block;
    }
    if (best != nullptr) return best;
    ++bin;
  }
  return nullptr;
}

PoolBlock* RestingBlocks::pop_any() noexcept {
  if (count_ == 0) return nullptr;
  for (PoolBlock*& head : slots_) {
    if (head == nullptr) continue;
    --count_;
    return std::exchange(head, head->bin_after);
  }
  return nullptr;
}

StreamLists& PoolArena::lists_of(Stream stream) {
  for (const auto& candidate : lists) {
    if (candidate->stream.handle == stream.handle) return *candidate;
  }
  lists.push_back(std::make_unique<StreamLists>());
  lists.back()->stream = stream;
  return *lists.back();
}

std::size_t PoolArena::bytes() const {
  std::size_t total = 0;
  for (const PoolSegment* segment : segments) total += segment->bytes;
  return total;
}

}  // namespace weft
