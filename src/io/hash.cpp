// SPDX-License-Identifier: Apache-2.0
#include "weft/io/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "weft/io/file.h"

namespace weft::io {

std::string xxh3_128(std::span<const std::byte> bytes) {
  XXH128_canonical_t digest;
  XXH128_canonicalFromHash(&digest, XXH3_128bits(bytes.data(), bytes.size()));
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(2 * sizeof digest.digest);
  for (const unsigned char byte : digest.digest) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 0xf];
  }
  return hex;
}

std::string fingerprint(std::span<const std::byte> bytes) { return "xxh3-128:" + xxh3_128(bytes); }

std::string fingerprint_of_file(const std::filesystem::path& path) {
  return fingerprint(MappedFile(path).bytes());
}

}  // namespace weft::io
