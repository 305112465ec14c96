// SPDX-License-Identifier: Apache-2.0
#include "weft/train/run.h"

#include "weft/core/memory.h"

namespace weft {

void run(const RunOptions& options, const std::function<void()>& fn) {
  const ContextScope scope(Context::make(options.settings, options.seed));
  for (const Device device : all_devices()) memory::reset_peak(device);
  fn();
}

}  // namespace weft
