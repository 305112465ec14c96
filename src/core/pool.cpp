// SPDX-License-Identifier: Apache-2.0
#include "core/pool.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/pool_impl.h"
#include "core/small_heap.h"
#include "core/thread_state.h"
#include "core/waits.h"

namespace weft {

namespace {
constexpr auto kRelaxed = std::memory_order_relaxed;
using State = PoolBlock::State;
}  // namespace

Pool::Pool(Backend& backend, Device device)
    : device_(device), impl_(std::make_unique<Impl>(backend, device)) {}

Pool::~Pool() {
  impl_->reclaim_retired(true);
  for (const auto& arena : impl_->arenas) impl_->move_segments(*arena, impl_->common);
  impl_->trim();
  while (impl_->spare != nullptr) delete std::exchange(impl_->spare, impl_->spare->bin_after);
}

PoolBlock* Pool::allocate(std::size_t bytes, Stream stream, OwnerId owner, PoolArena* arena) {
  const SizedRequest request = size_request(bytes);
  const std::scoped_lock lock(impl_->mutex);
  ++impl_->requests;
  impl_->count_towards_failure(bytes);
  if (!impl_->retired.empty()) impl_->reclaim_retired(false);
  PoolArena& from = arena == nullptr ? impl_->common : *arena;
  StreamLists& lists = from.lists_of(stream);
  PoolBlock* block = lists.resting.pop(request.bytes);
  if (block == nullptr) block = impl_->take_and_split(from, lists, request);
  if (block == nullptr) impl_->throw_exhausted(bytes, false);
  block->state = State::used;
  block->owner = owner;
  impl_->unpoison_block(block, bytes);
  impl_->live.store(impl_->live.load(kRelaxed) + block->bytes, kRelaxed);
  note_peak();
  return block;
}

void Pool::free(PoolBlock* block) noexcept {
  const std::scoped_lock lock(impl_->mutex);
  impl_->live.store(impl_->live.load(kRelaxed) - block->bytes, kRelaxed);
  if (block->other_streams.empty()) {
    impl_->let_rest(block);
    return;
  }
  block->state = State::retired;
  for (const Stream stream : block->other_streams) {
    block->events.push_back(impl_->backend.record(stream));
  }
  impl_->retired.push_back(block);
}

void Pool::used_on(PoolBlock* block, Stream stream) {
  const std::scoped_lock lock(impl_->mutex);
  if (block->segment->lists->stream.handle == stream.handle) return;
  const auto same = [&](Stream known) { return known.handle == stream.handle; };
  if (std::none_of(block->other_streams.begin(), block->other_streams.end(), same)) {
    block->other_streams.push_back(stream);
  }
}

void Pool::retire_stream(Stream stream, Stream heir) {
  const std::scoped_lock lock(impl_->mutex);
  wait_for(impl_->backend, stream);
  impl_->reclaim_retired(false);
  impl_->rehome(impl_->common, stream, heir);
  for (const auto& arena : impl_->arenas) impl_->rehome(*arena, stream, heir);
}

memory::Report Pool::report() {
  note_peak();
  const std::scoped_lock lock(impl_->mutex);
  memory::Report report;
  report.device = device_;
  report.live = impl_->live.load(kRelaxed) + impl_->small_live();
  report.cached = impl_->obtained - std::min(report.live, impl_->obtained);
  report.peak = std::max(impl_->peak.load(kRelaxed), report.live);
  report.budget = impl_->budget;
  report.allocations = impl_->requests;
  if (device_.is_cpu()) report.allocations += SmallHeap::instance().served();
  report.system_allocations = impl_->system_requests;
  report.owners = impl_->owners();
  return report;
}

std::size_t Pool::live_bytes() { return impl_->live.load(kRelaxed) + impl_->small_live(); }

std::size_t Pool::trim() {
  const std::scoped_lock lock(impl_->mutex);
  return impl_->trim();
}

void Pool::set_budget(std::size_t bytes) {
  const std::scoped_lock lock(impl_->mutex);
  impl_->budget = bytes;
  if (bytes != 0 && impl_->obtained > bytes) impl_->trim();
}

void Pool::reset_peak() { impl_->peak.store(live_bytes(), kRelaxed); }

void Pool::fail_allocation(std::uint64_t nth) {
  const std::scoped_lock lock(impl_->mutex);
  impl_->fail_after = nth;
  if (device_.is_cpu()) detail::small_failure_armed.store(nth != 0, kRelaxed);
}

void* Pool::obtain(std::size_t bytes) {
  const std::scoped_lock lock(impl_->mutex);
  void* data = impl_->system_allocate(bytes);
  if (data == nullptr) {
    impl_->trim();
    data = impl_->system_allocate(bytes);
  }
  if (data == nullptr) impl_->throw_exhausted(bytes, false);
  return data;
}

void Pool::count_towards_failure(std::size_t bytes) {
  const std::scoped_lock lock(impl_->mutex);
  impl_->count_towards_failure(bytes);
}

void Pool::note_peak() noexcept {
  std::size_t now = impl_->live.load(kRelaxed);
  if (device_.is_cpu()) now += SmallHeap::instance().sampled_live();
  std::size_t peak = impl_->peak.load(kRelaxed);
  while (now > peak && !impl_->peak.compare_exchange_weak(peak, now, kRelaxed)) {
  }
}

bool serves(const PoolArena& arena, Device device) noexcept { return arena.device == device; }

Pool& pool_of(Device device) {
  constexpr std::size_t kIndices = 128;
  static std::array<std::array<std::atomic<Pool*>, kIndices>, kDeviceKindCount> pools;
  std::atomic<Pool*>& slot =
      pools[static_cast<std::size_t>(device.kind)]
           [static_cast<std::size_t>(static_cast<std::uint8_t>(device.index)) % kIndices];
  if (Pool* pool = slot.load(std::memory_order_acquire)) return *pool;
  require_device(device);
  // Pools are never destroyed: tensors with static storage duration may outlive everything else.
  auto fresh = std::make_unique<Pool>(backend_of(device), device);
  Pool* expected = nullptr;
  if (slot.compare_exchange_strong(expected, fresh.get(), std::memory_order_acq_rel)) {
    return *fresh.release();
  }
  return *expected;
}

PrivatePool::PrivatePool(Device device) : pool_(pool_of(device)) {
  auto arena = std::make_unique<PoolArena>();
  arena->device = device;
  arena_ = arena.get();
  const std::scoped_lock lock(pool_.impl_->mutex);
  pool_.impl_->arenas.push_back(std::move(arena));
}

PrivatePool::~PrivatePool() {
  const std::scoped_lock lock(pool_.impl_->mutex);
  pool_.impl_->move_segments(*arena_, pool_.impl_->common);
  std::erase_if(pool_.impl_->arenas, [&](const auto& arena) { return arena.get() == arena_; });
}

std::size_t PrivatePool::bytes() const {
  const std::scoped_lock lock(pool_.impl_->mutex);
  return arena_->bytes();
}

PrivatePool::Scope::Scope(PrivatePool& pool) noexcept
    : saved_(std::exchange(thread_state.arena, pool.arena_)) {}

PrivatePool::Scope::~Scope() { thread_state.arena = saved_; }

}  // namespace weft
