// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "weft/base/export.h"

namespace weft::data {

struct SplitOptions {
  double train = 0.7;
  double val = 0.1;
  double test = 0.2;
  bool stratify = true;  ///< each part has the classes in the proportion of the whole
};

/// Row numbers, ascending.
struct Split {
  std::vector<std::int64_t> train;
  std::vector<std::int64_t> val;
  std::vector<std::int64_t> test;
};

/// Parts of `rows` rows: val and test are rounded down, train takes the rest. Who goes where
/// depends on the row's number, the seed and `classes` alone (one per row; empty: no
/// stratification). Where a class is large enough, every part that is cut from it leaves at least
/// one sample to train. Throws Error(value) when the shares are negative or do not sum to 1.
WEFT_API Split split_rows(std::int64_t rows, const SplitOptions& options, std::uint64_t seed,
                          std::span<const std::int32_t> classes = {});

}  // namespace weft::data
