// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "weft/base/export.h"

namespace weft {

/// `sim` is the test device; external backends may take the remaining kinds.
enum class DeviceKind : std::uint8_t { cpu, cuda, sim, extern0 };
inline constexpr std::size_t kDeviceKindCount = 4;

/// A device: `cpu`, `cuda:1`, `sim:0`. Parsing accepts `gpu` for `cuda`, and no index for index 0.
struct Device {
  DeviceKind kind = DeviceKind::cpu;
  std::int8_t index = 0;

  constexpr Device() = default;
  constexpr Device(DeviceKind k, int i = 0) : kind(k), index(static_cast<std::int8_t>(i)) {}
  /// Throws Error(device) when `name` is no device name. Does not ask whether the device exists.
  WEFT_API Device(std::string_view name);
  Device(const char* name) : Device(std::string_view(name)) {}
  Device(const std::string& name) : Device(std::string_view(name)) {}

  constexpr bool is_cpu() const { return kind == DeviceKind::cpu; }
  friend constexpr bool operator==(Device, Device) = default;
};

WEFT_API std::string_view name_of(DeviceKind kind);
/// `cpu`, `cuda:0`
WEFT_API std::string to_string(Device device);

}  // namespace weft
