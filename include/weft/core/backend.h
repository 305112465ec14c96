// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "weft/base/device.h"

namespace weft {

/// Handles of a backend, meaningful to it alone.
struct Stream {
  void* handle = nullptr;
  Device device;
};
struct Event {
  void* handle = nullptr;
  Device device;
};

struct DeviceInfo {
  std::string name;    ///< `AMD EPYC 9355P`, `NVIDIA H200`
  std::string detail;  ///< instruction sets, driver, compute capability
  std::size_t memory_bytes = 0;
  int compute_units = 0;  ///< cores or multiprocessors
};

enum class CopyKind : std::uint8_t { to_device, to_host, within, peer };

/// A kind of device. The only virtual surface towards hardware: kernels are rows of a table and
/// never pass through here. Streams order the work of one device; a CPU backend runs everything at
/// once.
class WEFT_API Backend {
 public:
  virtual ~Backend();

  virtual DeviceKind kind() const = 0;
  /// 0 when there is none; `absence` then says why and what would help.
  virtual int device_count() const = 0;
  virtual std::string absence() const { return {}; }
  virtual DeviceInfo describe(int index) const = 0;

  /// Raw memory for the pool, 256-byte aligned; nullptr when exhausted. `huge` advises huge pages.
  virtual void* allocate(int index, std::size_t bytes) = 0;
  virtual void free(int index, void* data, std::size_t bytes) noexcept = 0;

  /// Stream-ordered; host memory may be reused once the stream has passed the copy.
  virtual void copy(void* target, const void* source, std::size_t bytes, CopyKind kind,
                    Stream stream) = 0;

  virtual Stream default_stream(int index) = 0;
  virtual Stream create_stream(int index) = 0;
  virtual void destroy_stream(Stream stream) noexcept = 0;
  virtual Event record(Stream stream) = 0;
  virtual void wait(Stream stream, Event event) = 0;
  virtual bool is_done(Event event) = 0;
  virtual void destroy_event(Event event) noexcept = 0;
  /// Waits for the stream. The only call on which the host waits for a device.
  virtual void synchronize(Stream stream) = 0;

  /// True when the device's memory can be read by the host without a copy (CPU).
  virtual bool is_host() const { return false; }

  /// Capture of a stream's work into a replayable object; `nullptr` when unsupported.
  virtual bool can_capture() const { return false; }
  virtual void begin_capture(Stream stream);
  virtual void* end_capture(Stream stream);
  virtual void replay(void* capture, Stream stream);
  virtual void destroy_capture(void* capture) noexcept;
};

/// The backend of a kind; registered once, never removed.
WEFT_API void add_backend(std::unique_ptr<Backend> backend);
/// nullptr when no backend of the kind is registered.
WEFT_API Backend* find_backend(DeviceKind kind);
/// Throws Error(device) saying which devices exist and why the wanted one does not.
WEFT_API Backend& backend_of(Device device);
/// Throws Error(device) unless `device` exists.
WEFT_API void require_device(Device device);
WEFT_API bool device_exists(Device device);
/// All devices of all backends, CPU first.
WEFT_API std::vector<Device> all_devices();
/// `cuda:0` when there is one, else `cpu`.
WEFT_API Device best_device();
/// Remembers why a kind of device cannot be had (library absent, driver too old), for errors and
/// `weft doctor`.
WEFT_API void set_absence(DeviceKind kind, std::string reason);
WEFT_API std::string absence_of(DeviceKind kind);

/// Waits until the current stream of `device` has finished. Counted (see `host_waits`).
WEFT_API void synchronize(Device device);
/// How often this process waited for a device; steps must not raise it.
WEFT_API std::uint64_t host_waits();

}  // namespace weft
