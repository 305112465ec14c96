// SPDX-License-Identifier: Apache-2.0
#include "weft/base/device.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "weft/base/error.h"
#include "weft/base/text.h"

namespace weft {

namespace {

constexpr std::array<std::string_view, kDeviceKindCount> kNames = {"cpu", "cuda", "sim", "extern0"};

[[noreturn]] void throw_bad_name(std::string_view name, std::string_view kind) {
  const std::vector<std::string> known = {"cpu", "cuda", "gpu"};
  const std::string near = nearest_name(kind, known);
  throw Error(ErrorKind::device,
              cat("device: \"", quoted(name),
                  "\" is no device name; needed is cpu, cuda, cuda:N, "
                  "gpu or gpu:N with N from 0 to 127"),
              near.empty() || near == kind ? "" : cat("did you mean `", near, "`?"));
}

}  // namespace

std::string_view name_of(DeviceKind kind) { return kNames[static_cast<std::size_t>(kind)]; }

Device::Device(std::string_view name) {
  const std::size_t colon = name.find(':');
  const std::string_view text = name.substr(0, colon);
  const auto found = std::find(kNames.begin(), kNames.end(), text == "gpu" ? "cuda" : text);
  if (found == kNames.end()) throw_bad_name(name, text);
  kind = static_cast<DeviceKind>(found - kNames.begin());
  if (colon == std::string_view::npos) return;

  const std::string_view digits = name.substr(colon + 1);
  const char* end = digits.data() + digits.size();
  const bool starts_with_digit = !digits.empty() && digits[0] >= '0' && digits[0] <= '9';
  const auto [rest, error] = std::from_chars(digits.data(), end, index);
  if (!starts_with_digit || error != std::errc() || rest != end) throw_bad_name(name, text);
}

std::string to_string(Device device) {
  if (device == Device()) return "cpu";
  return cat(name_of(device.kind), ":", device.index);
}

}  // namespace weft
