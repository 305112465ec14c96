// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "weft/base/device.h"

namespace weft {

/// The version control state of the user's folder.
struct CodeState {
  std::string commit;  ///< empty outside a git checkout
  std::string patch;   ///< what is changed beside it; empty when clean
};
CodeState code_state(const std::filesystem::path& folder);

/// environment.json: what a run ran on.
std::string environment_json(const CodeState& code, Device device);

/// `cpu (2 threads, AMD EPYC 9355P)`: for headings.
std::string device_text(Device device);

}  // namespace weft
