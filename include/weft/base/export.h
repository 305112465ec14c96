// SPDX-License-Identifier: Apache-2.0
#pragma once

/// Marks what libweft.so exports; everything else is hidden.
#define WEFT_API __attribute__((visibility("default")))

/// Functions that host and device code share (the formulas in `weft/math/`).
#ifdef __CUDACC__
#define WEFT_HD __host__ __device__
#else
#define WEFT_HD
#endif
