// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_device.h"

#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/core/backend.h"
#include "weft/op/registry.h"

namespace weft::test {

namespace {

constexpr std::size_t kGuardBytes = 256;
constexpr auto kGuard = std::byte{0x5A};
constexpr auto kPoison = std::byte{0xFF};  // NaN in every floating dtype, -1 in integers

using Work = std::function<void()>;

struct SimState {
  std::recursive_mutex mutex;
  std::deque<Work> queue;
  std::uint64_t enqueued = 0;
  std::uint64_t executed = 0;
  std::vector<Work>* capture = nullptr;
  bool can_capture = false;
  std::size_t memory_limit = 0;
  std::size_t memory_used = 0;
  SimCounters counters;
  std::vector<std::string> launches;
};

SimState& state() {
  static SimState instance;
  return instance;
}

void enqueue(Work work) {
  SimState& sim = state();
  const std::lock_guard lock(sim.mutex);
  if (sim.capture != nullptr) {
    sim.capture->push_back(std::move(work));
    return;
  }
  sim.queue.push_back(std::move(work));
  ++sim.enqueued;
}

void run_until(std::uint64_t position) {
  SimState& sim = state();
  const std::lock_guard lock(sim.mutex);
  while (sim.executed < position && !sim.queue.empty()) {
    const Work work = std::move(sim.queue.front());
    sim.queue.pop_front();
    ++sim.executed;
    work();
  }
}

/// A copy of kernel arguments that owns what they point to.
struct OwnedArgs {
  KernelArgs args;
  std::vector<std::byte> attrs;
  std::vector<TensorArg> tensors;
  std::vector<Shape> shapes;
  std::vector<std::uint16_t> list_begin;

  OwnedArgs(const KernelArgs& source, std::size_t attrs_bytes) : args(source) {
    const auto* bytes = static_cast<const std::byte*>(source.attrs_data);
    attrs.assign(bytes, bytes + attrs_bytes);
    list_begin.assign(source.list_begin.begin(), source.list_begin.end());
    for (const auto& side : {source.inputs, source.outputs}) {
      tensors.insert(tensors.end(), side.begin(), side.end());
    }
    for (const TensorArg& arg : tensors) shapes.push_back(arg.present() ? *arg.shape : Shape());
  }

  KernelArgs bound() {
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      if (tensors[i].present()) tensors[i].shape = &shapes[i];
    }
    KernelArgs result = args;
    result.attrs_data = attrs.data();
    result.inputs = {tensors.data(), args.inputs.size()};
    result.outputs = {tensors.data() + args.inputs.size(), args.outputs.size()};
    result.list_begin = list_begin;
    return result;
  }
};

/// Memory between two guards, in place of a tensor that a kernel writes.
class Guarded {
 public:
  Guarded(TensorArg& arg, bool keep) : target_(arg.data) {
    bytes_ = static_cast<std::size_t>(arg.numel) * size_of(arg.dtype);
    block_.assign(bytes_ + 2 * kGuardBytes + 64, kGuard);
    auto at = reinterpret_cast<std::uintptr_t>(block_.data()) + kGuardBytes;
    data_ = reinterpret_cast<std::byte*>((at + 63) & ~std::uintptr_t{63});
    if (bytes_ > 0) {
      if (keep) {
        std::memcpy(data_, target_, bytes_);
      } else {
        std::memset(data_, static_cast<int>(kPoison), bytes_);
      }
    }
    arg.data = data_;
  }

  void commit(std::string_view op) {
    for (const std::byte* p = block_.data(); p < block_.data() + block_.size(); ++p) {
      if (p >= data_ && p < data_ + bytes_) continue;
      if (*p != kGuard)
        throw Error(ErrorKind::internal, cat(op, ": wrote outside one of its outputs"));
    }
    if (bytes_ > 0) std::memcpy(target_, data_, bytes_);
  }

 private:
  std::byte* target_;
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
  std::vector<std::byte> block_;
};

struct SimRow {
  const KernelRow* cpu;
  const OpEntry* op;
};

void run_guarded(const SimRow& row, OwnedArgs& owned) {
  OwnedArgs work = owned;
  std::deque<Guarded> guarded;
  const std::size_t inputs = work.args.inputs.size();
  for (std::size_t declared = 0; declared + 1 < work.list_begin.size(); ++declared) {
    if (((row.op->def.mutates >> declared) & 1u) == 0) continue;
    for (std::size_t i = work.list_begin[declared]; i < work.list_begin[declared + 1]; ++i) {
      if (work.tensors[i].present()) guarded.emplace_back(work.tensors[i], true);
    }
  }
  for (std::size_t i = inputs; i < work.tensors.size(); ++i) {
    if (!work.tensors[i].present()) continue;
    guarded.emplace_back(work.tensors[i], ((work.args.accumulate >> (i - inputs)) & 1u) != 0);
  }
  KernelArgs args = work.bound();
  args.user = row.cpu->user;
  args.stream = {};
  row.cpu->run(args);
  for (Guarded& output : guarded) output.commit(row.op->name());
}

void launch(const KernelArgs& args) {
  const auto& row = *static_cast<const SimRow*>(args.user);
  SimState& sim = state();
  {
    const std::lock_guard lock(sim.mutex);
    ++sim.counters.launches;
    sim.launches.emplace_back(args.op);
  }
  auto owned = std::make_shared<OwnedArgs>(args, row.op->def.attrs->size);
  enqueue([&row, owned] { run_guarded(row, *owned); });
}

template <class R, R (*KernelRow::*Member)(const KernelArgs&)>
R forward(const KernelArgs& args) {
  const KernelRow& cpu = *static_cast<const SimRow*>(args.user)->cpu;
  KernelArgs own = args;
  own.user = cpu.user;
  return (cpu.*Member)(own);
}

class SimBackend final : public Backend {
 public:
  DeviceKind kind() const override { return DeviceKind::sim; }
  int device_count() const override { return 1; }
  DeviceInfo describe(int) const override { return {"test device", "queued host memory", 0, 1}; }

