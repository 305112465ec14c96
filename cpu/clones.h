// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

/// Compiles a hot loop once per x86-64 level and picks the best at load time. The function must be
/// free of calls that are not inlined. Nothing under ThreadSanitizer (its ifunc resolvers crash),
/// with clang (no clones of templates) and off x86-64 or glibc; results are the same bits in every
/// clone.
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_THREAD__) && !defined(WEFT_NO_TARGET_CLONES)
#define WEFT_CLONES \
  __attribute__((target_clones("default", "arch=x86-64-v2", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define WEFT_CLONES
#endif
