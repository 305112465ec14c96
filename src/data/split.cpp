// SPDX-License-Identifier: Apache-2.0
#include "weft/data/split.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "data/random_order.h"
#include "weft/base/error.h"
#include "weft/base/text.h"

namespace weft::data {

namespace {

using Rows = std::vector<std::int64_t>;

void require_shares(const SplitOptions& options) {
  const double sum = options.train + options.val + options.test;
  const bool negative = options.train < 0 || options.val < 0 || options.test < 0;
  if (!negative && std::abs(sum - 1) < 1e-6) return;
  throw Error(ErrorKind::value,
              cat("split: train ", options.train, ", val ", options.val, " and test ", options.test,
                  " must not be negative and must sum to 1"));
}

// 0.29 * 100 is 28.999...96 in binary.
std::int64_t share(double fraction, std::int64_t rows) {
  return static_cast<std::int64_t>(std::floor(fraction * static_cast<double>(rows) + 1e-6));
}

std::int64_t length(const Rows& rows) { return static_cast<std::int64_t>(rows.size()); }

/// How many of `total` each class gives: its proportional part rounded down, then one more for the
/// largest remainders; a class gives its last row only when nothing else is left to give.
std::vector<std::int64_t> quotas(const std::vector<Rows>& classes, std::int64_t total) {
  std::int64_t rows = 0;
  for (const Rows& members : classes) rows += length(members);
  std::vector<std::int64_t> quota;
  std::vector<std::pair<std::int64_t, std::size_t>> remainders;
  std::int64_t left = total;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const auto exact =
        static_cast<unsigned __int128>(length(classes[c])) * static_cast<std::uint64_t>(total);
    const auto divisor = static_cast<std::uint64_t>(std::max<std::int64_t>(rows, 1));
    quota.push_back(static_cast<std::int64_t>(exact / divisor));
    remainders.emplace_back(-static_cast<std::int64_t>(exact % divisor), c);
    left -= quota.back();
  }
  std::ranges::sort(remainders);
  for (const std::int64_t kept : {1, 0}) {
    for (bool given = true; given && left > 0;) {
      given = false;
      for (const auto& [remainder, c] : remainders) {
        if (left == 0 || quota[c] + kept >= length(classes[c])) continue;
        ++quota[c];
        --left;
        given = true;
      }
    }
  }
  return quota;
}

/// Moves `total` rows out of the classes, from their ends.
Rows take(std::vector<Rows>& classes, std::int64_t total) {
  const std::vector<std::int64_t> quota = quotas(classes, total);
  Rows taken;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const auto from = classes[c].end() - quota[c];
    taken.insert(taken.end(), from, classes[c].end());
    classes[c].erase(from, classes[c].end());
  }
  std::ranges::sort(taken);
  return taken;
}

std::vector<Rows> shuffled_classes(std::int64_t rows, std::uint64_t seed,
                                   std::span<const std::int32_t> classes) {
  std::map<std::int32_t, Rows> members;
  for (const std::int64_t row : random_order(rows, seed, stream_id("split"), 0)) {
    members[classes.empty() ? 0 : classes[static_cast<std::size_t>(row)]].push_back(row);
  }
  std::vector<Rows> result;
  for (auto& [code, list] : members) result.push_back(std::move(list));
  return result;
}

}  // namespace

Split split_rows(std::int64_t rows, const SplitOptions& options, std::uint64_t seed,
                 std::span<const std::int32_t> classes) {
  require_shares(options);
  if (!classes.empty() && std::ssize(classes) != rows) {
    throw Error(ErrorKind::shape, cat("split: ", classes.size(), " classes for ", rows, " rows"));
  }
  if (!options.stratify) classes = {};
  std::vector<Rows> left = shuffled_classes(rows, seed, classes);
  Split split;
  split.test = take(left, share(options.test, rows));
  split.val = take(left, share(options.val, rows));
  split.train = take(left, rows - length(split.test) - length(split.val));
  return split;
}

}  // namespace weft::data
