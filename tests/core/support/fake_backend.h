// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

#include "weft/core/backend.h"

namespace weft::test {

/// A device in host memory whose streams run nothing until told to: `finish(stream)`. It fails when
/// `capacity` is used up, and knows every run of memory it gave out.
class FakeBackend final : public Backend {
 public:
  static constexpr DeviceKind kKind = DeviceKind::extern0;

  std::size_t capacity = std::size_t{1} << 30;
  std::map<void*, std::size_t> runs;
  int waits = 0;
  int live_events = 0;

  std::size_t used() const {
    std::size_t total = 0;
    for (const auto& [data, bytes] : runs) total += bytes;
    return total;
  }
  void finish(Stream stream) { state_of(stream).finished = state_of(stream).recorded; }

  DeviceKind kind() const override { return kKind; }
  int device_count() const override { return 1; }
  DeviceInfo describe(int) const override { return {"fake", "", capacity, 1}; }

  void* allocate(int, std::size_t bytes) override {
    if (bytes > capacity - used()) return nullptr;
    void* data = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
    runs[data] = bytes;
    return data;
  }
  void free(int, void* data, std::size_t bytes) noexcept override {
    if (runs.at(data) != bytes) std::abort();
    runs.erase(data);
    std::free(data);
  }
  void copy(void* target, const void* source, std::size_t bytes, CopyKind, Stream) override {
    std::memcpy(target, source, bytes);
  }

  Stream default_stream(int) override { return {&states_[0], {kKind, 0}}; }
  Stream create_stream(int) override { return {&states_[next_++], {kKind, 0}}; }
  void destroy_stream(Stream) noexcept override {}
  Event record(Stream stream) override {
    ++live_events;
    return {new Mark{&state_of(stream), ++state_of(stream).recorded}, stream.device};
  }
  void wait(Stream, Event) override {}
  bool is_done(Event event) override {
    const Mark* mark = static_cast<Mark*>(event.handle);
    return mark->stream->finished >= mark->at;
  }
  void destroy_event(Event event) noexcept override {
    --live_events;
    delete static_cast<Mark*>(event.handle);
  }
  void synchronize(Stream stream) override {
    ++waits;
    finish(stream);
  }

 private:
  struct State {
    std::uint64_t recorded = 0;
    std::uint64_t finished = 0;
  };
  struct Mark {
    State* stream;
    std::uint64_t at;
  };
  State& state_of(Stream stream) { return *static_cast<State*>(stream.handle); }

  State states_[8];
  int next_ = 1;
};

}  // namespace weft::test
