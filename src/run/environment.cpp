// SPDX-License-Identifier: Apache-2.0
#include "run/environment.h"

#include <link.h>

#include <set>

#include "run/json_line.h"
#include "run/process.h"
#include "weft/base/text.h"
#include "weft/base/version.h"
#include "weft/core/backend.h"
#include "weft/core/threads.h"

namespace weft {
namespace {

std::string trimmed_end(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

std::string devices_json() {
  std::string list = "[";
  for (const Device device : all_devices()) {
    const DeviceInfo info = backend_of(device).describe(device.index);
    JsonLine one;
    one.text("device", to_string(device)).text("name", info.name).text("detail", info.detail);
    one.integer("memory_bytes", static_cast<std::int64_t>(info.memory_bytes))
        .integer("units", info.compute_units);
    list += cat(list.size() > 1 ? "," : "", one.str());
  }
  return list + "]";
}

/// The shared objects of this process by their real, versioned names: `libdnnl.so.2.6`.
std::string libraries_json() {
  std::set<std::string> names;
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* target) {
        std::error_code code;
        const auto file = std::filesystem::canonical(info->dlpi_name, code);
        if (!code) static_cast<std::set<std::string>*>(target)->insert(file.filename().string());
        return 0;
      },
      &names);
  std::string list = "[";
  for (const std::string& name : names) list += cat(list.size() > 1 ? "," : "", json_string(name));
  return list + "]";
}

}  // namespace

CodeState code_state(const std::filesystem::path& folder) {
  const auto commit = output_of({"git", "rev-parse", "HEAD"}, folder);
  if (!commit) return {};
  const auto patch = output_of({"git", "diff", "HEAD", "--binary"}, folder);
  return {trimmed_end(*commit), patch.value_or("")};
}

std::string environment_json(const CodeState& code, Device device) {
  JsonLine line;
  line.text("version", version()).text("build", build_id()).text("device", to_string(device));
  line.integer("threads", num_threads()).raw("devices", devices_json());
  if (const std::string absence = absence_of(DeviceKind::cuda); !absence.empty())
    line.text("cuda", absence);
  line.raw("libraries", libraries_json());
  line.raw("commit", code.commit.empty() ? "null" : json_string(code.commit));
  line.boolean("dirty", !code.patch.empty());
  return line.str() + "\n";
}

std::string device_text(Device device) {
  const DeviceInfo info = backend_of(device).describe(device.index);
  std::string text = to_string(device);
  text += device.is_cpu() ? cat(" (", num_threads(), num_threads() == 1 ? " thread" : " threads")
                          : std::string(" (");
  if (!info.name.empty()) text += cat(device.is_cpu() ? ", " : "", info.name);
  return text + ")";
}

}  // namespace weft
