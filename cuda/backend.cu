// SPDX-License-Identifier: Apache-2.0
#include "cuda/backend.h"

#include <mutex>
#include <vector>

#include "cuda/common.cuh"

namespace weft::cuda {

void fail(cudaError_t status, std::string_view what) {
  int device = 0;
  static_cast<void>(cudaGetDevice(&device));
  static_cast<void>(cudaGetLastError());  // else the next launch would report it again
  throw Error(ErrorKind::device, cat(what, ": cuda:", device, ": ", cudaGetErrorString(status),
                                     " (", cudaGetErrorName(status), ")"));
}

OnDevice::OnDevice(int index) : wanted_(index) {
  check(cudaGetDevice(&saved_), "cudaGetDevice");
  if (saved_ != wanted_) check(cudaSetDevice(wanted_), "cudaSetDevice");
}

OnDevice::~OnDevice() {
  if (saved_ != wanted_) static_cast<void>(cudaSetDevice(saved_));
}

namespace {

cudaStream_t handle(Stream stream) { return static_cast<cudaStream_t>(stream.handle); }
cudaEvent_t handle(Event event) { return static_cast<cudaEvent_t>(event.handle); }

/// How many devices there are, and why none.
struct Census {
  int count = 0;
  std::string absence;
};

Census take_census() {
  Census census;
  const cudaError_t status = cudaGetDeviceCount(&census.count);
  if (status == cudaSuccess) {
    if (census.count == 0) census.absence = "the NVIDIA driver reports no GPU";
    return census;
  }
  census.count = 0;
  static_cast<void>(cudaGetLastError());
  int driver = 0;
  int runtime = 0;
  static_cast<void>(cudaDriverGetVersion(&driver));
  static_cast<void>(cudaRuntimeGetVersion(&runtime));
  const auto version = [](int v) { return cat(v / 1000, ".", v % 1000 / 10); };
  if (driver == 0) {
    census.absence = "no NVIDIA driver is loaded";
  } else if (driver < runtime && status == cudaErrorInsufficientDriver) {
    census.absence = cat("the NVIDIA driver is too old: it supports CUDA ", version(driver),
                         ", this build needs ", version(runtime));
  } else {
    census.absence = cat("CUDA found no usable GPU: ", cudaGetErrorString(status));
  }
  return census;
}

class CudaBackend final : public Backend {
 public:
  CudaBackend() : census_(take_census()), streams_(static_cast<std::size_t>(census_.count)) {}

  DeviceKind kind() const override { return DeviceKind::cuda; }
  int device_count() const override { return census_.count; }
  std::string absence() const override { return census_.absence; }

  DeviceInfo describe(int index) const override {
    cudaDeviceProp properties;
    check(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties");
    int driver = 0;
    check(cudaDriverGetVersion(&driver), "cudaDriverGetVersion");
    return {properties.name,
            cat("sm_", properties.major, properties.minor, ", driver for CUDA ", driver / 1000, ".",
                driver % 1000 / 10),
            properties.totalGlobalMem, properties.multiProcessorCount};
  }

  void* allocate(int index, std::size_t bytes) override {
    const OnDevice on(index);
    void* data = nullptr;
    const cudaError_t status = cudaMalloc(&data, bytes);
    if (status == cudaErrorMemoryAllocation) {
      static_cast<void>(cudaGetLastError());  // not sticky: the pool trims and tries again
      return nullptr;
    }
    check(status, "cudaMalloc");
    return data;
  }
  void free(int index, void* data, std::size_t) noexcept override {
    // At process exit the driver may be gone already; there is nobody to tell.
    int saved = 0;
    if (cudaGetDevice(&saved) != cudaSuccess || cudaSetDevice(index) != cudaSuccess) return;
    static_cast<void>(cudaFree(data));
    static_cast<void>(cudaSetDevice(saved));
  }

  void copy(void* target, const void* source, std::size_t bytes, CopyKind kind,
            Stream stream) override {
    constexpr cudaMemcpyKind kinds[] = {cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost,
                                        cudaMemcpyDeviceToDevice, cudaMemcpyDefault};
    const OnDevice on(stream.device.index);
    check(cudaMemcpyAsync(target, source, bytes, kinds[static_cast<int>(kind)], handle(stream)),
          "cudaMemcpyAsync");
  }

  Stream default_stream(int index) override {
    const std::lock_guard lock(mutex_);
    Stream& stream = streams_.at(static_cast<std::size_t>(index));
    if (stream.handle == nullptr) stream = create_stream(index);
    return stream;
  }
  Stream create_stream(int index) override {
    const OnDevice on(index);
    cudaStream_t stream = nullptr;
    // The legacy default stream would wait for it at every step.
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
    return {stream, Device(DeviceKind::cuda, index)};
  }
  void destroy_stream(Stream stream) noexcept override {
    static_cast<void>(cudaStreamDestroy(handle(stream)));
  }
  Event record(Stream stream) override {
    const OnDevice on(stream.device.index);
    cudaEvent_t event = nullptr;
    check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreate");
    check(cudaEventRecord(event, handle(stream)), "cudaEventRecord");
    return {event, stream.device};
  }
  void wait(Stream stream, Event event) override {
    check(cudaStreamWaitEvent(handle(stream), handle(event), 0), "cudaStreamWaitEvent");
  }
  bool is_done(Event event) override {
    const cudaError_t status = cudaEventQuery(handle(event));
    if (status == cudaErrorNotReady) {
      static_cast<void>(cudaGetLastError());  // no error, but the next launch would report it
      return false;
    }
    check(status, "cudaEventQuery");
    return true;
  }
  void destroy_event(Event event) noexcept override {
    static_cast<void>(cudaEventDestroy(handle(event)));
  }
  void synchronize(Stream stream) override {
    check(cudaStreamSynchronize(handle(stream)), "cudaStreamSynchronize");
  }

  bool can_capture() const override { return true; }
  void begin_capture(Stream stream) override {
    check(cudaStreamBeginCapture(handle(stream), cudaStreamCaptureModeThreadLocal),
          "cudaStreamBeginCapture");
  }
  void* end_capture(Stream stream) override {
    cudaGraph_t graph = nullptr;
    check(cudaStreamEndCapture(handle(stream), &graph), "cudaStreamEndCapture");
    cudaGraphExec_t executable = nullptr;
    const cudaError_t status = cudaGraphInstantiate(&executable, graph, 0);
    static_cast<void>(cudaGraphDestroy(graph));
    check(status, "cudaGraphInstantiate");
    return executable;
  }
  void replay(void* capture, Stream stream) override {
    check(cudaGraphLaunch(static_cast<cudaGraphExec_t>(capture), handle(stream)),
          "cudaGraphLaunch");
  }
  void destroy_capture(void* capture) noexcept override {
    static_cast<void>(cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(capture)));
  }

 private:
  Census census_;
  std::mutex mutex_;
  std::vector<Stream> streams_;
};

}  // namespace

std::unique_ptr<Backend> make_backend() { return std::make_unique<CudaBackend>(); }

}  // namespace weft::cuda
