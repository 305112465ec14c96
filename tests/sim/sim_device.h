// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "weft/base/device.h"

/// The test device `sim:0`: host memory behind a queue. Kernels and copies only run when the host
/// waits, on guarded copies of their outputs; what they do not write is poison. It shows, without a
/// GPU, what would go wrong on one: reads before work is done, host waits, writes out of bounds,
/// CPU-only ops.
namespace weft::test {

inline constexpr Device kSim{DeviceKind::sim, 0};

struct SimCounters {
  std::uint64_t launches = 0;
  std::uint64_t copies = 0;
  std::uint64_t bytes = 0;        ///< moved by copies
  std::uint64_t waits = 0;        ///< times the host waited
  std::uint64_t allocations = 0;  ///< blocks taken from the system
  std::uint64_t replays = 0;
};

/// Registers the device and gives every CPU kernel a queued twin; repeated calls add the ops
/// registered since.
void install_sim();
SimCounters sim_counters();
/// The ops launched since the last call, in order.
std::vector<std::string> take_sim_launches();
/// Whether the device can capture its queue (StepGraph then replays captures instead of lists).
void set_sim_capture(bool enabled);
/// The device has no memory beyond this many bytes; 0 lifts the limit.
void set_sim_memory(std::size_t bytes);

}  // namespace weft::test
