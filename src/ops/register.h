// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace weft {

// One function per family, each in src/ops/<family>.cpp; called from register_builtin_ops.
void register_ops_cast();
void register_ops_pointwise();
void register_ops_reduce();
void register_ops_shape();
void register_ops_create();
void register_ops_random();
void register_ops_view();
void register_ops_norm();
void register_ops_softmax();
void register_ops_loss();
void register_ops_index();
void register_ops_optimizer();
void register_ops_conv();
void register_ops_matmul();

}  // namespace weft
