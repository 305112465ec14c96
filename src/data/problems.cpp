// SPDX-License-Identifier: Apache-2.0
#include "data/problems.h"

#include <utility>

#include "weft/base/error.h"
#include "weft/base/text.h"

namespace weft::data {

namespace {
constexpr std::int64_t kShown = 20;
}

std::string hint_of_names(std::string_view given, std::span<const std::string> names) {
  const std::string nearest = nearest_name(given, names);
  if (!nearest.empty()) return cat("did you mean `", weft::quoted(nearest), "`?");
  return cat("it has ", weft::quoted(join(names), 200));
}

void Problems::add(std::string where, std::string message) {
  if (count_++ == 0) {
    where_ = std::move(where);
    text_ = std::move(message);
  } else if (count_ <= kShown) {
    text_ += cat('\n', where, ": ", message);
  }
}

void Problems::raise(std::string hint) const {
  if (empty()) return;
  std::string text = text_;
  if (count_ > kShown) text += cat("\nand ", count_ - kShown, " more");
  throw Error(ErrorKind::data, std::move(text), std::move(hint), where_);
}

}  // namespace weft::data
