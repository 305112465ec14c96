// SPDX-License-Identifier: Apache-2.0
#include "core/pool_impl.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/poison.h"
#include "core/small_heap.h"
#include "core/waits.h"
#include "weft/base/error.h"
#include "weft/base/text.h"

namespace weft {

namespace {
constexpr auto kRelaxed = std::memory_order_relaxed;
using State = PoolBlock::State;
}  // namespace

PoolBlock* Pool::Impl::new_block() {
  if (spare == nullptr) return new PoolBlock;
  PoolBlock* block = std::exchange(spare, spare->bin_after);
  *block = PoolBlock{};
  return block;
}

void Pool::Impl::delete_block(PoolBlock* block) noexcept {
  block->bin_after = std::exchange(spare, block);
}

void Pool::Impl::poison_block(const PoolBlock* block) const noexcept {
  if (is_host) poison(block->data, block->bytes);
}

void Pool::Impl::unpoison_block(const PoolBlock* block, std::size_t bytes) const noexcept {
  if (is_host) unpoison(block->data, bytes);
}

void* Pool::Impl::system_allocate(std::size_t bytes) {
  if (budget != 0 && (obtained > budget || bytes > budget - obtained)) return nullptr;
  void* data = backend.allocate(device.index, bytes);
  if (data == nullptr) return nullptr;
  obtained += bytes;
  ++system_requests;
  return data;
}

void Pool::Impl::system_free(void* data, std::size_t bytes) noexcept {
  if (is_host) unpoison(data, bytes);
  backend.free(device.index, data, bytes);
  obtained -= bytes;
}

PoolBlock* Pool::Impl::take_free(PoolArena& arena, StreamLists& lists, SizedRequest request) {
  merge_resting(lists);
  FreeList& list = lists.kinds[static_cast<std::size_t>(request.kind)];
  PoolBlock* block = list.best_fit(request.bytes);
  if (block == nullptr) block = adopt_from_other_stream(arena, lists, request);
  if (block != nullptr) list.remove(block);
  return block;
}

// Only whole segments change streams, so that neighbours always belong to one stream.
PoolBlock* Pool::Impl::adopt_from_other_stream(PoolArena& arena, StreamLists& lists,
                                               SizedRequest request) {
  for (const auto& other : arena.lists) {
    if (other.get() == &lists) continue;
    merge_resting(*other);
    FreeList& list = other->kinds[static_cast<std::size_t>(request.kind)];
    PoolBlock* found = list.find([&](PoolBlock* block) {
      if (block->bytes < request.bytes || !block->segment->is_free()) return false;
      if (block->events.empty()) block->events.push_back(backend.record(other->stream));
      return backend.is_done(block->events.front());
    });
    if (found == nullptr) continue;
    list.remove(found);
    found->segment->lists = &lists;
    lists.kinds[static_cast<std::size_t>(request.kind)].insert(found);
    return found;
  }
  return nullptr;
}

PoolBlock* Pool::Impl::new_segment(PoolArena& arena, StreamLists& lists, SizedRequest request) {
  std::size_t bytes = std::max(request.bytes, request.rule().segment);
  void* data = system_allocate(bytes);
  if (data == nullptr) {
    bytes = request.bytes;
    data = system_allocate(bytes);
  }
  if (data == nullptr) {
    trim();
    if (PoolBlock* block = take_free(arena, lists, request)) return block;
    data = system_allocate(bytes);
  }
  if (data == nullptr) return nullptr;
  auto* segment = new PoolSegment{.data = static_cast<std::byte*>(data),
                                  .bytes = bytes,
                                  .kind = request.kind,
                                  .lists = &lists,
                                  .arena = &arena};
  PoolBlock* block = new_block();
  block->data = segment->data;
  block->bytes = bytes;
  block->segment = segment;
  segment->first = block;
  arena.segments.push_back(segment);
  poison_block(block);
  return block;
}

PoolBlock* Pool::Impl::take_and_split(PoolArena& arena, StreamLists& lists, SizedRequest request) {
  PoolBlock* block = take_free(arena, lists, request);
  if (block == nullptr) block = new_segment(arena, lists, request);
  if (block == nullptr) return nullptr;
  drop_events(block);
  split(block, request);
  return block;
}

void Pool::Impl::split(PoolBlock* block, SizedRequest request) {
  if (block->bytes - request.bytes < request.rule().granule) return;
  PoolBlock* rest = new_block();
  rest->data = block->data + request.bytes;
  rest->bytes = block->bytes - request.bytes;
  rest->segment = block->segment;
  rest->before = block;
  rest->after = block->after;
  if (rest->after != nullptr) rest->after->before = rest;
  block->after = rest;
  block->bytes = request.bytes;
  rest->state = State::free;
  rest->segment->free_list().insert(rest);
}

void Pool::Impl::absorb_next(PoolBlock* block) noexcept {
  PoolBlock* next = block->after;
  block->bytes += next->bytes;
  block->after = next->after;
  if (block->after != nullptr) block->after->before = block;
  delete_block(next);
}

void Pool::Impl::drop_events(PoolBlock* block) noexcept {
  if (block->events.empty() && block->other_streams.empty()) [[likely]]
    return;
  for (const Event event : block->events) backend.destroy_event(event);
  block->events.clear();
  block->other_streams.clear();
}

void Pool::Impl::let_rest(PoolBlock* block) noexcept {
  drop_events(block);
  poison_block(block);
  block->state = State::resting;
  block->segment->lists->resting.push(block);
}

void Pool::Impl::merge_resting(StreamLists& lists) noexcept {
  while (PoolBlock* block = lists.resting.pop_any()) insert_free(block);
}

void Pool::Impl::insert_free(PoolBlock* block) noexcept {
  block->state = State::free;
  FreeList& list = block->segment->free_list();
  if (block->after != nullptr && block->after->state == State::free) {
    list.remove(block->after);
    absorb_next(block);
  }
  if (block->before != nullptr && block->before->state == State::free) {
    block = block->before;
    list.remove(block);
    absorb_next(block);
  }
  list.insert(block);
}

void Pool::Impl::reclaim_retired(bool wait) noexcept {
  std::erase_if(retired, [&](PoolBlock* block) {
    if (wait) {
      for (const Stream stream : block->other_streams) wait_for(backend, stream);
    }
    const bool done = std::all_of(block->events.begin(), block->events.end(),
                                  [&](Event event) { return backend.is_done(event); });
    if (done) let_rest(block);
    return done;
  });
}

// The system may hand freed memory to anybody at once, so queued work must have passed it.
std::size_t Pool::Impl::trim() {
  const std::size_t before = obtained;
  reclaim_retired(true);
  if (!is_host) {
    for (const auto& lists : common.lists) wait_for(backend, lists->stream);
  }
  for (const auto& lists : common.lists) merge_resting(*lists);
  std::erase_if(common.segments, [&](PoolSegment* segment) {
    if (!segment->is_free()) return false;
    segment->free_list().remove(segment->first);
    drop_events(segment->first);
    system_free(segment->data, segment->bytes);
    delete_block(segment->first);
    delete segment;
    return true;
  });
  if (device.is_cpu()) {
    SmallHeap::instance().trim([&](void* data, std::size_t bytes) { system_free(data, bytes); });
  }
  return before - obtained;
}

void Pool::Impl::move_segments(PoolArena& from, PoolArena& to) {
  for (const auto& lists : from.lists) merge_resting(*lists);
  for (PoolSegment* segment : from.segments) {
    StreamLists& target = to.lists_of(segment->lists->stream);
    FreeList& old_list = segment->free_list();
    segment->lists = &target;
    segment->arena = &to;
    for (PoolBlock* block = segment->first; block != nullptr; block = block->after) {
      if (block->state != State::free) continue;
      old_list.remove(block);
      segment->free_list().insert(block);
    }
    to.segments.push_back(segment);
  }
  from.segments.clear();
}

void Pool::Impl::rehome(PoolArena& arena, Stream stream, Stream heir) {
  const auto is_stream = [&](Stream other) { return other.handle == stream.handle; };
  merge_resting(arena.lists_of(stream));
  StreamLists& target = arena.lists_of(heir);
  for (PoolSegment* segment : arena.segments) {
    FreeList& old_list = segment->free_list();
    const bool moves = is_stream(segment->lists->stream);
    if (moves) segment->lists = &target;
    for (PoolBlock* block = segment->first; block != nullptr; block = block->after) {
      std::erase_if(block->other_streams, is_stream);
      if (!moves || block->state != State::free) continue;
      drop_events(block);
      old_list.remove(block);
      segment->free_list().insert(block);
    }
  }
  std::erase_if(arena.lists, [&](const auto& lists) { return is_stream(lists->stream); });
}

std::vector<memory::OwnerBytes> Pool::Impl::owners() {
  std::map<OwnerId, OwnerAccount> accounts;
  const auto add_arena = [&](const PoolArena& arena) {
    for (const PoolSegment* segment : arena.segments) {
      for (const PoolBlock* block = segment->first; block != nullptr; block = block->after) {
        if (block->state != State::used) continue;
        accounts[block->owner].bytes += block->bytes;
        ++accounts[block->owner].blocks;
      }
    }
  };
  add_arena(common);
  for (const auto& arena : arenas) add_arena(*arena);
  if (device.is_cpu()) SmallHeap::instance().add_owners(accounts);

  std::vector<memory::OwnerBytes> result;
  for (const auto& [owner, account] : accounts) {
    result.push_back({memory::owner_text(owner), account.bytes, account.blocks});
  }
  std::stable_sort(result.begin(), result.end(),
                   [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
  return result;
}

std::size_t Pool::Impl::small_live() const {
  return device.is_cpu() ? SmallHeap::instance().live() : 0;
}

void Pool::Impl::throw_exhausted(std::size_t wanted, bool injected) {
  const std::size_t used = live.load(kRelaxed) + small_live();
  std::string text =
      cat(device, ": out of memory: wanted ", bytes_text(wanted), ", in use ", bytes_text(used),
          ", cached ", bytes_text(obtained - std::min(used, obtained)), ", budget ",
          budget == 0 ? "none" : bytes_text(budget));
  if (injected) text += " (failure injected by memory::fail_allocation)";
  const auto holders = owners();
  for (std::size_t i = 0; i < std::min<std::size_t>(holders.size(), 3); ++i) {
    text += cat(i == 0 ? "; largest: " : ", ", holders[i].owner, " ", bytes_text(holders[i].bytes));
  }
  throw Error(ErrorKind::memory, std::move(text),
              budget == 0 ? "try a smaller batch or a half precision"
                          : "try a smaller batch, a half precision or a larger budget");
}

void Pool::Impl::count_towards_failure(std::size_t bytes) {
  if (fail_after == 0 || --fail_after != 0) return;
  if (device.is_cpu()) detail::small_failure_armed.store(false, kRelaxed);
  throw_exhausted(bytes, true);
}

}  // namespace weft
