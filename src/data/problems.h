// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace weft::data {

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
