// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <tuple>
#include <utility>

#include "weft/base/export.h"
#include "weft/core/tensor.h"
#include "weft/data/dataset.h"

namespace weft::data {

/// What becomes of the samples that do not fill the last batch of an epoch. `pad` repeats samples
/// of that batch up to `batch_size` and marks them in `Batch::mask`.
enum class LastBatch : std::uint8_t { keep, drop, pad };

struct LoaderOptions {
  std::int64_t batch_size = 32;
  bool shuffle = true;  ///< a new order each epoch, a function of seed and epoch alone
  LastBatch last_batch = LastBatch::keep;
  int prefetch = 2;           ///< batches made ahead on a thread; 0: made when asked for
  bool reuse_buffers = true;  ///< memory of batches that nobody holds any more is filled again
  std::uint64_t seed = 0;
};

/// A batch on the CPU: `auto& [x, y] = batch`.
struct Batch {
  Tensor x;     ///< [batch, ...]
  Tensor y;     ///< [batch, ...]; undefined when the dataset has no targets
  Tensor mask;  ///< f32 [batch], 1 for samples and 0 for padding; only with LastBatch::pad
  std::int64_t size = 0;  ///< samples, without padding
  std::int64_t epoch = 0;
  std::int64_t index = 0;  ///< in its epoch
};

/// Where a loader stands: `batch` batches of `epoch` have been handed out.
struct LoaderPosition {
  std::int64_t epoch = 0;
  std::int64_t batch = 0;
  friend bool operator==(const LoaderPosition&, const LoaderPosition&) = default;
};

/// Batches of a dataset, an epoch for each range-for:
/// `for (auto& [x, y] : loader) { ... }`
/// The batches do not depend on `prefetch` or `reuse_buffers`. The thread inherits the Context of
/// the one that starts the epoch; what it throws is thrown where its batch would have come. A loop
/// that is left early ends its epoch. One loop at a time: another is Error(state).
class WEFT_API DataLoader {
 public:
  class Iterator;

  /// Throws Error(value) when an option is out of its range or the dataset gives no batch.
  DataLoader(std::shared_ptr<const Dataset> dataset, const LoaderOptions& options = {});
  template <std::derived_from<Dataset> D>
  DataLoader(D dataset, const LoaderOptions& options = {})
      : DataLoader(std::make_shared<const D>(std::move(dataset)), options) {}
  ~DataLoader();
  DataLoader(DataLoader&&) noexcept;
  DataLoader& operator=(DataLoader&&) noexcept;

  Iterator begin();
  static std::default_sentinel_t end() { return {}; }

  std::int64_t batches_per_epoch() const;
  const Dataset& dataset() const;
  const LoaderOptions& options() const;

  /// After the batch that was handed out last; the start of the next epoch once all were.
  LoaderPosition position() const;
  /// The next loop starts there. Throws Error(state) during a loop, Error(index).
  void set_position(LoaderPosition position);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class WEFT_API DataLoader::Iterator {
 public:
  using value_type = Batch;
  using difference_type = std::ptrdiff_t;

  Iterator(Iterator&&) noexcept;
  Iterator& operator=(Iterator&&) noexcept;
  ~Iterator();

  Batch& operator*() { return batch_; }
  Batch* operator->() { return &batch_; }
  Iterator& operator++();
  void operator++(int) { ++*this; }
  bool operator==(std::default_sentinel_t) const { return pass_ == nullptr; }

 private:
  friend class DataLoader;
  class Pass;
  explicit Iterator(std::unique_ptr<Pass> pass);

  std::unique_ptr<Pass> pass_;
  Batch batch_;
};

template <std::size_t I, class B>
  requires std::same_as<std::remove_cvref_t<B>, Batch> && (I < 2)
decltype(auto) get(B&& batch) {
  if constexpr (I == 0)
    return (std::forward<B>(batch).x);
  else
    return (std::forward<B>(batch).y);
}

}  // namespace weft::data

template <>
struct std::tuple_size<weft::data::Batch> : std::integral_constant<std::size_t, 2> {};
template <std::size_t I>
struct std::tuple_element<I, weft::data::Batch> {
  using type = weft::Tensor;
};
