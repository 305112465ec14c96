// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>

#include "weft/base/export.h"

namespace weft {

/// What went wrong, by who can mend it. The program maps kinds to exit codes (docs/errors.md).
enum class ErrorKind : std::uint8_t {
  shape,        ///< shapes do not fit together
  dtype,        ///< a dtype that the op does not take
  device,       ///< absent, mixed or failing device
  index,        ///< an index, label or position out of range
  value,        ///< any other argument out of its domain
  state,        ///< a call at the wrong time (backward twice, step after a failed backward)
  unsupported,  ///< no kernel, no gradient, no such name
  config,       ///< configuration file, flag or environment
  data,         ///< a data file
  model_file,   ///< a model or checkpoint file
  memory,       ///< memory or a budget is exhausted
  nonfinite,    ///< NaN or Inf where a number is needed
  io,           ///< file system: full, no permission, read or write failure
  interrupted,  ///< stopped by a signal
  internal,     ///< a bug of Weft
};

WEFT_API std::string_view name_of(ErrorKind kind);

/// The one exception type that Weft throws. `what()` is one sentence: op or key, argument, what was
/// given, what is needed; then `hint()`, what to do, when there is one. `where()` is a file
/// position
/// (`file:line:column`), a layer path, or empty.
class WEFT_API Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string message, std::string hint = {}, std::string where = {});
  ~Error() override;

  ErrorKind kind() const noexcept { return kind_; }
  const std::string& message() const noexcept { return message_; }
  const std::string& hint() const noexcept { return hint_; }
  const std::string& where() const noexcept { return where_; }
  const char* what() const noexcept override { return what_.c_str(); }

  /// A copy that says where it happened; keeps an earlier `where`, which is more precise.
  Error at(std::string_view where) const;

 private:
  ErrorKind kind_;
  std::string message_;
  std::string hint_;
  std::string where_;
  std::string what_;
};

}  // namespace weft
