// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "weft/base/dtype.h"
#include "weft/base/export.h"
#include "weft/base/shape.h"
#include "weft/core/tensor.h"

namespace weft::data {

/// Shape and dtype of one sample, without the batch dimension.
struct SampleSpec {
  Shape shape;
  DType dtype = DType::f32;
};

/// Which samples to read. Random augmentation draws from (seed, epoch, index) alone, so that a
/// sample looks the same whatever batch it falls into and whichever thread reads it.
struct Fetch {
  std::span<const std::int64_t> indices;
  std::int64_t epoch = 0;
  std::uint64_t seed = 0;
};

/// Samples by number. `fetch` may run on several threads at once.
class WEFT_API Dataset {
 public:
  virtual ~Dataset();
  virtual std::int64_t size() const = 0;
  virtual SampleSpec input() const = 0;
  /// nullopt when samples have no target.
  virtual std::optional<SampleSpec> target() const = 0;
  /// Writes sample `indices[i]` to row i of `x` and `y`, both on the CPU and of the specified
  /// shapes and dtypes; they may have more rows than indices. `y` is undefined when there is no
  /// target.
  virtual void fetch(const Fetch& what, Tensor& x, Tensor& y) const = 0;
};

/// Samples are the rows of `x`, targets those of `y` (which may be undefined). Both on the CPU;
/// held, not copied. Throws Error(shape) when their numbers of rows differ, Error(device).
class WEFT_API TensorDataset : public Dataset {
 public:
  explicit TensorDataset(Tensor x, Tensor y = {});
  std::int64_t size() const override;
  SampleSpec input() const override;
  std::optional<SampleSpec> target() const override;
  void fetch(const Fetch& what, Tensor& x, Tensor& y) const override;

  const Tensor& x() const noexcept { return x_; }
  const Tensor& y() const noexcept { return y_; }

 private:
  Tensor x_;
  Tensor y_;
};

/// Some samples of another dataset. Throws Error(index) when one does not exist.
class WEFT_API Subset : public Dataset {
 public:
  Subset(std::shared_ptr<const Dataset> dataset, std::vector<std::int64_t> indices);
  std::int64_t size() const override;
  SampleSpec input() const override;
  std::optional<SampleSpec> target() const override;
  void fetch(const Fetch& what, Tensor& x, Tensor& y) const override;

  const std::vector<std::int64_t>& indices() const noexcept { return indices_; }

 private:
  std::shared_ptr<const Dataset> dataset_;
  std::vector<std::int64_t> indices_;
};

}  // namespace weft::data
