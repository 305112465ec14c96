// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>

#include "weft/base/error.h"

namespace weft {

inline constexpr int kExitOther = 1;
inline constexpr int kExitUsage = 2;

struct ExitCode {
  ErrorKind kind;
  int code;
};
inline constexpr std::array<ExitCode, 15> kExitCodes = {{
    {ErrorKind::shape, kExitOther},
    {ErrorKind::dtype, kExitOther},
    {ErrorKind::device, 7},
    {ErrorKind::index, kExitOther},
    {ErrorKind::value, kExitOther},
    {ErrorKind::state, kExitOther},
    {ErrorKind::unsupported, kExitOther},
    {ErrorKind::config, kExitUsage},
    {ErrorKind::data, 3},
    {ErrorKind::model_file, 4},
    {ErrorKind::memory, 5},
    {ErrorKind::nonfinite, 6},
    {ErrorKind::io, 8},
    {ErrorKind::interrupted, 130},
    {ErrorKind::internal, kExitOther},
}};
static_assert([] {
  for (std::size_t i = 0; i < kExitCodes.size(); ++i) {
    if (kExitCodes[i].kind != static_cast<ErrorKind>(i)) return false;
  }
  return kExitCodes.back().kind == ErrorKind::internal;
}());

constexpr int exit_code_of(ErrorKind kind) {
  return kExitCodes[static_cast<std::size_t>(kind)].code;
}

}  // namespace weft
