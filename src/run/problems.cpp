// SPDX-License-Identifier: Apache-2.0
#include "run/problems.h"

#include <algorithm>
#include <tuple>

namespace weft {

void Problems::add(const Origin& origin, std::string message, std::string hint) {
  found_.push_back(
      {origin, Error(ErrorKind::config, std::move(message), std::move(hint), origin.where())});
}

void Problems::add(const Error& error) {
  found_.push_back({{Origin::Kind::file, {}, 0, 0}, error});
}

void Problems::raise() {
  if (found_.empty()) return;
  std::stable_sort(found_.begin(), found_.end(), [](const Problem& a, const Problem& b) {
    const auto order = [](const Origin& o) { return std::tuple(o.kind, o.line, o.column); };
    return order(a.origin) < order(b.origin);
  });
  if (found_.size() == 1) throw found_.front().error;
  std::string lines;
  for (const Problem& problem : found_) {
    if (!lines.empty()) lines += '\n';
    lines += problem.error.what();
  }
  throw Error(ErrorKind::config, std::move(lines));
}

}  // namespace weft