  void* allocate(int, std::size_t bytes) override {
    SimState& sim = state();
    const std::lock_guard lock(sim.mutex);
    if (sim.memory_limit != 0 && sim.memory_used + bytes > sim.memory_limit) return nullptr;
    void* data = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
    if (data == nullptr) return nullptr;
    std::memset(data, static_cast<int>(kPoison), bytes);
    ++sim.counters.allocations;
    sim.memory_used += bytes;
    return data;
  }
  void free(int, void* data, std::size_t bytes) noexcept override {
    SimState& sim = state();
    const std::lock_guard lock(sim.mutex);
    run_until(sim.enqueued);
    sim.memory_used -= bytes;
    std::free(data);
  }

  void copy(void* target, const void* source, std::size_t bytes, CopyKind, Stream) override {
    SimState& sim = state();
    const std::lock_guard lock(sim.mutex);
    ++sim.counters.copies;
    sim.counters.bytes += bytes;
    enqueue([=] { std::memcpy(target, source, bytes); });
  }

  Stream default_stream(int index) override { return {nullptr, Device(DeviceKind::sim, index)}; }
  Stream create_stream(int index) override { return default_stream(index); }
  void destroy_stream(Stream) noexcept override {}
  Event record(Stream stream) override {
    return {reinterpret_cast<void*>(static_cast<std::uintptr_t>(state().enqueued)), stream.device};
  }
  void wait(Stream, Event) override {}
  /// Each question lets the device work up to the event; the next one is told so.
  bool is_done(Event event) override {
    const auto position =
        static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(event.handle));
    if (state().executed >= position) return true;
    run_until(position);
    return false;
  }
  void destroy_event(Event) noexcept override {}
  void synchronize(Stream) override {
    SimState& sim = state();
    const std::lock_guard lock(sim.mutex);
    ++sim.counters.waits;
    run_until(sim.enqueued);
  }

  bool can_capture() const override { return state().can_capture; }
  void begin_capture(Stream) override { state().capture = new std::vector<Work>; }
  void* end_capture(Stream) override { return std::exchange(state().capture, nullptr); }
  void replay(void* capture, Stream) override {
    SimState& sim = state();
    const std::lock_guard lock(sim.mutex);
    ++sim.counters.replays;
    for (const Work& work : *static_cast<std::vector<Work>*>(capture)) enqueue(work);
  }
  void destroy_capture(void* capture) noexcept override {
    delete static_cast<std::vector<Work>*>(capture);
  }
};

void add_twins(OpEntry& op) {
  for (const DType dtype : kAllDTypes) {
    const auto have = op.kernels.rows(DeviceKind::sim, dtype);
    for (const KernelRow& cpu : op.kernels.rows(DeviceKind::cpu, dtype)) {
      bool known = false;
      for (const KernelRow& row : have) known = known || row.variant == cpu.variant;
      if (known) continue;
      KernelRow row = cpu;
      row.run = launch;
      if (cpu.prepare != nullptr) row.prepare = forward<void*, &KernelRow::prepare>;
      if (cpu.workspace != nullptr) row.workspace = forward<std::size_t, &KernelRow::workspace>;
      if (cpu.applies != nullptr) row.applies = forward<bool, &KernelRow::applies>;
      static std::deque<SimRow> rows;  // never move
      row.user = &rows.emplace_back(SimRow{&cpu, &op});
      op.kernels.add(DeviceKind::sim, dtype, row);
    }
  }
}

}  // namespace

void install_sim() {
  static std::once_flag once;
  std::call_once(once, [] { add_backend(std::make_unique<SimBackend>()); });
  for (const OpEntry* op : all_ops()) add_twins(*const_cast<OpEntry*>(op));
}

SimCounters sim_counters() {
  SimState& sim = state();
  const std::lock_guard lock(sim.mutex);
  return sim.counters;
}

std::vector<std::string> take_sim_launches() {
  SimState& sim = state();
  const std::lock_guard lock(sim.mutex);
  return std::exchange(sim.launches, {});
}

void set_sim_capture(bool enabled) { state().can_capture = enabled; }
void set_sim_memory(std::size_t bytes) { state().memory_limit = bytes; }

}  // namespace weft::test
