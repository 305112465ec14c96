// SPDX-License-Identifier: Apache-2.0
// Any text is a preprocessing that writes itself back unchanged, or an Error(model_file).
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "weft/base/error.h"
#include "weft/data/tabular.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using weft::data::Preprocessing;
  try {
    const Preprocessing read =
        Preprocessing::from_json({reinterpret_cast<const char*>(data), size});
    const std::string text = read.to_json();
    if (Preprocessing::from_json(text).to_json() != text) std::abort();
  } catch (const weft::Error& error) {
    if (error.kind() != weft::ErrorKind::model_file) std::abort();
  }
  return 0;
}
