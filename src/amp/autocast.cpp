// SPDX-License-Identifier: Apache-2.0
#include "weft/amp/autocast.h"

#include "core/thread_state.h"
#include "weft/base/error.h"
#include "weft/base/text.h"

namespace weft {

Autocast::Autocast(DType dtype, bool enabled)
    : enabled_(thread_state.settings.autocast), dtype_(thread_state.settings.autocast_dtype) {
  if (!is_half(dtype)) {
    throw Error(ErrorKind::dtype, cat("Autocast: dtype is ", dtype, " but must be bf16 or f16"));
  }
  thread_state.settings.autocast = enabled;
  thread_state.settings.autocast_dtype = dtype;
}

Autocast::~Autocast() {
  thread_state.settings.autocast = enabled_;
  thread_state.settings.autocast_dtype = dtype_;
}

}  // namespace weft
