// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace weft::cpu {

// One function per family, each in cpu/<family>.cpp; called from register_kernels.
void register_cast();
void register_norm();
void register_softmax();
void register_loss();
void register_index();
void register_optimizer();
void register_pointwise();
void register_reduce();
void register_shape();
void register_conv();
void register_conv_onednn();
void register_linear();
void register_matmul();
void register_max_pool();
void register_create();
void register_random();

}  // namespace weft::cpu
