// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "weft/base/export.h"

/// Files: whole or absent. Every failure is Error(io) with the path and the system's reason.
namespace weft::io {

/// The contents of a file.
WEFT_API std::string read_file(const std::filesystem::path& path);

/// A file mapped read-only into memory. The mapping keeps the bytes of the file as it was opened,
/// also after an atomic replacement. An empty file has no bytes.
class WEFT_API MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  std::string_view text() const noexcept { return {reinterpret_cast<const char*>(data_), size_}; }

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// A file that comes into being when `commit` returns: written under a temporary name in the same
/// directory, then fsync, rename, fsync of the directory. Destroyed uncommitted, or after an error,
/// it leaves nothing behind, and a file that was there before stays as it was.
class WEFT_API AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  void commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
};

WEFT_API void write_file_atomically(const std::filesystem::path& path, std::string_view contents);

}  // namespace weft::io
