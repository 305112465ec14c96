// SPDX-License-Identifier: Apache-2.0
// Each line is the text of a --set flag on top of a small config.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "run/config_reader.h"
#include "weft/base/error.h"

namespace {

constexpr std::string_view kConfig =
    "schema: weft.config/1\n"
    "data: {format: csv, path: a.csv, target: y, csv: {columns: {a: numeric}}}\n"
    "model: {layers: [{type: linear, name: fc, out: 3}, relu]}\n"
    "loss: cross_entropy\n"
    "optimizer: {type: adamw, lr: 3e-3, groups: [{params: [\"*\"], lr: 1}]}\n"
    "train: {epochs: 2}\n";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    std::vector<weft::Override> overrides;
    while (!text.empty()) {
      const auto end = text.find('\n');
      overrides.push_back(weft::set_override(text.substr(0, end)));
      text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    }
    weft::parse_config(kConfig, "fuzz.yaml", overrides);
  } catch (const weft::Error&) {
  }
  return 0;
}
