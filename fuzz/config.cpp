// SPDX-License-Identifier: Apache-2.0
// Any bytes give a checked config or an Error; what a config resolves to reads back to itself.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "run/config_reader.h"
#include "weft/base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  weft::Config config;
  try {
    config = weft::parse_config(text, "fuzz.yaml");
  } catch (const weft::Error&) {
    return 0;
  }
  const std::string resolved = weft::resolved_json(config);
  const weft::Config again = weft::parse_config(resolved, "resolved.json");
  if (weft::resolved_json(again) != resolved) std::abort();
  return 0;
}
