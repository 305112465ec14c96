// SPDX-License-Identifier: Apache-2.0
#include "weft/core/tensor.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <utility>

#include "core/defined.h"
#include "core/host_read.h"
#include "core/pool.h"
#include "core/tensor_alloc.h"
#include "core/waits.h"
#include "weft/base/checked.h"
#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/core/backend.h"
#include "weft/core/context.h"

namespace weft {

namespace {

std::byte* copy_to_host(const Tensor& x, std::byte* target) {
  Backend& backend = backend_of(x.device());
  const Stream stream = current_session().stream(x.device());
  backend.copy(target, x.impl()->data, x.nbytes(), CopyKind::to_host, stream);
  wait_for(backend, stream);
  return target;
}

std::atomic<void (*)(const Tensor&)> host_read_hook{nullptr};

void report_host_read(const Tensor& x) {
  if (thread_state.recorder == nullptr) [[likely]]
    return;
  if (auto* hook = host_read_hook.load(std::memory_order_acquire)) hook(x);
}

// Calls visit(count, element) where element(i) is x's i-th element.
template <class Visit>
void with_host_elements(const Tensor& x, Visit visit) {
  report_host_read(x);
  std::vector<std::byte> copy;
  const std::byte* data = x.impl()->data;
  if (!backend_of(x.device()).is_host()) {
    copy.resize(x.nbytes());
    data = copy_to_host(x, copy.data());
  }
  const auto count = static_cast<std::size_t>(x.numel());
  const auto typed = [&]<class T>(T) {
    // Through memcpy: a tensor over borrowed bytes may be misaligned for T.
    visit(count, [data](std::size_t i) {
      T value;
      std::memcpy(&value, data + i * sizeof(T), sizeof(T));
      return static_cast<double>(value);
    });
  };
  switch (x.dtype()) {
    case DType::f64:
      return typed(double{});
    case DType::f32:
      return typed(float{});
    case DType::bf16:
      return typed(bf16{});
    case DType::f16:
      return typed(f16{});
    case DType::i64:
      return typed(std::int64_t{});
    case DType::i32:
      return typed(std::int32_t{});
    case DType::u8:
      return typed(std::uint8_t{});
    case DType::boolean:
      return typed(bool{});
  }
}

template <class T>
void store(std::vector<std::byte>& bytes, std::size_t i, T value) {
  std::memcpy(bytes.data() + i * sizeof(T), &value, sizeof(T));
}

void store_as(std::vector<std::byte>& bytes, std::size_t i, double value, DType dtype) {
  switch (dtype) {
    case DType::f64:
      return store(bytes, i, value);
    case DType::f32:
      return store(bytes, i, static_cast<float>(value));
    case DType::bf16:
      return store(bytes, i, bf16(static_cast<float>(value)));
    case DType::f16:
      return store(bytes, i, f16(static_cast<float>(value)));
    case DType::i64:
      return store(bytes, i, static_cast<std::int64_t>(value));
    case DType::i32:
      return store(bytes, i, static_cast<std::int32_t>(value));
    case DType::u8:
      return store(bytes, i, static_cast<std::uint8_t>(value));
    case DType::boolean:
      return store(bytes, i, value != 0);
  }
}

// 2^63 itself does not fit i64, hence the half-open upper bounds.
bool fits_integer(double value, DType dtype) {
  switch (dtype) {
    case DType::i64:
      return value >= -0x1p63 && value < 0x1p63;
    case DType::i32:
      return value >= -0x1p31 && value < 0x1p31;
    case DType::u8:
      return value >= 0 && value < 256;
    default:
      return true;
  }
}

Tensor from_literals(std::span<const double> values, const Shape& shape,
                     const TensorOptions& options) {
  const Settings& settings = current_settings();
  const DType dtype = options.dtype.value_or(settings.dtype);
  std::vector<std::byte> bytes(checked_bytes(shape.numel(), size_of(dtype), "Tensor::of"));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (is_integer(dtype) &&
        (!fits_integer(values[i], dtype) || values[i] != std::trunc(values[i]))) {
      throw Error(ErrorKind::value, cat("Tensor::of: value ", values[i], " at position ", i,
                                        " does not fit dtype ", dtype));
    }
    store_as(bytes, i, values[i], dtype);
  }
  Tensor x = Tensor::from_bytes(bytes, shape, dtype, options.device.value_or(settings.device));
  if (options.requires_grad) return detail::wanting_grad(std::move(x), "Tensor::of");
  return x;
}

}  // namespace

void set_host_read_hook(void (*hook)(const Tensor&)) {
  host_read_hook.store(hook, std::memory_order_release);
}

