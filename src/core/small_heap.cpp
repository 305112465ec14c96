// SPDX-License-Identifier: Apache-2.0
#include "core/small_heap.h"

#include <algorithm>
#include <new>
#include <vector>

#include "core/thread_state.h"

namespace weft {

/// A run of equal blocks. Blocks past `cut` have never been used.
struct Slab {
  std::byte* memory = nullptr;
  std::size_t bytes = 0;
  unsigned size_class = 0;
  std::size_t cut = 0;
  std::size_t out = 0;  ///< blocks in thread caches or in use
  void* free = nullptr;
  Slab* next = nullptr;  ///< all slabs
  Slab* prev = nullptr;
  Slab* next_available = nullptr;  ///< slabs of the class with a block to give
  Slab* prev_available = nullptr;
  bool is_available = false;

  std::size_t block_bytes() const { return kSmallSizes[size_class]; }
  bool has_block() const { return free != nullptr || cut + block_bytes() <= bytes; }
};

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

std::size_t slab_bytes(unsigned size_class) {
  return std::clamp<std::size_t>(kSmallSizes[size_class] * 16, 64 * 1024, 256 * 1024);
}

// About 8 KiB at a time: few locks, little idle memory.
std::size_t batch_of(unsigned size_class) {
  return std::clamp<std::size_t>(8192 / kSmallSizes[size_class], 1, 32);
}

// Its destructor runs at thread exit, before the memory of thread_state goes.
struct ThreadExit {
  ~ThreadExit() { SmallHeap::instance().leave(thread_state.cache); }
};

template <class T>
void push_front(T*& head, T* item, T* T::* prev, T* T::* next) {
  item->*prev = nullptr;
  item->*next = head;
  if (head != nullptr) head->*prev = item;
  head = item;
}

template <class T>
void unlink(T*& head, T* item, T* T::* prev, T* T::* next) {
  if (item->*prev != nullptr)
    item->*prev->*next = item->*next;
  else
    head = item->*next;
  if (item->*next != nullptr) item->*next->*prev = item->*prev;
}

}  // namespace

constinit thread_local ThreadState thread_state;

namespace detail {

std::atomic<bool> small_failure_armed{false};

void* small_alloc_slow(std::size_t payload, OwnerId owner) {
  return SmallHeap::instance().take(payload, owner);
}

void small_free_slow() noexcept {
  SmallCache& cache = thread_state.cache;
  SmallHeap::instance().flush(cache, cache.limit / 2);
}

}  // namespace detail

SmallHeap& SmallHeap::instance() {
  // Never destroyed: objects with static storage duration may free tensors at exit.
  static SmallHeap& heap = *new SmallHeap;
  return heap;
}

void* SmallHeap::take(std::size_t payload, OwnerId owner) {
  Pool& pool = pool_of(Device());
  if (detail::small_failure_armed.load(kRelaxed)) pool.count_towards_failure(payload);
  SmallCache& cache = thread_state.cache;
  const unsigned size_class = small_class(payload);
  std::unique_lock lock(mutex_);
  enter(cache);
  while (cache.heads[size_class] == nullptr) {
    if (available_[size_class] == nullptr) {
      const std::size_t bytes = slab_bytes(size_class);
      lock.unlock();
      void* memory = pool.obtain(bytes);
      lock.lock();
      add_slab(size_class, memory, bytes);
    }
    refill(cache, size_class);
  }

  void* block = cache.heads[size_class];
  unpoison(block, payload);
  cache.heads[size_class] = *static_cast<void**>(block);
  cache.held.store(cache.held.load(kRelaxed) - kSmallSizes[size_class], kRelaxed);
  cache.served.store(cache.served.load(kRelaxed) + 1, kRelaxed);
  auto* header = static_cast<SmallHeader*>(block) - 1;
  header->owner.store(owner, kRelaxed);
  header->live.store(true, kRelaxed);
  sample_.store(live_locked(), kRelaxed);
  lock.unlock();
  pool.note_peak();
  return block;
}

void SmallHeap::refill(SmallCache& cache, unsigned size_class) {
  const std::size_t batch = cache.ended ? 1 : batch_of(size_class);
  for (std::size_t i = 0; i < batch && available_[size_class] != nullptr; ++i) {
    void* block = pop_block(size_class);
    *static_cast<void**>(block) = cache.heads[size_class];
    cache.heads[size_class] = block;
    cache.held.store(cache.held.load(kRelaxed) + kSmallSizes[size_class], kRelaxed);
  }
}

