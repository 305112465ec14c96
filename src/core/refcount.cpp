// SPDX-License-Identifier: Apache-2.0
#include "weft/core/refcount.h"

namespace weft {

RefCounted::~RefCounted() = default;

}  // namespace weft
