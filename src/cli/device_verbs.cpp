// SPDX-License-Identifier: Apache-2.0
#include <filesystem>

#include "cli/options.h"
#include "cli/verbs.h"
#include "run/json_line.h"
#include "weft/base/error.h"
#include "weft/base/text.h"
#include "weft/base/version.h"
#include "weft/core/backend.h"
#include "weft/core/threads.h"
#include "weft/op/registry.h"

namespace weft::cli {
namespace {

struct Given {
  std::string name;
  std::string require;
  bool json = false;
};

std::string device_json(Device device) {
  const DeviceInfo info = backend_of(device).describe(device.index);
  JsonLine line;
  line.text("device", to_string(device)).text("name", info.name).text("detail", info.detail);
  line.integer("memory_bytes", static_cast<std::int64_t>(info.memory_bytes))
      .integer("units", info.compute_units);
  return line.str();
}

std::vector<std::string> device_row(Device device) {
  const DeviceInfo info = backend_of(device).describe(device.index);
  return {to_string(device), info.name, bytes_text(info.memory_bytes),
          cat(info.compute_units, " units"), info.detail};
}

void list_devices(const Given& given) {
  ensure_registered();
  std::vector<Device> devices = all_devices();
  if (!given.name.empty()) {
    const Device wanted(given.name);
    require_device(wanted);
    devices = {wanted};
  }
  if (given.json) {
    std::string list = "[";
    for (const Device device : devices)
      list += cat(list.size() > 1 ? "," : "", device_json(device));
    return print(list + "]\n");
  }
  std::vector<std::vector<std::string>> rows;
  for (const Device device : devices) rows.push_back(device_row(device));
  const std::string absence = absence_of(DeviceKind::cuda);
  if (given.name.empty() && !absence.empty()) rows.push_back({"cuda", cat("none: ", absence)});
  print(aligned(rows));
}

std::string space_text() {
  std::error_code code;
  const std::filesystem::space_info space = std::filesystem::space(".", code);
  return code ? cat("unknown: ", code.message()) : cat(bytes_text(space.available), " free here");
}

void doctor(const Given& given) {
  ensure_registered();
  std::vector<std::vector<std::string>> rows = {{"weft", "ok", build_id()}};
  bool found = given.require.empty();
  for (const Device device : all_devices()) {
    const DeviceInfo info = backend_of(device).describe(device.index);
    rows.push_back({to_string(device), "ok",
                    cat(info.name, info.detail.empty() ? "" : ", ", info.detail, ", ",
                        bytes_text(info.memory_bytes))});
    if (!given.require.empty())
      found = found || device == Device(given.require) || name_of(device.kind) == given.require;
  }
  rows.push_back({"threads", "ok", std::to_string(num_threads())});
  if (find_backend(DeviceKind::cuda) == nullptr ||
      find_backend(DeviceKind::cuda)->device_count() == 0) {
    const std::string reason = absence_of(DeviceKind::cuda);
    rows.push_back({"cuda", "none", reason.empty() ? "this build has no CUDA backend" : reason});
  }
  rows.push_back({"ops", "ok", cat(all_ops().size(), " registered")});
  rows.push_back({"disk", "ok", space_text()});
  print(aligned(rows));
  if (found) return;
  throw Error(ErrorKind::device,
              cat("--require ", weft::quoted(given.require), ": there is no such device"),
              absence_of(DeviceKind::cuda));
}

}  // namespace

void add_devices(CLI::App& app) {
  auto given = std::make_shared<Given>();
  CLI::App* verb = app.add_subcommand("devices", "devices of this machine");
  verb->add_option("NAME", given->name, "only this one");
  verb->add_flag("--json", given->json, "as JSON");
  verb->callback([given] { list_devices(*given); });
}

void add_doctor(CLI::App& app) {
  auto given = std::make_shared<Given>();
  CLI::App* verb = app.add_subcommand("doctor", "will it use the GPU, and if not why");
  verb->add_option("--require", given->require,
                   "exit with 7 unless this device is there: cpu, cuda, cuda:1");
  verb->callback([given] { doctor(*given); });
}

}  // namespace weft::cli
