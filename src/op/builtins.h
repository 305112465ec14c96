// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace weft {

/// The list of op families (src/ops/register.cpp). Called once, by the registry's first look-up.
void register_builtin_ops();

namespace cpu {
/// The list of CPU kernel families (cpu/register.cpp). Called after the ops.
void register_kernels();
}  // namespace cpu

}  // namespace weft
