// SPDX-License-Identifier: Apache-2.0
#include "cpu/register.h"

#include "op/builtins.h"

namespace weft::cpu {

void register_kernels() {
}

}  // namespace weft::cpu
