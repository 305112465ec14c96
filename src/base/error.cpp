// SPDX-License-Identifier: Apache-2.0
#include "weft/base/error.h"

#include <array>
#include <utility>

namespace weft {

namespace {

constexpr std::array<std::string_view, 15> kKindNames = {
    "shape", "dtype",      "device", "index",     "value", "state",       "unsupported", "config",
    "data",  "model_file", "memory", "nonfinite", "io",    "interrupted", "internal"};
static_assert(kKindNames.size() == static_cast<std::size_t>(ErrorKind::internal) + 1);

std::string sentence(const std::string& where, const std::string& message,
                     const std::string& hint) {
  std::string text;
  if (!where.empty()) text = where + ": ";
  text += message;
  if (hint.empty()) return text;
  text += message.ends_with('.') ? " " : "; ";
  return text += hint;
}

}  // namespace

std::string_view name_of(ErrorKind kind) { return kKindNames[static_cast<std::size_t>(kind)]; }

Error::Error(ErrorKind kind, std::string message, std::string hint, std::string where)
    : kind_(kind),
      message_(std::move(message)),
      hint_(std::move(hint)),
      where_(std::move(where)),
      what_(sentence(where_, message_, hint_)) {}

Error::~Error() = default;

Error Error::at(std::string_view where) const {
  if (!where_.empty()) return *this;
  return Error(kind_, message_, hint_, std::string(where));
}

}  // namespace weft
