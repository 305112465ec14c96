// SPDX-License-Identifier: Apache-2.0
#include "graph/step_replay.h"

#include <algorithm>

#include "core/tensor_alloc.h"
#include "op/transfer.h"
#include "weft/core/context.h"

namespace weft {

StepReplay::StepReplay(std::unique_ptr<StepRecording> recording, std::span<const Tensor> outputs,
                       Tensor base, std::uint64_t draws)
    : recording_(std::move(recording)), base_(std::move(base)), draws_(draws) {
  const Device device = recording_->device.value_or(Device());
  backend_ = &backend_of(device);
  stream_ = current_session().stream(device);
  for (const Tensor& output : outputs) {
    OutputPlace place;
    if (output.defined()) {
      const TensorImpl* impl = output.impl();
      const auto buffer =
          std::find_if(recording_->buffers.begin(), recording_->buffers.end(),
                       [&](const Buffer& b) { return b.storage.get() == impl->storage; });
      if (buffer == recording_->buffers.end()) {
        recording_->refuse(cat("it returns ", describe(output), ", which it did not compute"));
        return;
      }
      buffer->last = recording_->calls.size();
      place = {true, &buffer->data,
               static_cast<std::size_t>(impl->data - impl->storage->data) - buffer->origin,
               impl->shape, impl->dtype};
    }
    outputs_.push_back(place);
  }
}

StepReplay::~StepReplay() {
  if (captured_ != nullptr) backend_->destroy_capture(captured_);
}

void StepReplay::bind() {
  recording_->finish();
  place_buffers();
  bind_calls();
}

void StepReplay::place_buffers() {
  std::vector<std::size_t> offsets;
  planned_bytes_ = plan_memory(recording_->buffers, offsets);
  arena_ = make_storage(std::max<std::size_t>(planned_bytes_, 1), stream_.device);
  for (std::size_t i = 0; i < recording_->buffers.size(); ++i) {
    Buffer& buffer = recording_->buffers[i];
    if (buffer.kind == Buffer::Kind::outside) buffer.data = buffer.storage->data;
    if (buffer.kind == Buffer::Kind::inside) {
      buffer.data = arena_->data + offsets[i];
      unplanned_bytes_ += buffer.bytes;
    }
    if (buffer.kind != Buffer::Kind::input) continue;
    buffer.storage = {};
    if (!backend_->can_capture()) continue;
    const Tensor copy = empty(Shape({static_cast<std::int64_t>(buffer.bytes)}),
                              {.dtype = DType::u8, .device = stream_.device});
    buffer.data = copy.impl()->data;
    static_inputs_.push_back(copy);
  }
}

void StepReplay::bind_calls() {
  for (RecordedCall& call : recording_->calls) {
    for (std::size_t i = 0; i < call.tensors.size(); ++i) {
      TensorArg& arg = call.tensors[i];
      if (call.row != nullptr && !arg.present()) continue;
      arg.shape = &call.shapes[i];
      const Buffer& buffer = recording_->buffers[call.uses[i].buffer];
      arg.data = buffer.data + call.uses[i].offset;
      if (buffer.kind == Buffer::Kind::input && buffer.data == nullptr) {
        patches_.push_back({&arg.data, buffer.input, call.uses[i].offset});
      }
    }
    if (call.row == nullptr) continue;
    const std::size_t inputs = call.args.inputs.size();
    call.args.attrs_data = call.attrs.data();
    call.args.inputs = {call.tensors.data(), inputs};
    call.args.outputs = {call.tensors.data() + inputs, call.tensors.size() - inputs};
    call.args.list_begin = call.list_begin;
    call.args.workspace = call.workspace ? recording_->buffers[*call.workspace].data : nullptr;
  }
}

bool StepReplay::accepts(std::span<const Tensor> inputs) const {
  const auto& guards = recording_->leaves;
  const auto& copies = recording_->copies;
  // Variants were chosen for 64-byte aligned inputs.
  const auto aligned = [](const Tensor& t) {
    return !t.defined() || reinterpret_cast<std::uintptr_t>(t.impl()->data) % 64 == 0;
  };
  return std::all_of(guards.begin(), guards.end(), [](const LeafGuard& g) { return g.holds(); }) &&
         std::all_of(copies.begin(), copies.end(),
                     [](const DerivedGuard& g) { return g.holds(); }) &&
         std::all_of(inputs.begin(), inputs.end(), aligned);
}

void StepReplay::bind_inputs(std::span<const Tensor> inputs) {
  for (const InputPatch& patch : patches_) {
    *patch.at = inputs[patch.input].impl()->data + patch.offset;
  }
  for (Buffer& buffer : recording_->buffers) {
    if (buffer.kind != Buffer::Kind::input) continue;
    const Tensor& input = inputs[buffer.input];
    if (!backend_->can_capture()) {
      buffer.data = input.impl()->data;
    } else if (input.nbytes() > 0) {
      backend_->copy(buffer.data, input.impl()->data, input.nbytes(), CopyKind::within, stream_);
    }
  }
}

void StepReplay::run_calls() {
  for (const RecordedCall& call : recording_->calls) {
    if (call.row != nullptr) {
      call.row->run(call.args);
    } else {
      const auto bytes =
          static_cast<std::size_t>(call.tensors[0].numel) * size_of(call.tensors[0].dtype);
      backend_->copy(call.tensors[1].data, call.tensors[0].data, bytes, CopyKind::within, stream_);
    }
  }
}

void StepReplay::capture_calls() {
  backend_->begin_capture(stream_);
  try {
    run_calls();
  } catch (...) {
    // The stream must leave capture mode, whatever stands in the broken capture.
    backend_->destroy_capture(backend_->end_capture(stream_));
    throw;
  }
  captured_ = backend_->end_capture(stream_);
}

std::vector<Tensor> StepReplay::run_device(std::span<const Tensor> inputs,
                                           std::uint64_t first_draw) {
  if (base_.defined()) fill_tensor(base_, static_cast<double>(first_draw));
  bind_inputs(inputs);
  if (!backend_->can_capture()) {
    run_calls();
  } else {
    if (captured_ == nullptr) {
      capture_calls();
    }
    backend_->replay(captured_, stream_);
  }
  std::vector<Tensor> results;
  for (const OutputPlace& place : outputs_) {
    if (!place.present) {
      results.emplace_back();
      continue;
    }
    results.emplace_back(new_tensor(place.shape, place.dtype, stream_.device));
    const std::size_t bytes = results.back().nbytes();
    if (bytes == 0) continue;
    backend_->copy(results.back().impl()->data, *place.at + place.offset, bytes, CopyKind::within,
                   stream_);
  }
  return results;
}

void StepReplay::settle() {
  for (const DerivedGuard& guard : recording_->copies) {
    if (!guard.current) guard.copy().version = guard.leaf.version();
  }
  for (const Buffer& buffer : recording_->buffers) {
    if (buffer.kind == Buffer::Kind::outside && buffer.written) ++buffer.storage->version;
  }
  for (const LeafGuard& guard : recording_->leaves) guard.leaf->filled = guard.filled_after;
}

std::vector<Tensor> StepReplay::run(std::span<const Tensor> inputs) {
  Session& session = current_session();
  for (const auto& action : recording_->actions) action();
  const std::uint64_t first_draw = session.random_state().draws;
  std::vector<Tensor> results;
  try {
    results = run_device(inputs, first_draw);
  } catch (...) {
    for (const LeafGuard& guard : recording_->leaves) guard.leaf->incomplete = true;
    throw;
  }
  session.skip_draws(draws_);
  settle();
  return results;
}

std::vector<Tensor> StepReplay::written() const {
  std::vector<Tensor> tensors;
  for (const Buffer& buffer : recording_->buffers) {
    if (buffer.kind != Buffer::Kind::outside || !buffer.written) continue;
    tensors.push_back(Tensor::over(buffer.storage, 0,
                                   Shape({static_cast<std::int64_t>(buffer.bytes)}), DType::u8));
  }
  return tensors;
}

}  // namespace weft
