// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace weft {

class Tensor;

/// The op layer sets it once: called before the host reads or writes a tensor's elements on a
/// thread whose step is being recorded.
void set_host_read_hook(void (*hook)(const Tensor&));

}  // namespace weft