void SmallHeap::flush(SmallCache& cache, std::size_t target) noexcept {
  const std::scoped_lock lock(mutex_);
  enter(cache);
  std::size_t held = cache.held.load(kRelaxed);
  for (unsigned size_class = kSmallClassCount; size_class-- > 0 && held > target;) {
    while (cache.heads[size_class] != nullptr && held > target) {
      void* block = cache.heads[size_class];
      cache.heads[size_class] = *static_cast<void**>(block);
      push_block(block);
      held -= kSmallSizes[size_class];
    }
  }
  cache.held.store(held, kRelaxed);
  sample_.store(live_locked(), kRelaxed);
}

void SmallHeap::enter(SmallCache& cache) {
  if (cache.known || cache.ended) return;
  cache.known = true;
  cache.limit = kThreadCacheLimit;
  cache.next = caches_;
  caches_ = &cache;
  thread_local ThreadExit at_exit;
  static_cast<void>(&at_exit);
}

void SmallHeap::leave(SmallCache& cache) noexcept {
  cache.limit = 0;
  cache.ended = true;
  flush(cache, 0);
  const std::scoped_lock lock(mutex_);
  SmallCache** link = &caches_;
  while (*link != nullptr && *link != &cache) link = &(*link)->next;
  if (*link != nullptr) *link = cache.next;
  served_by_ended_threads_ += cache.served.load(kRelaxed);
}

void SmallHeap::add_slab(unsigned size_class, void* memory, std::size_t bytes) {
  auto* slab = new Slab;
  slab->memory = static_cast<std::byte*>(memory);
  slab->bytes = bytes;
  slab->size_class = size_class;
  slab->is_available = true;
  push_front(slabs_, slab, &Slab::prev, &Slab::next);
  push_front(available_[size_class], slab, &Slab::prev_available, &Slab::next_available);
}

void* SmallHeap::pop_block(unsigned size_class) noexcept {
  Slab* slab = available_[size_class];
  void* block = slab->free;
  if (block != nullptr) {
    slab->free = *static_cast<void**>(block);
  } else {
    auto* header = new (slab->memory + slab->cut)
        SmallHeader{0, false, static_cast<std::uint8_t>(size_class), slab};
    block = header + 1;
    slab->cut += slab->block_bytes();
    detail::poison_free(block, size_class);
  }
  ++slab->out;
  handed_out_ += slab->block_bytes();
  if (!slab->has_block()) {
    unlink(available_[size_class], slab, &Slab::prev_available, &Slab::next_available);
    slab->is_available = false;
  }
  return block;
}

void SmallHeap::push_block(void* block) noexcept {
  Slab* slab = (static_cast<SmallHeader*>(block) - 1)->slab;
  *static_cast<void**>(block) = slab->free;
  slab->free = block;
  --slab->out;
  handed_out_ -= slab->block_bytes();
  if (slab->is_available) return;
  slab->is_available = true;
  push_front(available_[slab->size_class], slab, &Slab::prev_available, &Slab::next_available);
}

void SmallHeap::trim(const std::function<void(void*, std::size_t)>& release) {
  flush(thread_state.cache, 0);
  const std::scoped_lock lock(mutex_);
  for (Slab* slab = slabs_; slab != nullptr;) {
    Slab* next = slab->next;
    if (slab->out == 0) {
      unlink(slabs_, slab, &Slab::prev, &Slab::next);
      unlink(available_[slab->size_class], slab, &Slab::prev_available, &Slab::next_available);
      unpoison(slab->memory, slab->bytes);
      release(slab->memory, slab->bytes);
      delete slab;
    }
    slab = next;
  }
}

std::size_t SmallHeap::live_locked() const noexcept {
  std::size_t held = 0;
  for (const SmallCache* cache = caches_; cache != nullptr; cache = cache->next) {
    held += cache->held.load(kRelaxed);
  }
  return handed_out_ - std::min(held, handed_out_);
}

std::size_t SmallHeap::live() {
  const std::scoped_lock lock(mutex_);
  return live_locked();
}

std::uint64_t SmallHeap::served() {
  const std::scoped_lock lock(mutex_);
  std::uint64_t count = served_by_ended_threads_;
  for (const SmallCache* cache = caches_; cache != nullptr; cache = cache->next) {
    count += cache->served.load(kRelaxed);
  }
  return count;
}

void SmallHeap::add_owners(std::map<OwnerId, OwnerAccount>& owners) {
  const std::scoped_lock lock(mutex_);
  for (const Slab* slab = slabs_; slab != nullptr; slab = slab->next) {
    for (std::size_t at = 0; at < slab->cut; at += slab->block_bytes()) {
      const auto* header = reinterpret_cast<const SmallHeader*>(slab->memory + at);
      if (!header->live.load(kRelaxed)) continue;
      OwnerAccount& account = owners[header->owner.load(kRelaxed)];
      account.bytes += slab->block_bytes();
      ++account.blocks;
    }
  }
}

}  // namespace weft
