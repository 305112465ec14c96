// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weft/base/dtype.h"
#include "weft/io/safetensors.h"

/// What reader and writer share of the format.
namespace weft::io {

inline constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
inline constexpr std::size_t kLengthBytes = 8;
inline constexpr std::size_t kMaxNameBytes = 1024;
inline constexpr std::string_view kMetadataKey = "__metadata__";
inline constexpr std::string_view kChecksumsKey = "weft.checksums";
inline constexpr std::string_view kFormatKey = "weft.format";
inline constexpr std::string_view kFormat = "weft.model/1";
inline constexpr std::size_t kDigestDigits = 32;

struct FormatDType {
  std::string_view name;
  int bits;
  std::optional<DType> dtype;
};

inline constexpr std::array<FormatDType, 22> kFormatDTypes = {{
    {"F64", 64, DType::f64},
    {"F32", 32, DType::f32},
    {"BF16", 16, DType::bf16},
    {"F16", 16, DType::f16},
    {"I64", 64, DType::i64},
    {"I32", 32, DType::i32},
    {"U8", 8, DType::u8},
    {"BOOL", 8, DType::boolean},
    {"I8", 8, std::nullopt},
    {"I16", 16, std::nullopt},
    {"U16", 16, std::nullopt},
    {"U32", 32, std::nullopt},
    {"U64", 64, std::nullopt},
    {"C64", 64, std::nullopt},
    {"F8_E5M2", 8, std::nullopt},
    {"F8_E4M3", 8, std::nullopt},
    {"F8_E8M0", 8, std::nullopt},
    {"F8_E4M3FNUZ", 8, std::nullopt},
    {"F8_E5M2FNUZ", 8, std::nullopt},
    {"F6_E2M3", 6, std::nullopt},
    {"F6_E3M2", 6, std::nullopt},
    {"F4", 4, std::nullopt},
}};

/// Why `name` cannot name a tensor; empty when it can.
std::string_view fault_of_name(std::string_view name);

struct Header {
  Metadata metadata;
  std::vector<TensorEntry> entries;  ///< in the order of their data
};

/// Parses and validates the header of a file of `file_bytes` bytes; `json` begins at offset 8.
/// Throws Error(model_file) with `file` in front.
Header parse_header(std::string_view json, std::uint64_t file_bytes, const std::string& file);

/// The text of `weft.checksums`; `header` may be zeros.
std::string checksums_text(std::string_view header,
                           const std::map<std::string, std::string>& tensors);

struct Checksums {
  std::string header;
  std::map<std::string, std::string> tensors;
};
/// Throws Error(value) when `text` is not what `checksums_text` writes.
Checksums parse_checksums(std::string_view text);

}  // namespace weft::io
