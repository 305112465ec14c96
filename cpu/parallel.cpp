// SPDX-License-Identifier: Apache-2.0
#include "cpu/parallel.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/core/threads.h"

namespace weft::cpu {

namespace {

using Clock = std::chrono::steady_clock;

// Long enough to bridge the gap between two ops, short enough not to starve a busy neighbour.
constexpr auto kSpin = std::chrono::microseconds(15);
constexpr int kMaxThreads = 1024;

thread_local bool inside_chunk = false;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Waits until `word` is no longer `value`: spins for a bounded time, then sleeps.
template <class T>
void wait_while(const std::atomic<T>& word, T value) {
  const auto end = Clock::now() + kSpin;
  do {
    for (int i = 0; i < 64; ++i) {
      if (word.load(std::memory_order_acquire) != value) return;
      pause();
    }
  } while (Clock::now() < end);
  word.wait(value, std::memory_order_acquire);
}

int usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(CPU_COUNT(&set), 1);
  return std::max(static_cast<int>(std::thread::hardware_concurrency()), 1);
}

// libgomp pins the initial thread in its constructor; threads made later inherit that one core.
void warn_if_pinned() {
  const char* bind = std::getenv("OMP_PROC_BIND");
  if (bind == nullptr || *bind == '\0' || std::string_view(bind) == "false" ||
      std::string_view(bind) == "FALSE") {
    return;
  }
  std::fprintf(
      stderr,
      "weft: OMP_PROC_BIND=%s pins all threads of this process to one core; unset it to use "
      "every core\n",
      bind);
}

struct Job {
  std::int64_t count = 0;
  void (*run)(void* context, std::int64_t i) = nullptr;
  void* context = nullptr;
};

/// One job at a time. Workers join a job while its gate is open; a job's fields are written only
/// while the gate is closed and nobody is inside. The caller never waits for a worker that has not
/// joined.
class ThreadPool {
 public:
  ThreadPool() : threads_(usable_cores()) { warn_if_pinned(); }

  int threads() const { return threads_.load(std::memory_order_relaxed); }

  void set_threads(int count) {
    const std::lock_guard lock(mutex_);
    stop_workers();
    threads_.store(count == 0 ? usable_cores() : count, std::memory_order_relaxed);
  }

  /// False when another caller has the pool: the job has not been run.
  bool try_run(const Job& job) {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock.owns_lock()) return false;
    if (workers_.empty()) start_workers();
    job_ = job;
    error_ = nullptr;
    next_.store(0, std::memory_order_relaxed);
    gate_.store(kOpen, std::memory_order_release);
    wake(job.count - 1);
    take_chunks();
    close_gate();
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    return true;
  }

 private:
  static constexpr std::uint32_t kOpen = 0x80000000u;

  void start_workers() {
    // Signals belong to the program's threads.
    sigset_t all, saved;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &saved);
    const int wanted = threads() - 1;
    const std::uint32_t generation = generation_.load(std::memory_order_relaxed);
    try {
      while (static_cast<int>(workers_.size()) < wanted) {
        workers_.emplace_back([this, generation] { work(generation); });
        pthread_setname_np(workers_.back().native_handle(), "weft-worker");
      }
    } catch (const std::system_error&) {
      // The system gives no more threads: fewer share the work, with the same results.
    }
    pthread_sigmask(SIG_SETMASK, &saved, nullptr);
  }

  void stop_workers() {
    stop_.store(true, std::memory_order_relaxed);
    wake(static_cast<std::int64_t>(workers_.size()));
    for (auto& worker : workers_) worker.join();
    workers_.clear();
    stop_.store(false, std::memory_order_relaxed);
  }

  void wake(std::int64_t helpers) {
    generation_.fetch_add(1, std::memory_order_acq_rel);
    if (helpers >= static_cast<std::int64_t>(workers_.size())) {
      generation_.notify_all();
    } else {
      for (std::int64_t i = 0; i < helpers; ++i) generation_.notify_one();
    }
  }

  void work(std::uint32_t generation) {
    for (;;) {
      wait_while(generation_, generation);
      generation = generation_.load(std::memory_order_acquire);
      if (stop_.load(std::memory_order_relaxed)) return;
      if (!enter()) continue;
      take_chunks();
      if (gate_.fetch_sub(1, std::memory_order_acq_rel) == 1) gate_.notify_one();
    }
  }

  bool enter() {
    std::uint32_t gate = gate_.load(std::memory_order_relaxed);
    while ((gate & kOpen) != 0) {
      if (gate_.compare_exchange_weak(gate, gate + 1, std::memory_order_acquire,
                                      std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  void close_gate() {
    std::uint32_t inside = gate_.fetch_and(~kOpen, std::memory_order_acq_rel) & ~kOpen;
    while (inside != 0) {
      wait_while(gate_, inside);
      inside = gate_.load(std::memory_order_acquire);
    }
  }

  void take_chunks() {
    inside_chunk = true;
    for (;;) {
      const std::int64_t i = next_.fetch_add(1, std::memory_order_relaxed);
      if (i >= job_.count) break;
      try {
        job_.run(job_.context, i);
      } catch (...) {
        fail(i, std::current_exception());
      }
    }
    inside_chunk = false;
  }

  // Chunks are handed out in order, so every chunk before a failing one has been handed out: the
  // lowest failure of those that ran is the lowest of all, and the rest need not start.
  void fail(std::int64_t i, std::exception_ptr error) {
    next_.store(job_.count, std::memory_order_relaxed);
    const std::lock_guard lock(error_mutex_);
    if (error_ && error_chunk_ < i) return;
    error_ = std::move(error);
    error_chunk_ = i;
  }

  std::mutex mutex_;
  std::vector<std::thread> workers_;
  std::atomic<int> threads_;
  Job job_;
  std::exception_ptr error_;
  std::int64_t error_chunk_ = 0;
  std::mutex error_mutex_;
  std::atomic<bool> stop_{false};
  alignas(64) std::atomic<std::uint32_t> generation_{0};
  alignas(64) std::atomic<std::uint32_t> gate_{0};
  alignas(64) std::atomic<std::int64_t> next_{0};
};

// Never destroyed: a kernel may run in a static destructor, and a forked child has no workers to
// join.
ThreadPool& pool() {
  static ThreadPool& pool = *new ThreadPool;
  return pool;
}

}  // namespace

void run_chunks(std::int64_t count, void (*run)(void* context, std::int64_t i), void* context) {
  if (count > 1 && !inside_chunk && pool().threads() > 1 && pool().try_run({count, run, context})) {
    return;
  }
  for (std::int64_t i = 0; i < count; ++i) run(context, i);
}

}  // namespace weft::cpu

namespace weft {

void set_num_threads(int count) {
  if (count < 0 || count > cpu::kMaxThreads) {
    throw Error(ErrorKind::value, cat("set_num_threads: count is ", count,
                                      "; needs 0 (all cores) to ", cpu::kMaxThreads));
  }
  if (cpu::inside_chunk) {
    throw Error(ErrorKind::state, "set_num_threads: called from inside a kernel");
  }
  cpu::pool().set_threads(count);
}

int num_threads() { return cpu::pool().threads(); }

}  // namespace weft
