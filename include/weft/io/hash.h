// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "weft/base/export.h"

namespace weft::io {

/// XXH3-128 of `bytes` as 32 lower-case hex digits: identity, not security.
WEFT_API std::string xxh3_128(std::span<const std::byte> bytes);
inline std::string xxh3_128(std::string_view text) {
  return xxh3_128(std::as_bytes(std::span(text)));
}

/// `xxh3-128:` and the digits: how runs name data and programs.
WEFT_API std::string fingerprint(std::span<const std::byte> bytes);
/// The fingerprint of a file's contents. Throws Error(io).
WEFT_API std::string fingerprint_of_file(const std::filesystem::path& path);

}  // namespace weft::io
