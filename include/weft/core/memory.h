// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "weft/base/device.h"
#include "weft/core/storage.h"

/// Memory accounts: what is live, what is cached, who holds it, and the budget.
namespace weft::memory {

struct OwnerBytes {
  std::string owner;  ///< module path and op, `encoder.fc1/linear`
  std::size_t bytes = 0;
  std::size_t blocks = 0;
};

struct Report {
  Device device;
  std::size_t live = 0;                  ///< bytes that tensors hold
  std::size_t cached = 0;                ///< bytes kept for reuse
  std::size_t peak = 0;                  ///< highest `live` since the last reset
  std::size_t budget = 0;                ///< 0 = none
  std::uint64_t allocations = 0;         ///< requests served
  std::uint64_t system_allocations = 0;  ///< requests passed to the system
  std::vector<OwnerBytes> owners;        ///< largest first
};

/// The account of one device. Throws Error(device) when it does not exist.
WEFT_API Report report(Device device = {});
/// Bytes that tensors hold on `device`, without walking the blocks.
WEFT_API std::size_t live_bytes(Device device = {});
/// Gives cached memory back to the system; returns the bytes.
WEFT_API std::size_t trim(Device device = {});
/// Bounds the bytes obtained from the system (live + cached). 0 lifts the bound. On a miss: trim,
/// retry, then Error(memory) with wanted, used, cached, budget and the largest holders.
WEFT_API void set_budget(Device device, std::size_t bytes);
WEFT_API void reset_peak(Device device = {});
/// For tests: the n-th allocation from now (1 = next) on this device fails once; 0 disarms.
WEFT_API void fail_allocation(Device device, std::uint64_t nth);

/// Printed form of an owner.
WEFT_API std::string owner_text(OwnerId owner);

}  // namespace weft::memory
