// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weft/core/context.h"

namespace weft {

/// While it lives, ops on this thread run in `dtype` (bf16 or f16) or f32, as their records say
/// (`Cast`): matmul, conv and linear in `dtype`; norms, losses and reductions in f32. f32 leaves
/// keep a half copy that is refreshed when they change. Throws Error(dtype) on another dtype.
class WEFT_API Autocast {
 public:
  explicit Autocast(DType dtype, bool enabled = true);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  bool enabled_;
  DType dtype_;
};

}  // namespace weft
