// SPDX-License-Identifier: Apache-2.0
#include "weft/core/backend.h"

#include <array>
#include <atomic>
#include <mutex>

#include "core/backend_loader.h"
#include "core/cpu_device.h"
#include "core/waits.h"
#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/core/context.h"

namespace weft {

namespace {

constexpr std::array<DeviceKind, kDeviceKindCount> kKinds = {DeviceKind::cpu, DeviceKind::cuda,
                                                             DeviceKind::sim, DeviceKind::extern0};

constinit std::array<std::atomic<Backend*>, kDeviceKindCount> backends{};
constinit std::atomic<std::uint64_t> waits{0};

std::atomic<Backend*>& slot_of(DeviceKind kind) { return backends[static_cast<std::size_t>(kind)]; }

struct Absences {
  std::mutex mutex;
  std::array<std::string, kDeviceKindCount> reasons;
};

Absences& absences() {
  static Absences& table = *new Absences;
  return table;
}

[[noreturn, gnu::cold]] void throw_absent(Device device) {
  Backend* backend = find_backend(device.kind);
  const int count = backend == nullptr ? 0 : backend->device_count();
  const std::string reason = count == 0
                                 ? absence_of(device.kind)
                                 : cat("there ", count == 1 ? "is " : "are ", count, " ",
                                       name_of(device.kind), count == 1 ? " device" : " devices");
  std::vector<std::string> available;
  for (const Device one : all_devices()) available.push_back(to_string(one));
  throw Error(ErrorKind::device, cat("device ", device, " does not exist: ", reason,
                                     "; available: ", join(available)));
}

[[noreturn, gnu::cold]] void throw_no_capture(const Backend& backend) {
  throw Error(ErrorKind::unsupported,
              cat("capture: the ", name_of(backend.kind()), " backend cannot capture a stream"));
}

}  // namespace

Backend::~Backend() = default;
void Backend::begin_capture(Stream) { throw_no_capture(*this); }
void* Backend::end_capture(Stream) { throw_no_capture(*this); }
void Backend::replay(void*, Stream) { throw_no_capture(*this); }
void Backend::destroy_capture(void*) noexcept {}

void add_backend(std::unique_ptr<Backend> backend) {
  const DeviceKind kind = backend->kind();
  Backend* expected = nullptr;
  if (kind == DeviceKind::cpu ||
      !slot_of(kind).compare_exchange_strong(expected, backend.get(), std::memory_order_acq_rel)) {
    throw Error(ErrorKind::state,
                cat("add_backend: there is a backend for ", name_of(kind), " already"));
  }
  // Registered for the life of the process: tensors at exit still need it.
  [[maybe_unused]] const Backend* kept = backend.release();
}

Backend* find_backend(DeviceKind kind) {
  if (kind == DeviceKind::cpu) return &cpu_backend();
  Backend* backend = slot_of(kind).load(std::memory_order_acquire);
  if (backend == nullptr && kind == DeviceKind::cuda) [[unlikely]] {
    static std::once_flag once;
    std::call_once(once, [] { load_backend_library(DeviceKind::cuda); });
    backend = slot_of(kind).load(std::memory_order_acquire);
  }
  return backend;
}

bool device_exists(Device device) {
  const Backend* backend = find_backend(device.kind);
  return backend != nullptr && device.index >= 0 && device.index < backend->device_count();
}

void require_device(Device device) {
  if (!device_exists(device)) throw_absent(device);
}

Backend& backend_of(Device device) {
  require_device(device);
  return *find_backend(device.kind);
}

std::vector<Device> all_devices() {
  std::vector<Device> devices;
  for (const DeviceKind kind : kKinds) {
    const Backend* backend = find_backend(kind);
    const int count = backend == nullptr ? 0 : backend->device_count();
    for (int i = 0; i < count; ++i) devices.emplace_back(kind, i);
  }
  return devices;
}

Device best_device() {
  constexpr Device gpu(DeviceKind::cuda, 0);
  return device_exists(gpu) ? gpu : Device();
}

void set_absence(DeviceKind kind, std::string reason) {
  Absences& table = absences();
  const std::scoped_lock lock(table.mutex);
  table.reasons[static_cast<std::size_t>(kind)] = std::move(reason);
}

std::string absence_of(DeviceKind kind) {
  if (const Backend* backend = find_backend(kind)) {
    if (backend->device_count() > 0) return {};
    if (std::string reason = backend->absence(); !reason.empty()) return reason;
  }
  Absences& table = absences();
  const std::scoped_lock lock(table.mutex);
  const std::string& reason = table.reasons[static_cast<std::size_t>(kind)];
  return reason.empty() ? cat("no ", name_of(kind), " backend is loaded") : reason;
}

void wait_for(Backend& backend, Stream stream) {
  if (!backend.is_host()) waits.fetch_add(1, std::memory_order_relaxed);
  backend.synchronize(stream);
}

void synchronize(Device device) { wait_for(backend_of(device), current_session().stream(device)); }

std::uint64_t host_waits() { return waits.load(std::memory_order_relaxed); }

}  // namespace weft
