// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace weft {

/// The op layer sets it once, so that memory reports can name ops. Id 0 is no op.
void set_op_namer(std::string (*namer)(std::uint16_t));

}  // namespace weft
