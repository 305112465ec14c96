// SPDX-License-Identifier: Apache-2.0
#include "weft/op/attrs/create.h"
#include "cpu/parallel.h"
#include "cpu/register.h"
#include "weft/op/registry.h"

namespace weft::cpu {

namespace {

template <class T>
T element(double value) {
  if constexpr (sizeof(T) == 2) {
    return T(static_cast<float>(value));
  } else {
    return static_cast<T>(value);
  }
}

template <class T>
void arange(const KernelArgs& args) {
  const auto& attrs = args.attrs<ArangeAttrs>();
  T* target = args.in(0).as<T>();
  parallel_for(args.in(0).numel, 32768, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      target[i] = element<T>(attrs.start + static_cast<double>(i) * attrs.step);
    }
  });
}

template <class... T>
void add_rows() {
  (add_kernel("arange", DeviceKind::cpu, {dtype_of<T>}, {.variant = "portable", .run = arange<T>}),
   ...);
}

}  // namespace

void register_create() {
  add_rows<double, float, bf16, f16, std::int64_t, std::int32_t, std::uint8_t>();
}

}  // namespace weft::cpu
