// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace weft::data {

/// `did you mean ...?`, or all the names there are.
std::string hint_of_names(std::string_view given, std::span<const std::string> names);

/// Faults of a data file, collected so that one reading shows all of them: the first 20 in full,
/// the rest as a number.
class Problems {
 public:
  void add(std::string where, std::string message);
  bool empty() const { return count_ == 0; }
  /// Throws Error(data) when there are any.
  void raise(std::string hint = {}) const;

 private:
  std::string where_;
  std::string text_;
  std::int64_t count_ = 0;
};

}  // namespace weft::data
