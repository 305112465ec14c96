// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "weft/op/node.h"

namespace weft {

/// Records `outputs` (replaced by fresh handles) as made from `inputs` by a function whose gradient
/// is `backward`. Does nothing when no gradient is wanted.
void record_function(const char* name, std::span<const Tensor> inputs, std::vector<Tensor>& outputs,
                     GradFunction backward);

}  // namespace weft
