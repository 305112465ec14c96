// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>

#include "weft/base/error.h"

namespace weft::test {

/// Adds `id | message` to the file that WEFT_ERROR_GALLERY names: docs/errors.md is made from it,
/// so that every message shown there is one that a test has seen. Line breaks are written as `\n`.
inline void add_to_error_gallery(std::string_view id, std::string_view message) {
  const char* path = std::getenv("WEFT_ERROR_GALLERY");
  if (path == nullptr || *path == '\0') return;
  std::string line = std::string(id) + " | ";
  for (const char c : message) line += c == '\n' ? std::string("\\n") : std::string(1, c);
  std::ofstream(path, std::ios::app) << line + "\n";
}

inline void expect_error(const std::function<void()>& call, ErrorKind kind, std::string_view what,
                         std::string_view id) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(name_of(error.kind()), name_of(kind));
    EXPECT_EQ(std::string_view(error.what()), what);
    add_to_error_gallery(id, error.what());
    return;
  }
  ADD_FAILURE() << "expected Error(" << name_of(kind) << "): " << what;
}

}  // namespace weft::test

/// `expression` throws weft::Error of `kind` whose what() is exactly `what`; `id` is its place in
/// the error gallery: `area/case`.
#define EXPECT_WEFT_ERROR(expression, kind, what, id)                                         \
  do {                                                                                        \
    SCOPED_TRACE(id);                                                                         \
    ::weft::test::expect_error([&] { static_cast<void>(expression); }, (kind), (what), (id)); \
  } while (false)
