// SPDX-License-Identifier: Apache-2.0
#include "op/transfer.h"

#include "core/tensor_alloc.h"
#include "core/thread_state.h"
#include "op/dispatch.h"
#include "op/recorder.h"
#include "weft/core/backend.h"
#include "weft/op/attrs/cast.h"

namespace weft {

namespace {

void copy_bytes(const Tensor& target, const Tensor& source) {
  const Device to = target.device();
  const Device from = source.device();
  const std::size_t bytes = source.nbytes();
  if (bytes == 0) return;
  if (from.is_cpu() && to.is_cpu()) {
    Backend& cpu = backend_of(to);
    cpu.copy(target.impl()->data, source.impl()->data, bytes, CopyKind::within, cpu.default_stream(0));
    if (thread_state.recorder != nullptr) thread_state.recorder->copied(target, source);
    return;
  }
  const Device device = to.is_cpu() ? from : to;
  const CopyKind kind = to.is_cpu()                ? CopyKind::to_host
                        : from.is_cpu()            ? CopyKind::to_device
                        : to.index == from.index   ? CopyKind::within
                                                   : CopyKind::peer;
  backend_of(device).copy(target.impl()->data, source.impl()->data, bytes, kind,
                          current_session().stream(device));
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
