// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "weft/core/storage.h"
#include "weft/data/dataset.h"
#include "weft/data/loader.h"

namespace weft::data {

/// Memory of one kind of tensor, filled again once nobody holds it.
class BufferRing {
 public:
  explicit BufferRing(std::size_t limit) : limit_(limit) {}
  /// A tensor over memory that nobody else holds; new memory when all is held.
  Tensor make(const Shape& shape, DType dtype);

 private:
  std::vector<StorageRef> buffers_;
  std::size_t limit_;
};

/// Makes the batches of an epoch; used by one thread at a time.
class BatchMaker {
 public:
  BatchMaker(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options);

  std::int64_t batches() const { return batches_; }
  /// The order of samples in `epoch`.
  void begin_epoch(std::int64_t epoch);
  Batch make(std::int64_t index);

  const Dataset& dataset() const { return *dataset_; }
  const LoaderOptions& options() const { return options_; }

 private:
  std::shared_ptr<const Dataset> dataset_;
  LoaderOptions options_;
  std::int64_t batches_ = 0;
  std::int64_t epoch_ = 0;
  std::vector<std::int64_t> order_;
  BufferRing inputs_;
  BufferRing targets_;
};

}  // namespace weft::data
