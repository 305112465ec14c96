// SPDX-License-Identifier: Apache-2.0
#include "weft/core/context.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <utility>

#include "core/thread_state.h"
#include "weft/base/error.h"
#include "weft/base/text.h"

namespace weft {

struct Session::Impl {
  using Observers = std::vector<Observer*>;

  mutable std::mutex mutex;
  RandomState random;
  std::map<std::uint32_t, std::string, std::less<>> stream_names;
  const std::uint64_t* relative_base = nullptr;
  Device relative_device;
  std::uint64_t relative_start = 0;

  // Dispatch reads the list without a lock. Lists are never freed before the session, and a list
  // that was there before is used again, so switching a profiler on and off does not pile them up.
  std::deque<Observers> lists{1};
  std::atomic<const Observers*> observers{&lists.front()};

  void publish(Observers list) {
    auto known = std::find(lists.begin(), lists.end(), list);
    if (known == lists.end()) known = lists.insert(lists.end(), std::move(list));
    observers.store(&*known, std::memory_order_release);
  }
};

Session::Session() : impl_(std::make_unique<Impl>()) {}
Session::~Session() = default;

void Session::set_seed(std::uint64_t seed) { set_random_state({.seed = seed, .draws = 0}); }

RandomState Session::random_state() const {
  const std::scoped_lock lock(impl_->mutex);
  return impl_->random;
}

void Session::set_random_state(const RandomState& state) {
  const std::scoped_lock lock(impl_->mutex);
  if (impl_->relative_base != nullptr) {
    throw Error(ErrorKind::state,
                "set_random_state: a step is being recorded, the random state cannot change now",
                "set it before or after the step");
  }
  impl_->random = state;
}

RandomAddress Session::next_draw(std::string_view name, Device device) {
  const std::scoped_lock lock(impl_->mutex);
  const std::uint32_t id = stream_id(name);
  const auto known = impl_->stream_names.find(id);
  if (known == impl_->stream_names.end()) {
    impl_->stream_names.emplace(id, name);
  } else if (known->second != name) {
    throw Error(ErrorKind::value,
                cat("random stream `", name, "` has the same id as `", known->second,
                    "`; the ids of streams must differ"),
                "rename one of them");
  }
  RandomAddress address{.seed = impl_->random.seed, .stream = id, .ordinal = impl_->random.draws++};
  if (impl_->relative_base != nullptr && impl_->relative_device == device) {
    address.ordinal -= impl_->relative_start;
    address.base = impl_->relative_base;
  }
  return address;
}

void Session::begin_relative_draws(const std::uint64_t* base, Device device) {
  const std::scoped_lock lock(impl_->mutex);
  if (impl_->relative_base != nullptr) {
    throw Error(ErrorKind::state, "begin_relative_draws: a step is being recorded already");
  }
  impl_->relative_base = base;
  impl_->relative_device = device;
  impl_->relative_start = impl_->random.draws;
}

std::uint64_t Session::end_relative_draws() {
  const std::scoped_lock lock(impl_->mutex);
  if (std::exchange(impl_->relative_base, nullptr) == nullptr) {
    throw Error(ErrorKind::state, "end_relative_draws: no step is being recorded");
  }
  return impl_->random.draws - impl_->relative_start;
}

void Session::skip_draws(std::uint64_t count) {
  const std::scoped_lock lock(impl_->mutex);
  impl_->random.draws += count;
}

void Session::set_draws(std::uint64_t draws) {
  const std::scoped_lock lock(impl_->mutex);
  impl_->random.draws = draws;
}

void Session::add_observer(Observer* observer) {
  const std::scoped_lock lock(impl_->mutex);
  Impl::Observers list = observers();
  list.push_back(observer);
  impl_->publish(std::move(list));
  observed_.store(true, std::memory_order_relaxed);
  bump_revision();
}

void Session::remove_observer(Observer* observer) {
  const std::scoped_lock lock(impl_->mutex);
  Impl::Observers list = observers();
  const auto found = std::find(list.begin(), list.end(), observer);
  if (found == list.end()) return;
  list.erase(found);
  observed_.store(!list.empty(), std::memory_order_relaxed);
  impl_->publish(std::move(list));
  bump_revision();
}

const std::vector<Observer*>& Session::observers() const noexcept {
  return *impl_->observers.load(std::memory_order_acquire);
}

Stream Session::stream(Device device) {
  if (device.is_cpu()) return {.handle = nullptr, .device = device};
  return backend_of(device).default_stream(device.index);
}

Context Context::make(Settings settings, std::uint64_t seed) {
  Context context{.settings = settings, .session = std::make_shared<Session>()};
  context.session->set_seed(seed);
  return context;
}

namespace {

std::shared_ptr<Session>& default_session() {
  // Never destroyed: destructors at exit may still run ops.
  static auto& session = *new std::shared_ptr<Session>(std::make_shared<Session>());
  return session;
}

}  // namespace

Context current_context() {
  return {.settings = thread_state.settings, .session = current_session().shared_from_this()};
}

const Settings& current_settings() noexcept { return thread_state.settings; }

Session& current_session() noexcept {
  // Kept, so that dispatch finds the default session without a call.
  if (thread_state.session == nullptr) thread_state.session = default_session().get();
  return *thread_state.session;
}

ContextScope::ContextScope(const Context& context)
    : saved_settings_(std::exchange(thread_state.settings, context.settings)),
      saved_session_(std::exchange(thread_state.session, context.session.get())),
      session_(context.session) {}

ContextScope::ContextScope(const Settings& settings)
    : saved_settings_(std::exchange(thread_state.settings, settings)),
      saved_session_(thread_state.session) {}

ContextScope::~ContextScope() {
  thread_state.settings = saved_settings_;
  thread_state.session = saved_session_;
}

NoGrad::NoGrad() : saved_(std::exchange(thread_state.settings.grad, false)) {}
NoGrad::~NoGrad() { thread_state.settings.grad = saved_; }

void set_seed(std::uint64_t seed) { current_session().set_seed(seed); }

namespace {

struct PathTable {
  std::mutex mutex;
  std::deque<std::string> texts{""};
  std::map<std::string, std::uint16_t, std::less<>> ids{{"", 0}};
};

PathTable& path_table() {
  static PathTable& table = *new PathTable;
  return table;
}

}  // namespace

std::uint16_t intern_path(std::string_view path) {
  PathTable& table = path_table();
  const std::scoped_lock lock(table.mutex);
  const auto known = table.ids.find(path);
  if (known != table.ids.end()) return known->second;
  if (table.texts.size() > UINT16_MAX) {
    throw Error(ErrorKind::unsupported, cat("module path `", quoted(path),
                                            "` is the 65537th of this process, 65536 are "
                                            "possible"));
  }
  const auto id = static_cast<std::uint16_t>(table.texts.size());
  table.texts.emplace_back(path);
  table.ids.emplace(path, id);
  return id;
}

std::string path_text(std::uint16_t id) {
  PathTable& table = path_table();
  const std::scoped_lock lock(table.mutex);
  return id < table.texts.size() ? table.texts[id] : std::string();
}

ModuleScope::ModuleScope(std::uint16_t path) noexcept
    : saved_(std::exchange(thread_state.path, path)) {}
ModuleScope::~ModuleScope() { thread_state.path = saved_; }
std::uint16_t current_path() noexcept { return thread_state.path; }

}  // namespace weft
