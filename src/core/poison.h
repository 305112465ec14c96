// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define WEFT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEFT_ASAN 1
#endif
#endif

#ifdef WEFT_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace weft {

/// Tells AddressSanitizer that pooled host memory is free, or in use again. Nothing without it.
inline void poison([[maybe_unused]] const void* data, [[maybe_unused]] std::size_t bytes) noexcept {
#ifdef WEFT_ASAN
  __asan_poison_memory_region(data, bytes);
#endif
}
inline void unpoison([[maybe_unused]] const void* data,
                     [[maybe_unused]] std::size_t bytes) noexcept {
#ifdef WEFT_ASAN
  __asan_unpoison_memory_region(data, bytes);
#endif
}

}  // namespace weft
