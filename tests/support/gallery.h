// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

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

/// The same under the name of the running test: `Suite/Test`.
inline void add_to_error_gallery(std::string_view message) {
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  add_to_error_gallery(std::string(test->test_suite_name()) + "/" + test->name(), message);
}

}  // namespace weft::test
