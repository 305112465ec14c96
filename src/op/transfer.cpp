// SPDX-License-Identifier: Apache-2.0
#include "op/transfer.h"

#include <deque>
#include <mutex>
#include <vector>

#include "core/tensor_alloc.h"
#include "core/thread_state.h"
#include "op/dispatch.h"
#include "op/recorder.h"
#include "weft/core/backend.h"
#include "weft/op/attrs/cast.h"

namespace weft {

namespace {

/// Host memory that a device still reads from: a source may go out of scope before its stream has
/// passed the copy.
class InFlight {
 public:
  void keep(const Tensor& source, Backend& backend, Stream stream) {
    std::vector<StorageRef> passed;  // released outside the lock: a borrowed one calls its owner
    const std::lock_guard lock(mutex_);
    while (!copies_.empty() && copies_.front().backend->is_done(copies_.front().event)) {
      copies_.front().backend->destroy_event(copies_.front().event);
      passed.push_back(std::move(copies_.front().source));
      copies_.pop_front();
    }
    copies_.push_back(
        {&backend, backend.record(stream), StorageRef::share(source.impl()->storage)});
  }

 private:
  struct Copy {
    Backend* backend;
    Event event;
    StorageRef source;
  };
  std::mutex mutex_;
  std::deque<Copy> copies_;
};

InFlight& in_flight() {
  static auto* const kept = new InFlight;  // never destroyed: devices may outlive static objects
  return *kept;
}

void copy_bytes(const Tensor& target, const Tensor& source) {
  const Device to = target.device();
  const Device from = source.device();
  const std::size_t bytes = source.nbytes();
  if (bytes == 0) return;
  if (from.is_cpu() && to.is_cpu()) {
    Backend& cpu = backend_of(to);
    cpu.copy(target.impl()->data, source.impl()->data, bytes, CopyKind::within,
             cpu.default_stream(0));
    if (thread_state.recorder != nullptr) thread_state.recorder->copied(target, source);
    return;
  }
  const Device device = to.is_cpu() ? from : to;
  const CopyKind kind = to.is_cpu()              ? CopyKind::to_host
                        : from.is_cpu()          ? CopyKind::to_device
                        : to.index == from.index ? CopyKind::within
                                                 : CopyKind::peer;
  Backend& backend = backend_of(device);
  const Stream stream = current_session().stream(device);
  backend.copy(target.impl()->data, source.impl()->data, bytes, kind, stream);
  if (from.is_cpu()) in_flight().keep(source, backend, stream);
  if (thread_state.recorder != nullptr) thread_state.recorder->copied(target, source);
  if (to.is_cpu()) {
    if (thread_state.recorder != nullptr) thread_state.recorder->host_read(source);
    synchronize(from);
  }
}

}  // namespace

Tensor transfer(const Tensor& x, Device device) {
  require_device(device);
  Tensor copy(new_tensor(x.shape(), x.dtype(), device));
  copy_bytes(copy, x);
  return copy;
}

void transfer_into(const Tensor& target, const Tensor& source) {
  require_writable(*target.impl()->storage, "copy");
  copy_bytes(target, source);
  ++target.impl()->storage->version;
}

void copy_into(const Tensor& target, const Tensor& source, bool add) {
  const NoGrad no_grad;
  if (add) {
    static OpEntry& op = op_named("add");
    const Tensor* in[] = {&target, &source};
    const Dest dest{target, false};
    dispatch(&op, op.def.attrs->defaults, in, {.want = 0, .into = {&dest, 1}});
    return;
  }
  static OpEntry& op = op_named("copy");
  const Tensor* in[] = {&target, &source};
  dispatch(&op, op.def.attrs->defaults, in);
}

void fill_tensor(const Tensor& target, double value) {
  static OpEntry& op = op_named("fill");
  const FillAttrs attrs{value};
  const Tensor* in[] = {&target};
  dispatch(&op, &attrs, in);
}

}  // namespace weft
