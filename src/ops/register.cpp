// SPDX-License-Identifier: Apache-2.0
#include "ops/register.h"

#include "op/builtins.h"

namespace weft {

void register_builtin_ops() {
  register_ops_cast();
  register_ops_pointwise();
  register_ops_reduce();
  register_ops_shape();
  register_ops_conv();
  register_ops_matmul();
  register_ops_create();
  register_ops_random();
  register_ops_view();
  register_ops_norm();
  register_ops_softmax();
  register_ops_loss();
  register_ops_index();
  register_ops_optimizer();
}

}  // namespace weft
