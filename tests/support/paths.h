// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>

namespace weft::test {

/// Root of the source tree.
std::filesystem::path source_dir();

/// The built program `weft`; empty when this build has none.
std::filesystem::path program();

/// The folder with larger real data, from WEFT_TEST_DATA. A test that needs it skips when it is
/// unset.
inline std::optional<std::filesystem::path> data_dir() {
  const char* folder = std::getenv("WEFT_TEST_DATA");
  return folder != nullptr && *folder != '\0' ? std::optional<std::filesystem::path>(folder)
                                              : std::nullopt;
}

}  // namespace weft::test
