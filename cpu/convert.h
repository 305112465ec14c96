// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "weft/base/half.h"

namespace weft::cpu {

/// Halves to f32 and back, `n` elements, once per ISA: half kernels run the f32 loop between them.
void widen(const bf16* from, float* to, std::int64_t n);
void widen(const f16* from, float* to, std::int64_t n);
void narrow(const float* from, bf16* to, std::int64_t n);
void narrow(const float* from, f16* to, std::int64_t n);

}  // namespace weft::cpu
