// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>

namespace weft::io {

/// Offset of the first byte that is NUL or not part of well-formed UTF-8 (RFC 3629: no overlong
/// forms, no surrogates, nothing above U+10FFFF); `text.size()` when there is none.
std::size_t first_invalid_utf8(std::string_view text);

}  // namespace weft::io
