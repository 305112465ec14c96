// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "io/safetensors_header.h"
#include "weft/base/checked.h"
#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/io/file.h"
#include "weft/io/hash.h"
#include "weft/io/safetensors.h"

namespace weft::io {

namespace {

constexpr std::string_view kDamaged = "the file is damaged; restore it from a copy";

[[noreturn]] void fail(const std::string& file, std::string_view message,
                       std::string_view hint = kDamaged) {
  throw Error(ErrorKind::model_file, std::string(message), std::string(hint), file);
}

std::uint64_t header_length(std::span<const std::byte> bytes, const std::string& file) {
  if (bytes.size() < kLengthBytes) {
    fail(file, cat("has ", bytes.size(), " bytes; a model file begins with a length of 8"));
  }
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    length |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
  }
  if (length > kMaxHeaderBytes) {
    fail(file,
         cat("claims a header of ", length, " bytes; at most ", kMaxHeaderBytes, " are allowed"));
  }
  if (!range_fits(kLengthBytes, length, bytes.size())) {
    fail(file, cat("claims a header of ", length, " bytes but has only ", bytes.size()));
  }
  return length;
}

// A file with any `weft.` key was written by Weft: then format and checksums must both be there, so
// that a damaged key cannot switch the verification off.
bool claims_checksums(const Header& header, const std::string& file) {
  const bool ours = std::ranges::any_of(
      header.metadata, [](const auto& item) { return item.first.starts_with("weft."); });
  if (!ours) return false;
  const auto format = header.metadata.find(std::string(kFormatKey));
  if (format == header.metadata.end())
    fail(file, cat("`", kFormatKey, "` is missing from the metadata"));
  if (format->second != kFormat) {
    fail(file,
         cat("`", kFormatKey, "` is \"", weft::quoted(format->second),
             "\"; this version of Weft reads ", kFormat),
         "use the version of Weft that wrote it, or a newer one");
  }
  return true;
}

void verify_header(std::string_view head, const std::string& digest, const std::string& file) {
  const std::size_t at = head.find(digest);
  if (at == std::string_view::npos || head.find(digest, at + 1) != std::string_view::npos) {
    fail(file, "the checksum of the header does not stand in it exactly once");
  }
  std::string blank(head);
  blank.replace(at, digest.size(), digest.size(), '0');
  if (xxh3_128(blank) != digest) fail(file, "the header does not match its checksum");
}

}  // namespace

struct SafetensorsFile::Impl {
  std::string name;
  std::string owned;
  std::optional<MappedFile> mapped;
  std::span<const std::byte> bytes;
  Header header;
  std::unordered_map<std::string_view, const TensorEntry*> by_name;
  bool has_checksums = false;

  void read() {
    const std::uint64_t length = header_length(bytes, name);
    const std::string_view head(reinterpret_cast<const char*>(bytes.data()), kLengthBytes + length);
    header = parse_header(head.substr(kLengthBytes), bytes.size(), name);
    for (const TensorEntry& entry : header.entries) by_name.emplace(entry.name, &entry);
    has_checksums = claims_checksums(header, name);
    if (has_checksums) verify(head);
  }

  void verify(std::string_view head) const {
    const auto text = header.metadata.find(std::string(kChecksumsKey));
    if (text == header.metadata.end())
      fail(name, cat("`", kChecksumsKey, "` is missing from the metadata"));
    const Checksums sums = checksums(text->second);
    verify_header(head, sums.header, name);
    if (sums.tensors.size() != header.entries.size()) {
      fail(name,
           cat("has ", header.entries.size(), " tensors but checksums of ", sums.tensors.size()));
    }
    for (const TensorEntry& entry : header.entries) {
      const auto sum = sums.tensors.find(entry.name);
      if (sum == sums.tensors.end())
        fail(name, cat("tensor `", weft::quoted(entry.name), "` has no checksum"));
      if (xxh3_128(bytes.subspan(entry.offset, entry.bytes)) != sum->second) {
        fail(name, cat("tensor `", weft::quoted(entry.name), "` does not match its checksum"));
      }
    }
  }

  Checksums checksums(std::string_view text) const {
    try {
      return parse_checksums(text);
    } catch (const Error& error) {
      fail(name, error.message());
    }
  }

  const TensorEntry& require(std::string_view tensor) const {
    if (const auto found = by_name.find(tensor); found != by_name.end()) return *found->second;
    std::vector<std::string> names;
    for (const TensorEntry& entry : header.entries) names.push_back(entry.name);
    const std::string nearest = nearest_name(tensor, names);
    fail(name, cat("no tensor `", weft::quoted(tensor), "`"),
         nearest.empty() ? cat("it holds ", names.size(), " tensors")
                         : cat("did you mean `", nearest, "`?"));
  }
};

SafetensorsFile::SafetensorsFile(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) {
  auto impl = std::make_shared<Impl>();
  impl->name = path.string();
  impl->mapped.emplace(path);
  impl->bytes = impl->mapped->bytes();
  impl->read();
  impl_ = std::move(impl);
}

SafetensorsFile SafetensorsFile::from_bytes(std::string bytes, std::string name) {
  auto impl = std::make_shared<Impl>();
  impl->name = std::move(name);
  impl->owned = std::move(bytes);
  impl->bytes = std::as_bytes(std::span(impl->owned));
  impl->read();
  return SafetensorsFile(std::move(impl));
}

const Metadata& SafetensorsFile::metadata() const noexcept { return impl_->header.metadata; }
const std::vector<TensorEntry>& SafetensorsFile::entries() const noexcept {
  return impl_->header.entries;
}
bool SafetensorsFile::has_checksums() const noexcept { return impl_->has_checksums; }

const TensorEntry* SafetensorsFile::find(std::string_view name) const noexcept {
  const auto found = impl_->by_name.find(name);
  return found == impl_->by_name.end() ? nullptr : found->second;
}

Tensor SafetensorsFile::tensor(std::string_view name) const {
  const TensorEntry& entry = impl_->require(name);
  if (!entry.dtype) {
    fail(impl_->name,
         cat("tensor `", weft::quoted(name), "` is ", entry.dtype_name,
             ", which Weft does not hold"),
         "convert it to F32 with the tool that wrote it");
  }
  const auto bytes = impl_->bytes.subspan(entry.offset, entry.bytes);
  const auto is_bool = [](std::byte b) { return b <= std::byte{1}; };
  if (*entry.dtype == DType::boolean && !std::ranges::all_of(bytes, is_bool)) {
    fail(impl_->name,
         cat("tensor `", weft::quoted(name), "` is BOOL but holds bytes other than 0 and 1"));
  }
  const auto address = reinterpret_cast<std::uintptr_t>(bytes.data());
  if (bytes.empty() || address % size_of(*entry.dtype) != 0) {
    return Tensor::from_bytes(bytes, entry.shape, *entry.dtype);
  }
  StorageRef storage = borrow_storage(const_cast<std::byte*>(bytes.data()), bytes.size(), Device{},
                                      Storage::kReadOnly, impl_->name, [keep = impl_] {});
  return Tensor::over(std::move(storage), 0, entry.shape, *entry.dtype);
}

}  // namespace weft::io
