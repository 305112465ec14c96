// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "weft/core/backend.h"

namespace weft::cuda {

/// The CUDA backend; with no device it says why (`Backend::absence`).
std::unique_ptr<Backend> make_backend();

}  // namespace weft::cuda
