// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/pool.h"

/// The free lists of a pool. Nothing here locks; the pool does.
namespace weft {

/// Requests are kept apart by size, so that small ones never break up large segments.
enum class SegmentKind : std::uint8_t { small, medium, own };
inline constexpr std::size_t kSegmentKindCount = 3;

struct SegmentRule {
  std::size_t largest;  ///< request
  std::size_t granule;  ///< block sizes are multiples; also the bound on waste
  std::size_t segment;  ///< bytes obtained at once; 0: as much as the request needs
};
inline constexpr std::array<SegmentRule, kSegmentKindCount> kSegmentRules = {
    SegmentRule{std::size_t{1} << 20, 512, std::size_t{2} << 20},
    SegmentRule{std::size_t{8} << 20, std::size_t{64} << 10, std::size_t{16} << 20},
    SegmentRule{SIZE_MAX, std::size_t{2} << 20, 0}};

/// The kind and block size that serve a request.
struct SizedRequest {
  SegmentKind kind;
  std::size_t bytes;
  const SegmentRule& rule() const { return kSegmentRules[static_cast<std::size_t>(kind)]; }
};
SizedRequest size_request(std::size_t bytes);

/// Free blocks in bins of a quarter octave; finds the smallest that is large enough.
class FreeList {
 public:
  void insert(PoolBlock* block) noexcept;
  void remove(PoolBlock* block) noexcept;
  PoolBlock* best_fit(std::size_t bytes) const noexcept;
  /// Calls `visit(block)` for each block until it returns true; returns that block.
  template <class Visit>
  PoolBlock* find(Visit visit) const {
    for (PoolBlock* head : bins_) {
      for (PoolBlock* block = head; block != nullptr; block = block->bin_after) {
        if (visit(block)) return block;
      }
    }
    return nullptr;
  }

 private:
  static constexpr std::size_t kBins = 256;
  std::array<PoolBlock*, kBins> bins_{};
  std::array<std::uint64_t, kBins / 64> filled_{};
};

/// Blocks just let go, found again by their exact size.
class RestingBlocks {
 public:
  void push(PoolBlock* block) noexcept {
    PoolBlock*& head = slots_[slot_of(block->bytes)];
    block->bin_after = head;
    head = block;
    ++count_;
  }
  /// A block of `bytes`, the last one let go; nullptr when there is none.
  PoolBlock* pop(std::size_t bytes) noexcept {
    for (PoolBlock** link = &slots_[slot_of(bytes)]; *link != nullptr; link = &(*link)->bin_after) {
      PoolBlock* block = *link;
      if (block->bytes != bytes) continue;
      *link = block->bin_after;
      --count_;
      return block;
    }
    return nullptr;
  }
  /// Any block; nullptr when there is none.
  PoolBlock* pop_any() noexcept;
  bool empty() const noexcept { return count_ == 0; }

 private:
  static constexpr std::size_t kSlots = 64;
  // Fibonacci hashing: sizes are multiples of 512, often of large powers of two.
  static std::size_t slot_of(std::size_t bytes) noexcept {
    return (bytes >> 9) * 0x9e3779b97f4a7c15u >> 58;
  }
  std::array<PoolBlock*, kSlots> slots_{};
  std::size_t count_ = 0;
};

/// What one stream may reuse at once.
struct StreamLists {
  Stream stream;
  RestingBlocks resting;
  std::array<FreeList, kSegmentKindCount> kinds;
};

struct PoolSegment {
  std::byte* data = nullptr;
  std::size_t bytes = 0;
  SegmentKind kind = SegmentKind::small;
  StreamLists* lists = nullptr;
  PoolArena* arena = nullptr;
  PoolBlock* first = nullptr;

  FreeList& free_list() const { return lists->kinds[static_cast<std::size_t>(kind)]; }
  bool is_free() const { return first->after == nullptr && first->state == PoolBlock::State::free; }
};

/// Segments with one owner: the common part of a pool, or a private pool.
struct PoolArena {
  Device device;
  std::vector<std::unique_ptr<StreamLists>> lists;
  std::vector<PoolSegment*> segments;

  StreamLists& lists_of(Stream stream);
  std::size_t bytes() const;
};

}  // namespace weft
