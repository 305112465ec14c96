// SPDX-License-Identifier: Apache-2.0
#include "graph/step_recording.h"

#include <algorithm>

#include "weft/base/checked.h"

namespace weft {

namespace {

bool is_set(std::uint32_t mask, std::size_t bit) { return ((mask >> bit) & 1u) != 0; }

}  // namespace

void StepRecording::mix(std::uint64_t value) { mix_bytes(&value, sizeof(value)); }

void StepRecording::mix_bytes(const void* data, std::size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  for (std::size_t i = 0; i < size; ++i) digest_ = (digest_ ^ bytes[i]) * 1099511628211ull;
}

void StepRecording::digest_event(const OpEvent& event) {
  mix(event.op.id);
  mix_bytes(event.row->variant.data(), event.row->variant.size());
  mix(attrs_hash(*event.op.def.attrs, event.args.attrs_data));
  mix(event.args.accumulate);
  for (const auto tensors : {event.args.inputs, event.args.outputs}) {
    for (const TensorArg& arg : tensors) {
      mix(arg.present() ? static_cast<std::uint64_t>(arg.dtype) : 255u);
      if (!arg.present()) continue;
      for (const std::int64_t extent : *arg.shape) mix(static_cast<std::uint64_t>(extent));
    }
  }
}

void StepRecording::see_device(Device seen) {
  if (!device) device = seen;
  if (!(*device == seen)) refuse(cat("the step works on ", *device, " and on ", seen));
}

std::size_t StepRecording::buffer_of(const StorageRef& storage, bool written, bool fresh) {
  auto [it, added] = known_.try_emplace(storage.get(), buffers.size());
  if (added) {
    Buffer buffer;
    // What is read before it is written was there before the step.
    buffer.kind = fresh ? Buffer::Kind::inside : Buffer::Kind::outside;
    buffer.storage = storage;
    buffer.bytes = storage->bytes;
    buffer.first = calls.size();
    buffers.push_back(std::move(buffer));
  }
  Buffer& buffer = buffers[it->second];
  buffer.last = calls.size();
  buffer.written = buffer.written || written;
  return it->second;
}

BufferUse StepRecording::use_of(const Tensor& tensor, bool written, bool fresh) {
  const TensorImpl* impl = tensor.impl();
  const std::size_t at = buffer_of(StorageRef::share(impl->storage), written, fresh);
  const Buffer& buffer = buffers[at];
  const auto offset = static_cast<std::size_t>(impl->data - impl->storage->data);
  if (buffer.kind == Buffer::Kind::input &&
      (offset < buffer.origin ||
       !range_fits(offset - buffer.origin, tensor.nbytes(), buffer.bytes))) {
    refuse(cat("it reaches beyond input ", buffer.input,
               " into the storage that the input is a slice of"));
  }
  return {at, offset - buffer.origin};
}

void StepRecording::add_input(const Tensor& input, std::size_t index) {
  if (!input.defined()) return;
  Storage* storage = input.impl()->storage;
  if (known_.contains(storage)) {
    refuse(cat("inputs share storage"));
    return;
  }
  known_[storage] = buffers.size();
  Buffer buffer;
  buffer.kind = Buffer::Kind::input;
  buffer.storage = StorageRef::share(storage);
  buffer.bytes = input.nbytes();
  buffer.origin = static_cast<std::size_t>(input.impl()->data - storage->data);
  buffer.input = index;
  buffers.push_back(std::move(buffer));
}

void StepRecording::kernel(const OpEvent& event) {
  digest_event(event);
  if (!event.row->capturable)
    refuse(cat(event.op.name(), " (", event.row->variant, ") cannot be captured"));
  if (event.op.def.dynamic) refuse(cat(event.op.name(), ": its output shapes depend on data"));
  if (!capture_ || !refusal_.empty()) return;
  RecordedCall call;
  call.row = event.row;
  call.op = &event.op;
  call.args = event.args;
  const auto* attrs = static_cast<const std::byte*>(event.args.attrs_data);
  call.attrs.assign(attrs, attrs + event.op.def.attrs->size);
  call.list_begin.assign(event.args.list_begin.begin(), event.args.list_begin.end());
  for (std::size_t i = 0; i < event.inputs.size(); ++i) {
    call.tensors.push_back(event.args.inputs[i]);
    const Tensor& input = *event.inputs[i];
    std::size_t declared = 0;
    while (call.list_begin[declared + 1] <= i) ++declared;
    const bool mutated = is_set(event.op.def.mutates, declared);
    // A tensor whose first use is to be overwritten holds nothing from before the step.
    call.uses.push_back(input.defined() ? use_of(input, mutated, mutated) : BufferUse{});
    if (input.defined()) see_device(input.device());
  }
  for (std::size_t i = 0; i < event.outputs.size(); ++i) {
    const bool present = event.args.outputs[i].present();
    call.tensors.push_back(event.args.outputs[i]);
    const bool fresh = !is_set(event.args.accumulate, i);
    call.uses.push_back(present ? use_of(event.outputs[i], true, fresh) : BufferUse{});
    if (present) see_device(event.outputs[i].device());
  }
  for (const TensorArg& arg : call.tensors)
    call.shapes.push_back(arg.present() ? *arg.shape : Shape());
  if (event.args.workspace_bytes != 0) {
    Buffer scratch;
    scratch.bytes = event.args.workspace_bytes;
    scratch.first = scratch.last = calls.size();
    call.workspace = buffers.size();
    buffers.push_back(std::move(scratch));
  }
  calls.push_back(std::move(call));
}

void StepRecording::copied(const Tensor& target, const Tensor& source) {
  mix(source.nbytes());
  if (!(target.device() == source.device())) {
    refuse(cat("copies ", describe(source), " from ", source.device(), " to ", target.device()));
  }
  if (!capture_ || !refusal_.empty()) return;
  RecordedCall call;
  call.tensors = {{nullptr, nullptr, source.numel(), source.dtype()},
                  {nullptr, nullptr, target.numel(), target.dtype()}};
  call.shapes = {source.shape(), target.shape()};
  call.uses = {use_of(source, false, false), use_of(target, true, true)};
  see_device(target.device());
  calls.push_back(std::move(call));
}

void StepRecording::leaf(LeafGrad& leaf) {
  for (const LeafGuard& guard : leaves) {
    if (guard.leaf.get() == &leaf) return;
  }
  leaves.push_back({Ref<LeafGrad>::share(&leaf), leaf.filled, false});
}

void StepRecording::derived(const Tensor& leaf, std::size_t index, bool current) {
  for (const DerivedGuard& guard : copies) {
    if (guard.leaf.same_as(leaf) && guard.index == index) return;
  }
  copies.push_back({leaf, index, current});
}

void StepRecording::host_action(const std::function<void()>& action,
                                const std::function<void()>& resend) {
  actions.push_back(action);
  if (resend) resends.push_back(resend);
}

void StepRecording::host_read(const Tensor& tensor) {
  refuse(cat("the host reads or makes ", describe(tensor), " within the step"));
}

void StepRecording::refuse(std::string reason) {
  if (refusal_.empty()) refusal_ = std::move(reason);
}

void StepRecording::finish() {
  // Leaves that nobody else holds were made by the step itself (checkpoint): they guard nothing.
  std::erase_if(copies,
                [](const DerivedGuard& guard) { return guard.leaf.impl()->refs.load() == 1; });
  std::erase_if(leaves, [](const LeafGuard& guard) { return guard.leaf->use_count() == 1; });
  for (LeafGuard& guard : leaves) guard.filled_after = guard.leaf->filled;
  for (Buffer& buffer : buffers) {
    if (buffer.kind != Buffer::Kind::inside || !buffer.storage) continue;
    if (buffer.storage->refs.load(std::memory_order_acquire) > 1) {
      buffer.kind = Buffer::Kind::outside;
    } else {
      buffer.storage = {};
    }
  }
}

std::size_t plan_memory(std::vector<Buffer>& buffers, std::vector<std::size_t>& offsets) {
  constexpr std::size_t kAlign = 64;
  offsets.assign(buffers.size(), 0);
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    if (buffers[i].kind == Buffer::Kind::inside) order.push_back(i);
  }
  // Largest first, each at the lowest place that no buffer of an overlapping life takes.
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return buffers[a].bytes > buffers[b].bytes;
  });
  std::size_t total = 0;
  std::vector<std::size_t> placed;  // by offset
  for (const std::size_t i : order) {
    const Buffer& buffer = buffers[i];
    std::size_t at = 0;
    for (const std::size_t other : placed) {
      const Buffer& taken = buffers[other];
      if (taken.last < buffer.first || buffer.last < taken.first) continue;
      if (at + buffer.bytes <= offsets[other]) break;
      at = std::max(at, checked_align(offsets[other] + taken.bytes, kAlign, "step plan"));
    }
    offsets[i] = at;
    total = std::max(total, checked_align(at + buffer.bytes, kAlign, "step plan"));
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), i,
                         [&](std::size_t a, std::size_t b) { return offsets[a] < offsets[b]; }),
        i);
  }
  return total;
}

}  // namespace weft
