// SPDX-License-Identifier: Apache-2.0
#include "optim/staging.h"

#include "weft/core/context.h"

namespace weft::optim {

StagingRing::StagingRing(std::size_t bytes, Device device)
    : bytes_(static_cast<std::int64_t>(bytes)),
      device_(device),
      host_(backend_of(device).is_host()) {}

StagingRing::~StagingRing() {
  for (Slot& slot : slots_) {
    if (slot.busy) backend_of(device_).destroy_event(slot.event);
  }
}

Tensor StagingRing::acquire() {
  for (Slot& slot : slots_) {
    if (slot.busy) {
      Backend& backend = backend_of(device_);
      if (!backend.is_done(slot.event)) continue;
      backend.destroy_event(slot.event);
      slot.busy = false;
    }
    return slot.buffer;
  }
  const Tensor buffer = empty({bytes_}, {.dtype = DType::u8, .device = Device()});
  slots_.push_back({buffer, {}, false});
  return buffer;
}

void StagingRing::send(const Tensor& buffer, Tensor target) {
  target.copy_(buffer);
  if (host_) return;
  for (Slot& slot : slots_) {
    if (!slot.buffer.same_as(buffer)) continue;
    slot.event = backend_of(device_).record(current_session().stream(device_));
    slot.busy = true;
  }
}

}  // namespace weft::optim
