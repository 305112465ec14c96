// SPDX-License-Identifier: Apache-2.0
#include "cpu/parallel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "weft/base/error.h"
#include "weft/core/threads.h"

namespace weft::cpu {
namespace {

class Threads : public testing::TestWithParam<int> {
 protected:
  void SetUp() override { set_num_threads(GetParam()); }
  void TearDown() override { set_num_threads(0); }
};

INSTANTIATE_TEST_SUITE_P(Counts, Threads, testing::Values(1, 2, 3, 8));

TEST_P(Threads, RunEveryChunkOnce) {
  for (int round = 0; round < 200; ++round) {
    std::vector<std::atomic<int>> runs(97);
    parallel_chunks(97, [&](std::int64_t i) { ++runs[static_cast<std::size_t>(i)]; });
    for (auto& count : runs) ASSERT_EQ(count.load(), 1);
  }
}

TEST_P(Threads, SplitByGrainAlone) {
  std::vector<std::atomic<std::int64_t>> ends(4);
  parallel_for(35, 10, [&](std::int64_t begin, std::int64_t end) {
    ends[static_cast<std::size_t>(begin / 10)] = end;
  });
  EXPECT_EQ(ends[0], 10);
  EXPECT_EQ(ends[1], 20);
  EXPECT_EQ(ends[2], 30);
  EXPECT_EQ(ends[3], 35);
}

TEST_P(Threads, RethrowTheLowestFailure) {
  for (int round = 0; round < 100; ++round) {
    try {
      parallel_chunks(64, [](std::int64_t i) {
        if (i % 10 == 7) throw std::runtime_error(std::to_string(i));
      });
      FAIL() << "nothing was thrown";
    } catch (const std::runtime_error& error) {
      ASSERT_STREQ(error.what(), "7");
    }
  }
}

TEST_P(Threads, WorkAfterAFailure) {
  EXPECT_THROW(parallel_chunks(8, [](std::int64_t) { throw std::runtime_error("x"); }),
               std::runtime_error);
  std::atomic<int> runs = 0;
  parallel_chunks(8, [&](std::int64_t) { ++runs; });
  EXPECT_EQ(runs, 8);
}

TEST_P(Threads, RunNestedCallsOnTheSameThread) {
  std::atomic<int> elsewhere = 0, runs = 0;
  parallel_chunks(8, [&](std::int64_t) {
    const auto self = std::this_thread::get_id();
    parallel_chunks(8, [&](std::int64_t) {
      ++runs;
      if (std::this_thread::get_id() != self) ++elsewhere;
    });
  });
  EXPECT_EQ(runs, 64);
  EXPECT_EQ(elsewhere, 0);
}

TEST_P(Threads, ServeSeveralCallersAtOnce) {
  std::atomic<std::int64_t> sum = 0;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        parallel_chunks(16, [&](std::int64_t i) { sum += i; });
      }
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(sum, 4 * 50 * 120);
}

TEST(ThreadPool, UsesSeveralThreads) {
  set_num_threads(2);
  // Each of two chunks waits for the other to begin: only two threads can finish this.
  std::atomic<int> begun = 0;
  parallel_chunks(2, [&](std::int64_t) {
    ++begun;
    while (begun.load() < 2) std::this_thread::yield();
  });
  set_num_threads(0);
  EXPECT_EQ(begun, 2);
}

TEST(ThreadPool, KeepsItsWorkers) {
  const auto tasks = [] {
    std::set<std::string> ids;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      ids.insert(task.path().filename());
    }
    return ids;
  };
  set_num_threads(3);
  parallel_chunks(8, [](std::int64_t) {});
  const auto before = tasks();
  for (int i = 0; i < 100; ++i) parallel_chunks(8, [](std::int64_t) {});
  EXPECT_EQ(tasks(), before);
  set_num_threads(0);
}

TEST(ThreadPool, DefaultsToTheCoresOfTheProcess) {
  set_num_threads(0);
  cpu_set_t set;
  ASSERT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
  EXPECT_EQ(num_threads(), CPU_COUNT(&set));
}

TEST(ThreadPool, RejectsNegativeCounts) {
  try {
    set_num_threads(-1);
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::value);
    EXPECT_EQ(error.message(), "set_num_threads: count is -1; needs 0 (all cores) to 1024");
  }
}

TEST(ThreadPoolDeathTest, WarnsOnceWhenOpenMpPinsThreads) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        setenv("OMP_PROC_BIND", "true", 1);
        set_num_threads(2);
        set_num_threads(1);
        std::exit(0);
      },
      testing::ExitedWithCode(0), "^weft: OMP_PROC_BIND=true pins [^\n]*\n$");
}

}  // namespace
}  // namespace weft::cpu
