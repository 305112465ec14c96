// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <utility>

#include "io/safetensors_header.h"
#include "io/utf8.h"
#include "weft/base/checked.h"
#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/core/backend.h"
#include "weft/core/context.h"
#include "weft/io/file.h"
#include "weft/io/hash.h"
#include "weft/io/safetensors.h"

namespace weft::io {

namespace {

struct Item {
  const NamedTensor* source;
  std::vector<std::byte> copy;  // of a tensor whose device the host cannot read
  std::span<const std::byte> bytes;
};

void require_valid(std::span<const NamedTensor> tensors, const Metadata& metadata, bool checksums) {
  std::set<std::string_view> seen;
  for (const NamedTensor& item : tensors) {
    std::string_view fault = fault_of_name(item.name);
    if (item.name == kMetadataKey) fault = "belongs to the format";
    if (!seen.insert(item.name).second) fault = "is given twice";
    if (!item.tensor.defined()) fault = "has no tensor";
    if (!fault.empty()) {
      throw Error(ErrorKind::value,
                  cat("write_safetensors: the name `", weft::quoted(item.name), "` ", fault));
    }
  }
  for (const auto& [key, value] : metadata) {
    if (key == kChecksumsKey || (key == kFormatKey && value != kFormat)) {
      throw Error(ErrorKind::value,
                  cat("write_safetensors: metadata `", key, "` is written by Weft itself"));
    }
    if (!checksums && key.starts_with("weft.")) {
      throw Error(ErrorKind::value,
                  cat("write_safetensors: metadata `", key, "` needs a file with checksums"));
    }
    for (const std::string_view text : {std::string_view(key), std::string_view(value)}) {
      if (first_invalid_utf8(text) != text.size()) {
        throw Error(ErrorKind::value,
                    cat("write_safetensors: metadata `", weft::quoted(key), "` is not UTF-8"));
      }
    }
  }
}

Item host_item(const NamedTensor& named) {
  Item item{.source = &named, .copy = {}, .bytes = {}};
  const Tensor& tensor = named.tensor;
  const Device device = tensor.device();
  Backend& backend = backend_of(device);
  if (backend.is_host()) {
    item.bytes = {tensor.impl()->data, tensor.nbytes()};
    return item;
  }
  item.copy.resize(tensor.nbytes());
  const Stream stream = current_session().stream(device);
  backend.copy(item.copy.data(), tensor.impl()->data, item.copy.size(), CopyKind::to_host, stream);
  synchronize(device);
  item.bytes = item.copy;
  return item;
}

std::vector<Item> in_file_order(std::span<const NamedTensor> tensors) {
  std::vector<Item> items;
  items.reserve(tensors.size());
  for (const NamedTensor& named : tensors) items.push_back(host_item(named));
  std::ranges::sort(items, {}, [](const Item& item) {
    return std::tuple(-static_cast<int>(size_of(item.source->tensor.dtype())),
                      std::string_view(item.source->name));
  });
  return items;
}

std::string json_string(const std::string& text) { return nlohmann::json(text).dump(); }

std::string json_entry(const Item& item, std::uint64_t offset) {
  const Tensor& tensor = item.source->tensor;
  const auto* dtype =
      std::ranges::find(kFormatDTypes, std::optional(tensor.dtype()), &FormatDType::dtype);
  return cat(json_string(item.source->name), R"(:{"dtype":")", dtype->name, R"(","shape":)",
             to_string(tensor.shape()), R"(,"data_offsets":[)", offset, ",",
             offset + item.bytes.size(), "]}");
}

// Length word, JSON and padding.
std::string head_text(const std::vector<Item>& items, const Metadata& metadata) {
  std::string text = "{";
  if (!metadata.empty()) text += cat('"', kMetadataKey, "\":", nlohmann::json(metadata).dump());
  std::uint64_t offset = 0;
  for (const Item& item : items) {
    if (text.size() > 1) text += ',';
    text += json_entry(item, offset);
    offset += item.bytes.size();
  }
  text += '}';
  text.resize(checked_align(text.size(), kLengthBytes, "header"), ' ');
  if (text.size() > kMaxHeaderBytes) {
    throw Error(ErrorKind::value,
                cat("write_safetensors: the header needs ", text.size(),
                    " bytes; the format allows ", kMaxHeaderBytes),
                "shorten the metadata");
  }
  std::string head;
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    head += static_cast<char>((text.size() >> (8 * i)) & 0xff);
  }
  return head + text;
}

// The digits of the header's own checksum count as zeros while it is computed.
std::string head_with_checksums(const std::vector<Item>& items, Metadata metadata) {
  const std::string zeros(kDigestDigits, '0');
  std::map<std::string, std::string> sums;
  for (const Item& item : items) sums[item.source->name] = xxh3_128(item.bytes);
  metadata.emplace(kFormatKey, kFormat);
  metadata[std::string(kChecksumsKey)] = checksums_text(zeros, sums);
  const std::string digest = xxh3_128(head_text(items, metadata));
  metadata[std::string(kChecksumsKey)] = checksums_text(digest, sums);
  return head_text(items, metadata);
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const Metadata& metadata, const SafetensorsOptions& options) {
  require_valid(tensors, metadata, options.checksums);
  const std::vector<Item> items = in_file_order(tensors);
  const std::string head =
      options.checksums ? head_with_checksums(items, metadata) : head_text(items, metadata);
  AtomicFile file(path);
  file.write(head);
  for (const Item& item : items) file.write(item.bytes);
  file.commit();
}

}  // namespace weft::io
