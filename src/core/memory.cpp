// SPDX-License-Identifier: Apache-2.0
#include "weft/core/memory.h"

#include <atomic>

#include "core/op_namer.h"
#include "core/pool.h"
#include "weft/base/text.h"
#include "weft/core/context.h"

namespace weft {

namespace {
std::atomic<std::string (*)(std::uint16_t)> op_namer{nullptr};
}  // namespace

void set_op_namer(std::string (*namer)(std::uint16_t)) {
  op_namer.store(namer, std::memory_order_release);
}

namespace memory {

Report report(Device device) { return pool_of(device).report(); }
std::size_t live_bytes(Device device) { return pool_of(device).live_bytes(); }
std::size_t trim(Device device) { return pool_of(device).trim(); }
void set_budget(Device device, std::size_t bytes) { pool_of(device).set_budget(bytes); }
void reset_peak(Device device) { pool_of(device).reset_peak(); }
void fail_allocation(Device device, std::uint64_t nth) { pool_of(device).fail_allocation(nth); }

std::string owner_text(OwnerId owner) {
  const auto op = static_cast<std::uint16_t>(owner & 0xffffu);
  const std::string path = path_text(static_cast<std::uint16_t>(owner >> 16));
  if (op == 0) return path.empty() ? "(no op)" : path;
  auto* namer = op_namer.load(std::memory_order_acquire);
  const std::string name = namer == nullptr ? cat("op", op) : namer(op);
  return path.empty() ? name : cat(path, "/", name);
}

}  // namespace memory

}  // namespace weft
