// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <initializer_list>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "weft/base/error.h"
#include "weft/core/tensor.h"

/// The table of op tests. A family's file adds one row per op; every generic test runs on every
/// row.
namespace weft::test {

/// How an input is filled. `spread` keeps values at least 0.05 apart from each other (no ties for
/// max); `off_zero` keeps |x| >= 0.1 (no kinks at 0).
enum class Fill : std::uint8_t {
  normal,
  uniform,
  positive,
  spread,
  off_zero,
  index,
  labels,
  zeros,
  ones
};

/// One generated input. Floating inputs take the dtype under test unless `dtype` is set.
struct Arg {
  Shape shape;
  Fill fill = Fill::normal;
  std::int64_t bound = 0;           ///< index, labels: values in [0, bound)
  std::optional<DType> dtype = {};  ///< index and labels default to i64
  bool grad = true;                 ///< floating inputs: check this gradient
  double scale = 1.0;
};

/// The session's seed before every run, so that random ops repeat; draws count from 0.
inline constexpr std::uint64_t kRowSeed = 1;

using In = std::span<const Tensor>;
using Run = std::function<std::vector<Tensor>(In)>;

/// A call with all its attributes: what to feed, what to run, and the independent reference, which
/// gets the same inputs in f64 on the CPU and computes with plain loops in double.
struct Sample {
  std::string name;
  std::vector<Arg> args;
  Run run;
  Run reference;
};

/// A call that must fail with this kind and exactly this message (Error::message()).
struct ErrorCase {
  std::string name;
  std::function<void()> run;
  ErrorKind kind;
  std::string message;
};

struct OpRow {
  std::string op;                 ///< registry name
  std::vector<Sample> samples;    ///< >= 8: batch 1, odd sizes, zero-size, 0-d, broadcast
  std::vector<ErrorCase> errors;  ///< >= 3
  std::vector<DType> dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16};
  std::vector<std::string> grad_ops = {};  ///< ops that its backward runs; covered by this row
  bool differentiable = true;
  double tolerance_scale = 1.0;  ///< multiplies the default tolerances (long sums)
};

inline void PrintTo(const OpRow& row, std::ostream* out) { *out << row.op; }

/// All rows; families append through OpRows.
std::vector<OpRow>& op_rows();

/// `static const OpRows rows{...}` in tests/ops/<family>.cpp.
struct OpRows {
  OpRows(std::initializer_list<OpRow> rows) { op_rows().insert(op_rows().end(), rows); }
  explicit OpRows(std::vector<OpRow> rows) {
    op_rows().insert(op_rows().end(), rows.begin(), rows.end());
  }
};

}  // namespace weft::test
