// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/nn/options.h"

namespace weft {

/// Something that a config file asks for by name. `options` has static storage duration.
template <class Factory>
struct Registered {
  std::string name;
  std::string doc;
  std::span<const OptionSpec> options;
  Factory make;
};

/// Named factories of one kind (`layer`, `loss`, `optimizer`, `metric`, `schedule`). Append-only:
/// references stay valid. Thread-safe.
template <class Factory>
class Registry {
 public:
  using Entry = Registered<Factory>;

  explicit Registry(std::string_view kind) : kind_(kind) {}

  /// Throws Error(value) when the name is taken; `replace` lets the new entry win instead.
  void add(Entry entry, bool replace = false) {
    const std::lock_guard lock(mutex_);
    if (!replace && find_locked(entry.name) != nullptr) {
      throw Error(ErrorKind::value, cat(kind_, " `", entry.name, "` is registered already"),
                  "choose another name, or pass replace = true");
    }
    entries_.push_back(std::move(entry));
  }

  /// nullptr when there is none.
  const Entry* find(std::string_view name) const {
    const std::lock_guard lock(mutex_);
    return find_locked(name);
  }

  /// Throws Error(unsupported) with the nearest name.
  const Entry& at(std::string_view name) const {
    if (const Entry* entry = find(name)) return *entry;
    const std::vector<std::string> known = names();
    const std::string near = nearest_name(name, known);
    throw Error(ErrorKind::unsupported, cat("no ", kind_, " is called ", quoted(name)),
                near.empty() ? cat("there are ", join(known)) : cat("did you mean `", near, "`?"));
  }

  /// In order of registration, each name once.
  std::vector<std::string> names() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> out;
    for (const Entry& entry : entries_) {
      if (find_locked(entry.name) == &entry) out.push_back(entry.name);
    }
    return out;
  }

  const std::string& kind() const { return kind_; }

 private:
  const Entry* find_locked(std::string_view name) const {
    for (auto it = entries_.rbegin(); it != entries_.rend(); ++it) {
      if (it->name == name) return &*it;
    }
    return nullptr;
  }

  std::string kind_;
  mutable std::mutex mutex_;
  std::deque<Entry> entries_;
};

}  // namespace weft
