// SPDX-License-Identifier: Apache-2.0
#include "weft/core/context.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/support/expect_error.h"

namespace weft {
namespace {

TEST(Context, ScopesNestAndRestore) {
  const Settings before = current_settings();
  Session* session = &current_session();
  {
    Settings settings;
    settings.determinism = Determinism::error;
    const Context context = Context::make(settings, 7);
    const ContextScope outer(context);
    EXPECT_EQ(&current_session(), context.session.get());
    EXPECT_EQ(current_settings().determinism, Determinism::error);
    {
      Settings half = current_settings();
      half.autocast = true;
      const ContextScope inner(half);
      EXPECT_TRUE(current_settings().autocast);
      EXPECT_EQ(&current_session(), context.session.get());
    }
    EXPECT_FALSE(current_settings().autocast);
  }
  EXPECT_EQ(&current_session(), session);
  EXPECT_EQ(current_settings().determinism, before.determinism);
}

TEST(Context, ASessionLivesAsLongAsItsScope) {
  std::weak_ptr<Session> session;
  {
    Context context = Context::make();
    session = context.session;
    const ContextScope scope(context);
    context = {};
    EXPECT_FALSE(session.expired());
    EXPECT_EQ(current_context().session, session.lock());
  }
  EXPECT_TRUE(session.expired());
}

TEST(Context, TwoCoexistInTwoThreads) {
  const Context a = Context::make({}, 1);
  const Context b = Context::make({}, 2);
  std::vector<RandomAddress> drawn_a, drawn_b;
  const auto draw = [](const Context& context, std::vector<RandomAddress>& out) {
    const ContextScope scope(context);
    for (int i = 0; i < 100; ++i) out.push_back(current_session().next_draw("dropout", Device()));
  };
  std::thread thread(draw, std::cref(b), std::ref(drawn_b));
  draw(a, drawn_a);
  thread.join();
  for (std::uint64_t i = 0; i < 100; ++i) {
    EXPECT_EQ(drawn_a[i].ordinal, i);
    EXPECT_EQ(drawn_b[i].ordinal, i);
    EXPECT_EQ(drawn_a[i].seed, 1u);
    EXPECT_EQ(drawn_b[i].seed, 2u);
  }
}

TEST(Context, OtherThreadsBeginWithTheDefault) {
  const ContextScope scope(Context::make({}, 9));
  const NoGrad no_grad;
  std::thread([] {
    EXPECT_TRUE(current_settings().grad);
    EXPECT_EQ(current_session().random_state().seed, 0u);
    EXPECT_EQ(current_context().session.get(), &current_session());
  }).join();
}

TEST(Context, NoGradNests) {
  EXPECT_TRUE(current_settings().grad);
  {
    const NoGrad outer;
    {
      const NoGrad inner;
    }
    EXPECT_FALSE(current_settings().grad);
  }
  EXPECT_TRUE(current_settings().grad);
}

TEST(Session, CountsDraws) {
  Session session;
  session.set_seed(5);
  const RandomAddress first = session.next_draw("dropout", Device());
  EXPECT_EQ(first.seed, 5u);
  EXPECT_EQ(first.stream, stream_id("dropout"));
  EXPECT_EQ(first.ordinal, 0u);
  EXPECT_EQ(first.base, nullptr);
  EXPECT_EQ(session.next_draw("init", Device()).ordinal, 1u);
  session.skip_draws(10);
  EXPECT_EQ(session.random_state(), (RandomState{5, 12}));
  session.set_random_state({5, 1});
  EXPECT_EQ(session.next_draw("init", Device()).ordinal, 1u);
}

TEST(Session, DrawsOfARecordedStepAreRelativeToItsCounter) {
  Session session;
  session.skip_draws(40);
  const std::uint64_t base = 40;
  session.begin_relative_draws(&base, Device("cuda:0"));
  RandomAddress address = session.next_draw("dropout", Device("cuda:0"));
  EXPECT_EQ(address.ordinal, 0u);
  EXPECT_EQ(address.base, &base);
  address = session.next_draw("dropout", Device());
  EXPECT_EQ(address.ordinal, 41u);
  EXPECT_EQ(address.base, nullptr);
  EXPECT_EQ(session.next_draw("dropout", Device("cuda:0")).ordinal, 2u);
  EXPECT_WEFT_ERROR(session.begin_relative_draws(&base, Device()), state,
                    "begin_relative_draws: a step is being recorded already");
  EXPECT_WEFT_ERROR(session.set_random_state({}), state,
                    "set_random_state: a step is being recorded");
  EXPECT_EQ(session.end_relative_draws(), 3u);
  EXPECT_EQ(session.random_state().draws, 43u);
  EXPECT_EQ(session.next_draw("dropout", Device("cuda:0")).base, nullptr);
  EXPECT_WEFT_ERROR(session.end_relative_draws(), state, "no step is being recorded");
}

// "costarring" and "liquid" are a known collision of 32-bit FNV-1a.
TEST(Session, RefusesTwoStreamsWithOneId) {
  ASSERT_EQ(stream_id("costarring"), stream_id("liquid"));
  Session session;
  session.next_draw("costarring", Device());
  session.next_draw("costarring", Device());
  EXPECT_WEFT_ERROR(
      session.next_draw("liquid", Device()), value,
      "random stream `liquid` has the same id as `costarring`; the ids of streams must "
      "differ; rename one of them");
}

TEST(Session, ObserversComeAndGo) {
  Session session;
  int a = 0, b = 0;  // only their addresses matter here
  auto* first = reinterpret_cast<Observer*>(&a);
  auto* second = reinterpret_cast<Observer*>(&b);
  EXPECT_FALSE(session.observed());
  const std::uint64_t revision = session.revision();
  session.add_observer(first);
  const std::vector<Observer*>& seen = session.observers();
  session.add_observer(second);
  EXPECT_EQ(seen, (std::vector<Observer*>{first}));
  EXPECT_EQ(session.observers(), (std::vector<Observer*>{first, second}));
  session.remove_observer(first);
  EXPECT_EQ(session.observers(), (std::vector<Observer*>{second}));
  EXPECT_TRUE(session.observed());
  session.remove_observer(second);
  session.remove_observer(second);
  EXPECT_FALSE(session.observed());
  EXPECT_TRUE(session.observers().empty());
  EXPECT_GT(session.revision(), revision);
}

TEST(Session, TheCpusStreamIsImmediate) {
  EXPECT_EQ(current_session().stream(Device()).handle, nullptr);
  EXPECT_WEFT_ERROR(current_session().stream("cuda:5"), device, "device cuda:5 does not exist");
}

TEST(Paths, AreInternedOnce) {
  EXPECT_EQ(intern_path(""), 0);
  const std::uint16_t id = intern_path("context_test.encoder.fc1");
  EXPECT_NE(id, 0);
  EXPECT_EQ(intern_path("context_test.encoder.fc1"), id);
  EXPECT_EQ(path_text(id), "context_test.encoder.fc1");
  EXPECT_EQ(path_text(0), "");
  EXPECT_EQ(path_text(65535), "");
}

TEST(Paths, TheModuleScopeNests) {
  const std::uint16_t outer = intern_path("context_test.outer");
  const std::uint16_t inner = intern_path("context_test.inner");
  {
    const ModuleScope a(outer);
    {
      const ModuleScope b(inner);
      EXPECT_EQ(current_path(), inner);
    }
    EXPECT_EQ(current_path(), outer);
  }
  EXPECT_EQ(current_path(), 0);
}

}  // namespace
}  // namespace weft
