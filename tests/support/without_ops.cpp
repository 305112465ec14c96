// SPDX-License-Identifier: Apache-2.0
// For test programs of layers below ops: they register what they need themselves.
#include "op/builtins.h"

namespace weft {

void register_builtin_ops() {}

}  // namespace weft
