// SPDX-License-Identifier: Apache-2.0
#include "weft/optim/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "weft/base/error.h"

namespace weft::optim {
namespace {

using ::testing::HasSubstr;

constexpr RunLength kRun{.steps_per_epoch = 40, .total_steps = 600};

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

TEST(Schedule, WithoutPhasesTheFactorIsOne) { EXPECT_EQ(Schedule().factor(17, kRun), 1); }

// Two epochs of warm-up, then a cosine over the 520 steps that are left.
TEST(Schedule, PhasesFollowEachOtherAndTheLastTakesWhatIsLeft) {
  const Schedule schedule(
      {SchedulePhase::linear(0.1, 1).for_epochs(2), SchedulePhase::cosine(0.01)});
  EXPECT_DOUBLE_EQ(schedule.factor(0, kRun), 0.1);
  EXPECT_DOUBLE_EQ(schedule.factor(9, kRun), 0.1 + 0.9 * 9 / 80);
  EXPECT_DOUBLE_EQ(schedule.factor(80, kRun), 1);
  EXPECT_DOUBLE_EQ(schedule.factor(80 + 260, kRun), 0.505);
  EXPECT_NEAR(schedule.factor(99, kRun), 0.01 + 0.99 * (1 + std::cos(M_PI * 19 / 520)) / 2, 1e-15);
  EXPECT_DOUBLE_EQ(schedule.factor(600, kRun), 0.01);
  EXPECT_DOUBLE_EQ(schedule.factor(5000, kRun), 0.01) << "the last factor stays";
}

TEST(Schedule, LengthsMayBeSteps) {
  const Schedule schedule({SchedulePhase::constant(0.5).for_steps(3), SchedulePhase::constant(2)});
  EXPECT_EQ(schedule.factor(2, kRun), 0.5);
  EXPECT_EQ(schedule.factor(3, kRun), 2);
}

TEST(Schedule, StepDecaysEveryFewEpochs) {
  const Schedule schedule({SchedulePhase::step(2, 0.5)});
  EXPECT_EQ(schedule.factor(79, kRun), 1);
  EXPECT_EQ(schedule.factor(80, kRun), 0.5);
  EXPECT_EQ(schedule.factor(160, kRun), 0.25);
}

TEST(Schedule, MultiStepDecaysAtItsMilestones) {
  const Schedule schedule({SchedulePhase::multi_step({1, 3}, 0.1)});
  EXPECT_EQ(schedule.factor(39, kRun), 1);
  EXPECT_DOUBLE_EQ(schedule.factor(40, kRun), 0.1);
  EXPECT_DOUBLE_EQ(schedule.factor(120, kRun), 0.01);
}

TEST(Schedule, ExponentialDecaysEveryEpoch) {
  EXPECT_DOUBLE_EQ(Schedule({SchedulePhase::exponential(0.9)}).factor(120, kRun), std::pow(0.9, 3));
}

TEST(Schedule, TheFactorAtTheEndOfTheLastPhaseStays) {
  const Schedule schedule({SchedulePhase::exponential(0.5).for_epochs(2)});
  EXPECT_EQ(schedule.factor(79, kRun), 0.5);
  EXPECT_EQ(schedule.factor(80, kRun), 0.25);
  EXPECT_EQ(schedule.factor(400, kRun), 0.25);
}

// torch.optim.lr_scheduler.OneCycleLR: the peak is at pct_start·total - 1, the end at total - 1.
TEST(Schedule, OneCycleRisesToOneAndFallsFarBelowItsStart) {
  const Schedule schedule({SchedulePhase::one_cycle(0.25, 25, 1e4)});
  const RunLength run{.steps_per_epoch = 10, .total_steps = 100};
  EXPECT_DOUBLE_EQ(schedule.factor(0, run), 1.0 / 25);
  EXPECT_DOUBLE_EQ(schedule.factor(24, run), 1);
  EXPECT_DOUBLE_EQ(schedule.factor(12, run), (1 + 1.0 / 25) / 2);
  EXPECT_NEAR(schedule.factor(99, run), 1.0 / 25 / 1e4, 1e-15);
}

TEST(Schedule, OnlyTheLastPhaseMayLackALength) {
  EXPECT_THAT(message_of([] { Schedule({SchedulePhase::constant(), SchedulePhase::cosine(0)}); }),
              HasSubstr("phase 0 (constant) has no length"));
}

TEST(Schedule, APhaseThatNeedsALengthSaysSoWhenOnlyTimeEndsTheRun) {
  const Schedule schedule({SchedulePhase::cosine(0)});
  EXPECT_THAT(message_of([&] { schedule.factor(0, {.steps_per_epoch = 4}); }),
              HasSubstr("needs a length"));
  EXPECT_EQ(Schedule({SchedulePhase::step(1)}).factor(0, {.steps_per_epoch = 4}), 1);
}

TEST(Schedule, RefusesValuesOutOfRange) {
  EXPECT_THROW(SchedulePhase::cosine(-1), Error);
  EXPECT_THROW(SchedulePhase::step(0), Error);
  EXPECT_THROW(SchedulePhase::multi_step({3, 1}), Error);
  EXPECT_THROW(SchedulePhase::one_cycle(0), Error);
  EXPECT_THROW(SchedulePhase::constant().for_epochs(0), Error);
}

TEST(ScheduleRegistry, MakesEveryPhaseFromItsOptions) {
  const std::pair<std::string, std::vector<std::pair<std::string, std::string>>> kCases[] = {
      {"constant", {}},
      {"linear", {{"from", "0.1"}, {"to", "1"}}},
      {"cosine", {{"to", "0"}}},
      {"step", {{"every", "2"}}},
      {"multi_step", {{"milestones", "[1, 2]"}}},
      {"exponential", {{"gamma", "0.9"}}},
      {"one_cycle", {}}};
  EXPECT_EQ(schedule_registry().names().size(), std::size(kCases));
  for (const auto& [type, texts] : kCases) {
    const auto& entry = schedule_registry().at(type);
    const SchedulePhase phase = entry.make(OptionValues::parse(entry.options, texts, type));
    EXPECT_EQ(phase.type(), type);
    EXPECT_GE(Schedule({phase}).factor(1, kRun), 0);
  }
}

}  // namespace
}  // namespace weft::optim
