// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "weft/base/device.h"
#include "weft/base/dtype.h"
#include "weft/base/philox.h"
#include "weft/core/backend.h"

namespace weft {

class Observer;

enum class Determinism : std::uint8_t { off, warn, error };

/// What surrounds a computation; copied by value.
struct Settings {
  bool grad = true;
  bool autocast = false;
  DType autocast_dtype = DType::bf16;
  Determinism determinism = Determinism::off;
  Device device;             ///< default for new tensors
  DType dtype = DType::f32;  ///< default for new floating tensors
};

/// The random generator of a session: one seed, one count of draws, streams by name.
struct RandomState {
  std::uint64_t seed = 0;
  std::uint64_t draws = 0;
  friend bool operator==(const RandomState&, const RandomState&) = default;
};

/// State that outlives a scope: random numbers, observers, streams, revision. Shared by Contexts.
class WEFT_API Session : public std::enable_shared_from_this<Session> {
 public:
  Session();
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void set_seed(std::uint64_t seed);
  RandomState random_state() const;
  void set_random_state(const RandomState& state);
  /// The address of the next draw of stream `name`; while a step is recorded it is relative to a
  /// counter on `device`, so that replays draw afresh. Two names with one id are Error(value).
  RandomAddress next_draw(std::string_view name, Device device);

  void add_observer(Observer* observer);
  void remove_observer(Observer* observer);
  bool observed() const noexcept { return observed_.load(std::memory_order_relaxed); }
  const std::vector<Observer*>& observers() const noexcept;

  /// The compute stream of `device`.
  Stream stream(Device device);

  /// Bumped by every setter of a module, optimizer, hook or load; part of a captured step's key.
  std::uint64_t revision() const noexcept { return revision_.load(std::memory_order_relaxed); }
  void bump_revision() noexcept { revision_.fetch_add(1, std::memory_order_relaxed); }

  /// While a step is recorded: draws are relative to `base` (a u64 on the device).
  void begin_relative_draws(const std::uint64_t* base, Device device);
  /// Returns the draws made since `begin_relative_draws`.
  std::uint64_t end_relative_draws();
  void skip_draws(std::uint64_t count);
  /// Moves the count of draws, also while a step is recorded: recomputation draws again what the
  /// first computation drew.
  void set_draws(std::uint64_t draws);

  struct Impl;

 private:
  std::atomic<bool> observed_{false};
  std::atomic<std::uint64_t> revision_{0};
  std::unique_ptr<Impl> impl_;
};

/// Settings plus a session. The current one is thread-local and scoped; two coexist in a process.
struct Context {
  Settings settings;
  std::shared_ptr<Session> session;

  /// A fresh session with `settings`.
  WEFT_API static Context make(Settings settings = {}, std::uint64_t seed = 0);
};

/// A copy of the calling thread's context.
WEFT_API Context current_context();
WEFT_API const Settings& current_settings() noexcept;
WEFT_API Session& current_session() noexcept;

/// Makes `context` current on this thread until destroyed; scopes nest.
class WEFT_API ContextScope {
 public:
  explicit ContextScope(const Context& context);
  /// Keeps the session, changes the settings.
  explicit ContextScope(const Settings& settings);
  ~ContextScope();
  ContextScope(const ContextScope&) = delete;
  ContextScope& operator=(const ContextScope&) = delete;

 private:
  Settings saved_settings_;
  Session* saved_session_;
  std::shared_ptr<Session> session_;
};

/// No node is recorded while it lives.
class WEFT_API NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool saved_;
};

/// Seeds the current session.
WEFT_API void set_seed(std::uint64_t seed);

/// The id of a module path, for owners and errors; ids are never reused. Path 0 is the empty one.
WEFT_API std::uint16_t intern_path(std::string_view path);
WEFT_API std::string path_text(std::uint16_t id);

/// Names the module that runs on this thread until destroyed.
class WEFT_API ModuleScope {
 public:
  explicit ModuleScope(std::uint16_t path) noexcept;
  ~ModuleScope();
  ModuleScope(const ModuleScope&) = delete;
  ModuleScope& operator=(const ModuleScope&) = delete;

 private:
  std::uint16_t saved_;
};
WEFT_API std::uint16_t current_path() noexcept;

}  // namespace weft
