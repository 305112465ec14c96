// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace weft {

/// The output of a program; nullopt when it cannot be started or fails.
std::optional<std::string> output_of(const std::vector<std::string>& command,
                                     const std::filesystem::path& folder = {});

/// Identifies a process: its number alone is reused.
struct ProcessId {
  std::int64_t pid = 0;
  std::uint64_t start = 0;  ///< clock ticks after boot
  std::string host;
};
ProcessId this_process();
/// False only when the process certainly no longer runs.
bool may_be_alive(const ProcessId& process);

/// Of this program's file.
std::filesystem::path program_path();
/// How this program was called.
std::vector<std::string> command_line();

}  // namespace weft
