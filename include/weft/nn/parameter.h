// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "weft/core/tensor.h"

namespace weft {

/// A named place that holds a tensor. A handle: copies share the place, so a module that moves to
/// another device or dtype takes every copy along. Converts to the tensor that it holds now.
class WEFT_API TensorPlace {
 public:
  bool defined() const noexcept { return place_ != nullptr; }
  explicit operator bool() const noexcept { return defined(); }
  /// The tensor held; an undefined one when the handle is empty (a layer without bias).
  const Tensor& tensor() const noexcept;
  operator const Tensor&() const noexcept { return tensor(); }  // NOLINT: reads as the tensor
  const Shape& shape() const noexcept { return tensor().shape(); }
  std::int64_t shape(int dim) const { return tensor().shape(dim); }
  DType dtype() const noexcept { return tensor().dtype(); }
  Device device() const noexcept { return tensor().device(); }
  std::int64_t numel() const noexcept { return tensor().numel(); }
  /// The path under which the root module lists it (`encoder.fc1.weight`); empty before that.
  const std::string& name() const noexcept;
  bool same_as(const TensorPlace& other) const noexcept { return place_ == other.place_; }

  /// Converts or moves the tensor; gradients start empty. Called by `Module::to`.
  void to(Device device);
  void to(DType dtype);
  void set_name(std::string_view name);
  /// Identity of the place, for sets and maps.
  const void* id() const noexcept { return place_.get(); }

 protected:
  struct Place {
    Tensor value;
    std::string name;
    bool trainable = false;
    bool frozen = false;
  };
  TensorPlace() = default;
  TensorPlace(Tensor value, bool trainable);
  const std::shared_ptr<Place>& place() const noexcept { return place_; }

 private:
  void rebind(const Tensor& value);
  std::shared_ptr<Place> place_;
};

/// What a module learns: a leaf tensor that wants a gradient, in a place of its own. Copying a
/// Parameter ties the copies: one value, one gradient, one optimizer state.
class WEFT_API Parameter : public TensorPlace {
 public:
  Parameter() = default;
  /// Takes over `value`. Throws Error(dtype) unless it is floating.
  explicit Parameter(Tensor value) : TensorPlace(std::move(value), true) {}

  /// The accumulated gradient; undefined while empty.
  Tensor grad() const { return tensor().grad(); }
  bool frozen() const noexcept { return place()->frozen; }
  /// A frozen parameter gets no gradient and no update.
  void freeze(bool frozen = true);
};

/// State that a module keeps but does not learn: running statistics.
class WEFT_API Buffer : public TensorPlace {
 public:
  Buffer() = default;
  explicit Buffer(Tensor value) : TensorPlace(std::move(value), false) {}
};

}  // namespace weft
