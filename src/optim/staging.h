// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <list>

#include "weft/core/backend.h"
#include "weft/core/tensor.h"

namespace weft::optim {

/// Host buffers to send small values to a device from. A buffer is written again only when the
/// device has passed the copy from it; until then another one serves, so the host never waits.
class StagingRing {
 public:
  StagingRing(std::size_t bytes, Device device);
  ~StagingRing();
  StagingRing(const StagingRing&) = delete;
  StagingRing& operator=(const StagingRing&) = delete;

  /// A buffer that may be written now: u8 [bytes] on the CPU.
  Tensor acquire();
  /// Enqueues the copy of `buffer` to `target` on the device.
  void send(const Tensor& buffer, Tensor target);

 private:
  struct Slot {
    Tensor buffer;
    Event event;
    bool busy = false;
  };
  std::int64_t bytes_;
  Device device_;
  bool host_;
  std::list<Slot> slots_;
};

}  // namespace weft::optim
