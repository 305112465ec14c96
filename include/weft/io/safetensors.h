// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weft/base/dtype.h"
#include "weft/base/export.h"
#include "weft/base/shape.h"
#include "weft/core/tensor.h"

/// Model files: the safetensors format (github.com/huggingface/safetensors) with checksums.
namespace weft::io {

/// String to string: `__metadata__` of the file. Keys that begin with `weft.` belong to Weft.
using Metadata = std::map<std::string, std::string>;

/// One tensor as the header tells it.
struct TensorEntry {
  std::string name;
  std::string dtype_name;      ///< as in the file: `F32`, `F8_E4M3`
  std::optional<DType> dtype;  ///< nullopt for a dtype of the format that Weft does not hold
  Shape shape;
  std::uint64_t offset = 0;  ///< of the first byte, from the start of the file
  std::uint64_t bytes = 0;
};

/// A model file, mapped and validated: header, names, dtypes, sizes, offsets without holes or
/// overlap, and, in a file that Weft wrote, a checksum of the header and of every tensor, so that
/// any changed byte is noticed. Throws Error(model_file) naming file and tensor, Error(io) when the
/// file cannot be read. Nothing is allocated that the file only claims.
class WEFT_API SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path);
  /// A file held in memory; `name` stands for its path in errors.
  static SafetensorsFile from_bytes(std::string bytes, std::string name);

  const Metadata& metadata() const noexcept;
  /// In the order of the file.
  const std::vector<TensorEntry>& entries() const noexcept;
  /// nullptr when there is no such tensor.
  const TensorEntry* find(std::string_view name) const noexcept;
  /// The tensor called `name`: over the mapped file, read-only, on the CPU; the file stays mapped
  /// while it lives. A tensor that the file does not align to its element size is copied. Throws
  /// Error(model_file) when it is absent or of a dtype that Weft does not hold.
  Tensor tensor(std::string_view name) const;
  /// True when the file carries checksums (they have been verified).
  bool has_checksums() const noexcept;

 private:
  struct Impl;
  explicit SafetensorsFile(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

struct SafetensorsOptions {
  bool checksums = true;  ///< adds `weft.checksums` to the metadata
};

/// Writes a model file, atomically: tensors by descending element size, then name; the header
/// padded with spaces to a multiple of 8. The same input gives the same bytes. Throws Error(value)
/// on names that are empty, repeated or not printable, Error(io).
WEFT_API void write_safetensors(const std::filesystem::path& path,
                                std::span<const NamedTensor> tensors, const Metadata& metadata = {},
                                const SafetensorsOptions& options = {});

}  // namespace weft::io
