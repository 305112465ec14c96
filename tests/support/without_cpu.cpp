// SPDX-License-Identifier: Apache-2.0
// For test programs of layers that do not stand on the CPU backend.
#include "op/builtins.h"

namespace weft::cpu {

void register_kernels() {}

}  // namespace weft::cpu
