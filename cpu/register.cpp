// SPDX-License-Identifier: Apache-2.0
#include "cpu/register.h"

#include "op/builtins.h"

namespace weft::cpu {

void register_kernels() {
  register_cast();
  register_norm();
  register_softmax();
  register_loss();
  register_index();
  register_optimizer();
  register_pointwise();
  register_reduce();
  register_shape();
  register_conv();
  register_linear();
  register_matmul();
  register_max_pool();
  register_create();
  register_random();
}

}  // namespace weft::cpu
