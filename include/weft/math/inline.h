// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weft/base/export.h"

/// A formula of `weft/math/`: runs on host and device, and is inlined so that loops over it
/// vectorise. The float forms are branch-free and use only + - * / sqrt, so that every instruction
/// set gives the same bits; the double forms are the standard library's and serve as the reference.
#define WEFT_FORMULA WEFT_HD inline __attribute__((always_inline))
