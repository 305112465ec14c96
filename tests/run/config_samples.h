// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace weft::test {

/// The least that a config must say; line 1 is `schema`, `train` is line 7.
inline std::string small_config() {
  return "schema: weft.config/1\n"
         "data: {format: csv, path: iris.csv, target: species}\n"
         "model:\n"
         "  layers: [{type: linear, name: fc, out: 3}]\n"
         "loss: {type: cross_entropy}\n"
         "optimizer: {type: adamw, lr: 3e-3}\n"
         "train: {epochs: 2}\n";
}

/// `small_config` with `line` (1-based) replaced.
inline std::string small_config(int line, std::string_view text) {
  std::string config = small_config();
  std::size_t begin = 0;
  for (int i = 1; i < line; ++i) begin = config.find('\n', begin) + 1;
  return config.replace(begin, config.find('\n', begin) - begin, text);
}

}  // namespace weft::test
