// SPDX-License-Identifier: Apache-2.0
// Any bytes are a model file whose every tensor can be read, or an Error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "weft/base/error.h"
#include "weft/io/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto file = weft::io::SafetensorsFile::from_bytes(
        {reinterpret_cast<const char*>(data), size}, "fuzz.safetensors");
    for (const weft::io::TensorEntry& entry : file.entries()) {
      if (entry.offset + entry.bytes > size) std::abort();
      if (!entry.dtype) continue;
      const weft::Tensor tensor = file.tensor(entry.name);
      if (tensor.nbytes() != entry.bytes) std::abort();
      volatile std::byte sum{};
      for (std::size_t i = 0; i < tensor.nbytes(); ++i) sum = sum ^ tensor.impl()->data[i];
    }
  } catch (const weft::Error&) {
  }
  return 0;
}
