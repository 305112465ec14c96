// SPDX-License-Identifier: Apache-2.0
#include "train/readback.h"

#include <cstring>
#include <utility>

#include "weft/core/context.h"

namespace weft {

Readback::Readback(std::vector<Tensor> sources) : sources_(std::move(sources)) {
  copies_.resize(sources_.size());
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    const Tensor& source = sources_[i];
    copies_[i].resize(source.nbytes());
    Backend& backend = backend_of(source.device());
    if (backend.is_host()) {
      std::memcpy(copies_[i].data(), source.impl()->data, source.nbytes());
      continue;
    }
    backend.copy(copies_[i].data(), source.impl()->data, source.nbytes(), CopyKind::to_host,
                 current_session().stream(source.device()));
    pending_ = true;
  }
  if (pending_) {
    const Device device = sources_.front().device();
    event_ = backend_of(device).record(current_session().stream(device));
  }
}

Readback::Readback(Readback&& other) noexcept
    : sources_(std::move(other.sources_)),
      copies_(std::move(other.copies_)),
      event_(other.event_),
      pending_(std::exchange(other.pending_, false)) {}

// The device writes into `copies_` until the event: they must not go before.
Readback::~Readback() {
  if (!pending_) return;
  try {
    wait();
  } catch (...) {
    // A device that fails has stopped writing.
  }
}

void Readback::finish() noexcept {
  backend_of(event_.device).destroy_event(event_);
  pending_ = false;
}

bool Readback::is_done() {
  if (pending_ && backend_of(event_.device).is_done(event_)) finish();
  return !pending_;
}

void Readback::wait() {
  if (is_done()) return;
  synchronize(event_.device);
  finish();
}

double Readback::value(std::size_t i) const {
  return Tensor::from_bytes(copies_[i], sources_[i].shape(), sources_[i].dtype()).item();
}

}  // namespace weft
