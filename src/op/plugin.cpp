// SPDX-License-Identifier: Apache-2.0
#include "weft/op/plugin.h"

#include <dlfcn.h>

#include <filesystem>
#include <mutex>
#include <set>

#include "core/backend_loader.h"

namespace weft {

std::string abi_difference(const PluginAbi& host, const PluginAbi& plugin) {
  const auto differs = [](std::string_view what, const auto& ours, const auto& theirs) {
    return cat(what, " is ", theirs, " in the plugin but ", ours,
               " in libweft; rebuild the plugin against it");
  };
  if (host.abi != plugin.abi) return differs("the plugin ABI", host.abi, plugin.abi);
  if (std::string_view(host.version) != plugin.version) {
    return differs("the Weft version", host.version, plugin.version);
  }
  if (host.compiler != plugin.compiler)
    return differs("the C++ ABI", host.compiler, plugin.compiler);
  constexpr std::string_view names[] = {"TensorImpl", "Storage",    "OpDef", "OpEntry",
                                        "KernelRow",  "KernelArgs", "Node"};
  for (std::size_t i = 0; i < std::size(names); ++i) {
    if (host.sizes[i] != plugin.sizes[i]) {
      return differs(cat("the size of ", names[i]), host.sizes[i], plugin.sizes[i]);
    }
  }
  return {};
}

namespace {

struct Loaded {
  std::mutex mutex;
  std::set<std::string> paths;
};

Loaded& loaded() {
  static Loaded& instance = *new Loaded;
  return instance;
}

// Empty on success, else the reason.
std::string try_load(const std::string& path) {
  const std::lock_guard lock(loaded().mutex);
  if (loaded().paths.contains(path)) return {};
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return dlerror();
  const auto entry = reinterpret_cast<PluginEntry>(dlsym(library, "weft_plugin"));
  if (entry == nullptr) return "it has no function weft_plugin";
  const PluginAbi host = plugin_abi();
  if (const char* refusal = entry(&host)) return refusal;
  loaded().paths.insert(path);
  return {};
}

std::string folder_of_libweft() {
  Dl_info info;
  if (dladdr(reinterpret_cast<void*>(&load_plugin), &info) == 0) return {};
  std::error_code ignored;
  const auto real = std::filesystem::canonical(info.dli_fname, ignored);
  return ignored ? std::string() : real.parent_path().string();
}

}  // namespace

void load_plugin(const std::string& path) {
  ensure_registered();
  const std::string reason = try_load(path);
  if (!reason.empty()) {
    throw Error(ErrorKind::unsupported,
                cat("plugin ", quoted(path, 400), " cannot be loaded: ", reason));
  }
}

void load_backend_library(DeviceKind kind) {
  if (kind != DeviceKind::cuda) return;
  const std::string path = folder_of_libweft() + "/libweft_cuda.so";
  if (!std::filesystem::exists(path)) {
    set_absence(kind, cat("this Weft was built without CUDA (", path, " is not there)"));
    return;
  }
  const std::string reason = try_load(path);
  if (!reason.empty()) set_absence(kind, cat("libweft_cuda.so cannot be loaded: ", reason));
}

}  // namespace weft