namespace detail {

Tensor wanting_grad(Tensor x, std::string_view op) {
  if (!is_floating(x.dtype())) {
    throw Error(ErrorKind::dtype,
                cat(op, ": requires_grad is given for ", describe(x), ", needs a floating dtype"));
  }
  x.impl()->requires_grad = true;
  return x;
}

Ref<TensorImpl> new_tensor_slow(const Shape& shape, DType dtype, Device device) {
  const std::size_t bytes = checked_bytes(shape.numel(), size_of(dtype), "tensor");
  if (bytes <= kMaxEmbeddedBytes && device == Device() && thread_state.arena == nullptr) {
    const OwnerId owner = thread_state.owner();
    return embed(small_alloc(kEmbeddedData + bytes, owner), shape, dtype, bytes, owner);
  }
  PoolBlock* pooled = allocate_pooled(bytes, device);
  const OwnerId owner = thread_state.owner();
  void* block = nullptr;
  try {
    block = small_alloc(sizeof(TensorImpl) + sizeof(Storage), owner);
  } catch (...) {
    pool_of(device).free(pooled);
    throw;
  }
  auto* impl = new (block) TensorImpl{.dtype = dtype, .embeds_storage = true, .shape = shape};
  impl->storage = new (embedded_storage_of(impl)) Storage{.data = pooled->data,
                                                          .bytes = bytes,
                                                          .owner = owner,
                                                          .device = device,
                                                          .kind = Storage::Kind::pool,
                                                          .flags = Storage::kEmbedded,
                                                          .source = pooled};
  impl->data = pooled->data;
  return Ref<TensorImpl>::adopt(impl);
}

}  // namespace detail

PoolBlock* allocate_pooled(std::size_t bytes, Device device) {
  Pool& pool = pool_of(device);
  PoolArena* arena = thread_state.arena;
  const Stream stream = device.is_cpu() ? Stream() : current_session().stream(device);
  return pool.allocate(bytes, stream, thread_state.owner(),
                       arena != nullptr && serves(*arena, device) ? arena : nullptr);
}

Ref<TensorImpl> new_tensor_over(StorageRef storage, std::byte* data, const Shape& shape,
                                DType dtype) {
  auto* impl = new (small_alloc(sizeof(TensorImpl), thread_state.owner()))
      TensorImpl{.dtype = dtype, .data = data, .shape = shape};
  impl->storage = storage.leak();
  return Ref<TensorImpl>::adopt(impl);
}

void rebind(TensorImpl& impl, StorageRef storage, std::byte* data) noexcept {
  storage->version = std::max(storage->version, impl.storage->version) + 1;
  Storage* old = std::exchange(impl.storage, storage.leak());
  impl.data = data;
  const bool block_lives_here = impl.embeds_storage && old == embedded_storage_of(&impl);
  if (!block_lives_here) old->release();
}

namespace {

[[gnu::noinline]] void release_storage(TensorImpl* impl) noexcept {
  if (!impl->embeds_storage) {
    impl->storage->release();
    small_free(impl);
    return;
  }
  Storage* embedded = embedded_storage_of(impl);
  if (impl->storage != embedded) impl->storage->release();
  embedded->release();
}

}  // namespace

void TensorImpl::destroy(TensorImpl* impl) noexcept {
  if (impl->node != nullptr) impl->node->release();
  if (impl->leaf != nullptr) [[unlikely]]
    impl->leaf->release();
  const Storage* embedded = embedded_storage_of(impl);
  if (impl->storage == embedded && embedded->kind == Storage::Kind::inline_block &&
      embedded->refs.load(std::memory_order_acquire) == 1) [[likely]] {
    small_free(impl);
  } else {
    release_storage(impl);
  }
}

void fail_undefined(std::string_view call) {
  throw Error(
      ErrorKind::value, cat(call, ": the tensor is undefined"),
      "give it a value first; a gradient is undefined before backward() and after zero_grad()");
}

Tensor Tensor::of(double value, TensorOptions options) {
  return from_literals({&value, 1}, Shape(), options);
}

Tensor Tensor::of(std::initializer_list<double> values, TensorOptions options) {
  return from_literals({values.begin(), values.size()},
                       Shape({static_cast<std::int64_t>(values.size())}), options);
}

Tensor Tensor::of(std::initializer_list<std::initializer_list<double>> rows,
                  TensorOptions options) {
  const std::size_t columns = rows.size() == 0 ? 0 : rows.begin()->size();
  std::vector<double> values;
  for (const auto& row : rows) {
    if (row.size() != columns) {
      throw Error(ErrorKind::shape, cat("Tensor::of: row ", values.size() / columns, " has ",
                                        row.size(), " values but row 0 has ", columns));
    }
    values.insert(values.end(), row.begin(), row.end());
  }
  return from_literals(
      values, Shape({static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(columns)}),
      options);
}

