// SPDX-License-Identifier: Apache-2.0
#include "core/cpu_device.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <string_view>
#include <thread>
#include <utility>

#include "weft/base/checked.h"
#include "weft/base/text.h"

namespace weft {

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t") - first + 1));
}

// x86 calls it "model name"; aarch64 kernels give no name, only part numbers.
std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("model name")) continue;
    return trimmed(std::string_view(line).substr(line.find(':') + 1));
  }
  return "CPU";
}

std::string instruction_sets() {
  std::vector<std::string> found;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const std::array<std::pair<bool, const char*>, 8> features = {{
      {__builtin_cpu_supports("sse4.2") != 0, "sse4.2"},
      {__builtin_cpu_supports("avx") != 0, "avx"},
      {__builtin_cpu_supports("avx2") != 0, "avx2"},
      {__builtin_cpu_supports("fma") != 0, "fma"},
      {__builtin_cpu_supports("avx512f") != 0, "avx512f"},
      {__builtin_cpu_supports("avx512bw") != 0, "avx512bw"},
      {__builtin_cpu_supports("avx512vnni") != 0, "avx512vnni"},
      {__builtin_cpu_supports("avx512bf16") != 0, "avx512bf16"},
  }};
  for (const auto& [supported, name] : features) {
    if (supported) found.emplace_back(name);
  }
#elif defined(__aarch64__)
  found.emplace_back("neon");
#endif
  return join(found, " ");
}

class CpuBackend final : public Backend {
 public:
  DeviceKind kind() const override { return DeviceKind::cpu; }
  int device_count() const override { return 1; }
  bool is_host() const override { return true; }

  DeviceInfo describe(int) const override {
    const auto pages = static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES));
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    return {.name = processor_name(),
            .detail = instruction_sets(),
            .memory_bytes = checked_bytes(pages, page, "memory"),
            .compute_units = static_cast<int>(std::thread::hardware_concurrency())};
  }

  // Large runs start on a huge page, so that the kernel can back them with huge pages.
  void* allocate(int, std::size_t bytes) override {
    const std::size_t alignment = bytes >= kHugePage ? kHugePage : kPage;
    const std::size_t wanted = checked_align(std::max(bytes, kPage), kPage, "allocation");
    const std::size_t mapped = wanted + (alignment - kPage);
    void* data = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) return nullptr;
    auto* begin = static_cast<std::byte*>(data);
    const std::size_t lead = -reinterpret_cast<std::uintptr_t>(data) & (alignment - 1);
    if (lead > 0) munmap(begin, lead);
    if (mapped > lead + wanted) munmap(begin + lead + wanted, mapped - lead - wanted);
    if (bytes >= kHugePage) madvise(begin + lead, wanted, MADV_HUGEPAGE);
    return begin + lead;
  }

  void free(int, void* data, std::size_t bytes) noexcept override {
    munmap(data, (std::max(bytes, kPage) + kPage - 1) / kPage * kPage);
  }

  void copy(void* target, const void* source, std::size_t bytes, CopyKind, Stream) override {
    if (bytes > 0) std::memcpy(target, source, bytes);
  }

  Stream default_stream(int index) override { return {nullptr, Device(DeviceKind::cpu, index)}; }
  Stream create_stream(int index) override { return default_stream(index); }
  void destroy_stream(Stream) noexcept override {}
  Event record(Stream stream) override { return {nullptr, stream.device}; }
  void wait(Stream, Event) override {}
  bool is_done(Event) override { return true; }
  void destroy_event(Event) noexcept override {}
  void synchronize(Stream) override {}
};

}  // namespace

Backend& cpu_backend() {
  static CpuBackend& backend = *new CpuBackend;
  return backend;
}

}  // namespace weft
