// SPDX-License-Identifier: Apache-2.0
#include "weft/op/kernel.h"

#include <cstring>
#include <mutex>

#include "weft/base/error.h"
#include "weft/base/text.h"

namespace weft {

namespace {

std::mutex& table_mutex() {
  static std::mutex mutex;
  return mutex;
}

}  // namespace

KernelTable::KernelTable() = default;

KernelTable::~KernelTable() {
  for (auto& kind : slots_) {
    for (Slot& slot : kind) {
      const std::uint32_t count = slot.count.load(std::memory_order_relaxed);
      for (std::uint32_t i = 0; i < count; ++i) delete[] slot.rows[i].variant.data();
      delete[] slot.rows;
    }
  }
}

void KernelTable::add(DeviceKind kind, DType dtype, const KernelRow& row) {
  const std::lock_guard lock(table_mutex());
  Slot& slot = slots_[static_cast<std::size_t>(kind)][static_cast<std::size_t>(dtype)];
  const std::uint32_t count = slot.count.load(std::memory_order_relaxed);
  for (std::uint32_t i = 0; i < count; ++i) {
    if (slot.rows[i].variant == row.variant) {
      throw Error(ErrorKind::value, cat("kernel variant `", row.variant,
                                        "` is already registered for ", name_of(kind), " ", dtype));
    }
  }
  if (count == kMaxVariants) {
    throw Error(ErrorKind::value,
                cat("kernel variant `", row.variant, "`: the slot for ", name_of(kind), " ", dtype,
                    " already holds ", kMaxVariants, " variants"));
  }
  if (slot.rows == nullptr) slot.rows = new KernelRow[kMaxVariants];
  slot.rows[count] = row;
  // A copy: a plugin may have built the name on the fly.
  auto* name = new char[row.variant.size() + 1];
  std::memcpy(name, row.variant.data(), row.variant.size());
  name[row.variant.size()] = '\0';
  slot.rows[count].variant = {name, row.variant.size()};
  slot.count.store(count + 1, std::memory_order_release);
}

}  // namespace weft
