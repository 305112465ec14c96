// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weft/op/fields.h"

namespace weft {

struct SgdAttrs {
  double momentum = 0;
  double dampening = 0;
  bool nesterov = false;
  WEFT_FIELDS(SgdAttrs, momentum, dampening, nesterov)
};

struct AdamAttrs {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  bool decoupled =
      true;  ///< AdamW: decay shrinks the parameter; false: decay is added to the gradient
  WEFT_FIELDS(AdamAttrs, beta1, beta2, eps, decoupled)
};

struct LossScaleAttrs {
  double growth = 2;
  double backoff = 0.5;
  std::int64_t interval = 2000;  ///< finite steps before the scale grows
  double min = 1;
  WEFT_FIELDS(LossScaleAttrs, growth, backoff, interval, min)
};

}  // namespace weft
