// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "weft/core/tensor.h"
#include "weft/op/attrs/loss.h"

namespace weft {

struct CrossEntropyOptions {
  double label_smoothing = 0;
  Tensor weight = {};                ///< one factor per class: [C]
  std::int64_t ignore_index = -100;  ///< a target that counts for nothing, in or outside [0, C)
  Reduction reduction = Reduction::mean;
};

/// Softmax cross-entropy of `logits` [N, C] (or [..., C]) against class indices `targets` [N] (or
/// [...]; i32 or i64). Computed as logsumexp - logit, so logits of ±1e4 stay finite. A scalar, or
/// the shape of `targets` with Reduction::none, where ignored ones give 0. The mean divides by the
/// summed weights of the targets that count, so it is NaN when none does. Label smoothing: Szegedy
/// et al. 2016, eq. 7. Throws Error(shape | dtype | value | index); a target outside [0, C) names
/// its position.
WEFT_API Tensor cross_entropy(const Tensor& logits, const Tensor& targets,
                              const CrossEntropyOptions& options = {});

}  // namespace weft