Tensor Tensor::from_bytes(std::span<const std::byte> bytes, const Shape& shape, DType dtype,
                          Device device) {
  const std::size_t needed = checked_bytes(shape.numel(), size_of(dtype), "Tensor::from");
  if (bytes.size() != needed) {
    throw Error(ErrorKind::shape,
                cat("Tensor::from: ", bytes.size() / size_of(dtype), " values are given but shape ",
                    static_cast<const Dims&>(shape), " needs ", shape.numel()));
  }
  Tensor x(new_tensor(shape, dtype, device));
  report_host_read(x);  // a recorded step would freeze these bytes
  if (needed == 0) return x;
  Backend& backend = backend_of(device);
  const Stream stream = current_session().stream(device);
  backend.copy(x.impl()->data, bytes.data(), needed, CopyKind::to_device, stream);
  // The caller's bytes may go away as soon as this returns.
  wait_for(backend, stream);
  return x;
}

Tensor Tensor::over(StorageRef storage, std::size_t offset, const Shape& shape, DType dtype) {
  const std::size_t needed = checked_bytes(shape.numel(), size_of(dtype), "Tensor::over");
  if (!range_fits(offset, needed, storage->bytes)) {
    throw Error(ErrorKind::value,
                cat("Tensor::over: ", dtype, static_cast<const Dims&>(shape), " from byte ", offset,
                    " needs ", needed, " bytes but the storage has ", storage->bytes));
  }
  std::byte* data = storage->data + offset;
  if (reinterpret_cast<std::uintptr_t>(data) % size_of(dtype) != 0) {
    throw Error(ErrorKind::value, cat("Tensor::over: byte ", offset,
                                      " of the storage is not aligned "
                                      "for ",
                                      dtype, ", must be a multiple of ", size_of(dtype)));
  }
  return Tensor(new_tensor_over(std::move(storage), data, shape, dtype));
}

std::int64_t Tensor::shape(int dim) const {
  require_defined(*this, "shape");
  return impl_->shape[impl_->shape.dim_index(dim, "shape")];
}

const void* Tensor::host_data(DType dtype) const {
  require_defined(*this, "data");
  if (dtype != impl_->dtype) {
    throw Error(ErrorKind::dtype,
                cat("data: elements are read as ", dtype, " but the tensor is ", describe(*this)),
                cat("use .to(DType::", dtype, ")"));
  }
  if (!device().is_cpu()) {
    throw Error(ErrorKind::device,
                cat("data: the tensor is ", describe(*this), ", needs to be on the CPU"),
                "use .to(Device(\"cpu\"))");
  }
  report_host_read(*this);
  return impl_->data;
}

void* Tensor::mutable_host_data(DType dtype) {
  const void* data = host_data(dtype);
  require_writable(*impl_->storage, "mutable_data");
  ++impl_->storage->version;
  return const_cast<void*>(data);
}

double Tensor::item_as_double() const {
  require_defined(*this, "item");
  if (numel() != 1) {
    throw Error(ErrorKind::shape,
                cat("item: the tensor is ", describe(*this), ", needs exactly one element"));
  }
  double value = 0;
  with_host_elements(*this, [&](std::size_t, auto element) { value = element(0); });
  return value;
}

std::vector<double> Tensor::to_vector() const {
  require_defined(*this, "to_vector");
  std::vector<double> values(static_cast<std::size_t>(numel()));
  with_host_elements(*this, [&](std::size_t count, auto element) {
    for (std::size_t i = 0; i < count; ++i) values[i] = element(i);
  });
  return values;
}

Tensor Tensor::detach() const {
  require_defined(*this, "detach");
  return view_as(*this, shape());
}

Tensor empty(const Shape& shape, TensorOptions options) {
  const Settings& settings = thread_state.settings;
  Tensor x(new_tensor(shape, options.dtype.value_or(settings.dtype),
                      options.device.value_or(settings.device)));
  if (options.requires_grad) [[unlikely]]
    return detail::wanting_grad(std::move(x), "empty");
  return x;
}

Tensor view_as(const Tensor& x, const Shape& shape) {
  if (shape.numel() != x.numel()) {
    throw Error(ErrorKind::shape,
                cat("view_as: ", describe(x), " has ", x.numel(), " elements but shape ",
                    static_cast<const Dims&>(shape), " needs ", shape.numel()));
  }
  return Tensor(new_view(x.impl(), x.impl()->data, shape));
}

Tensor view_rows(const Tensor& x, std::int64_t begin, std::int64_t end) {
  if (x.rank() == 0) {
    throw Error(ErrorKind::shape, "slice: the tensor is a scalar and has no rows");
  }
  const std::int64_t rows = x.shape()[0];
  if (begin < 0 || begin > end || end > rows) {
    throw Error(ErrorKind::index, cat("slice: rows [", begin, ", ", end, ") are wanted of ",
                                      describe(x), ", need 0 <= begin <= end <= ", rows));
  }
  const auto row_bytes =
      static_cast<std::size_t>(x.shape().numel(1, x.rank())) * size_of(x.dtype());
  return Tensor(new_view(x.impl(), x.impl()->data + static_cast<std::size_t>(begin) * row_bytes,
                         x.shape().with(0, end - begin)));
}

}  // namespace weft
