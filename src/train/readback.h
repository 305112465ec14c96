// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "weft/core/backend.h"
#include "weft/core/tensor.h"

namespace weft {

/// Copies of a few device tensors to the host that nobody has to wait for.
class Readback {
 public:
  /// Enqueues the copies on the current stream; on a host device they are done at once. All
  /// `sources` live on one device.
  explicit Readback(std::vector<Tensor> sources);
  Readback(Readback&& other) noexcept;
  Readback& operator=(Readback&&) = delete;
  ~Readback();

  bool is_done();
  /// Waits for the device unless done.
  void wait();
  /// Bytes of source `i`, once done.
  const std::vector<std::byte>& bytes(std::size_t i) const { return copies_[i]; }
  /// The one element of source `i`, once done.
  double value(std::size_t i) const;

 private:
  void finish() noexcept;

  std::vector<Tensor> sources_;  ///< kept alive until the copies are done
  std::vector<std::vector<std::byte>> copies_;
  Event event_;
  bool pending_ = false;
};

}  // namespace weft
