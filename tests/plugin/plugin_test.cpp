// SPDX-License-Identifier: Apache-2.0
#include "weft/op/plugin.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/support/paths.h"
#include "tests/support/temporary_folder.h"
#include "weft/core/backend.h"

namespace weft {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

fs::path plugin(const char* name) {
  return fs::canonical("/proc/self/exe").parent_path() / (std::string(name) + ".so");
}

fs::path libweft() {
  Dl_info info;
  return dladdr(reinterpret_cast<void*>(&load_plugin), &info) != 0 ? fs::canonical(info.dli_fname)
                                                                   : fs::path();
}

std::string refusal_of(const std::string& path) {
  try {
    load_plugin(path);
    return "none";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    return error.message();
  }
}

/// What `command` prints.
std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = popen(command.c_str(), "r");
  std::array<char, 256> line;
  while (std::fgets(line.data(), static_cast<int>(line.size()), pipe) != nullptr)
    text += line.data();
  pclose(pipe);
  return text;
}

/// `weft devices` on a copy of libweft that stands alone in `folder`.
std::string devices_beside(const fs::path& folder) {
  const fs::path library = libweft();
  for (const char* name : {"libweft.so", "libweft.so.0.1", "libweft.so.0.1.0"}) {
    const fs::path link = library.parent_path() / name;
    if (fs::exists(link)) fs::copy_file(library, folder / name);
  }
  return output_of("LD_LIBRARY_PATH=" + folder.string() + " " + test::program().string() +
                   " devices 2>&1");
}

TEST(PluginAbi, EqualSidesDoNotDiffer) {
  EXPECT_EQ(abi_difference(plugin_abi(), plugin_abi()), "");
}

TEST(PluginAbi, AnotherVersionIsNamedOnBothSides) {
  PluginAbi other = plugin_abi();
  other.version = "9.8.7";
  EXPECT_EQ(abi_difference(plugin_abi(), other),
            "the Weft version is 9.8.7 in the plugin but " WEFT_VERSION
            " in libweft; rebuild the plugin against it");
}

TEST(PluginAbi, EveryNumberIsComparedAndNamed) {
  const auto expect_named = [](const char* what, std::uint32_t& member, const PluginAbi& other) {
    const std::uint32_t ours = member++;
    EXPECT_EQ(abi_difference(plugin_abi(), other),
              cat(what, " is ", ours + 1, " in the plugin but ", ours,
                  " in libweft; rebuild the plugin against it"));
    --member;
  };
  PluginAbi other = plugin_abi();
  expect_named("the plugin ABI", other.abi, other);
  expect_named("the C++ ABI", other.compiler, other);
  const char* const types[] = {"TensorImpl", "Storage",    "OpDef", "OpEntry",
                               "KernelRow",  "KernelArgs", "Node"};
  for (std::size_t i = 0; i < std::size(types); ++i) {
    expect_named(cat("the size of ", types[i]).c_str(), other.sizes[i], other);
  }
}

TEST(Plugin, AMissingFileIsNamed) {
  EXPECT_THAT(refusal_of("/nowhere/libweft_npu.so"),
              testing::AllOf(HasSubstr("/nowhere/libweft_npu.so"), HasSubstr("cannot be loaded")));
}

TEST(Plugin, ALibraryWithoutEntryPointIsRefused) {
  EXPECT_THAT(refusal_of("libz.so.1"),
              HasSubstr("cannot be loaded: it has no function weft_plugin"));
}

TEST(Plugin, AnotherAbiIsRefusedWithBothValues) {
  EXPECT_THAT(
      refusal_of(plugin("other_abi")),
      HasSubstr("cannot be loaded: the Weft version is 99.0.0 in the plugin but " WEFT_VERSION));
}

TEST(Plugin, LoadingItAgainDoesNotEnterItAgain) {
  EXPECT_EQ(refusal_of(plugin("once")), "none");
  EXPECT_EQ(refusal_of(plugin("once")), "none");
}

TEST(PluginCuda, AnAbsentLibraryIsSaid) {
  if (test::program().empty()) GTEST_SKIP() << "this build has no program";
  const test::TemporaryFolder folder;
  EXPECT_THAT(devices_beside(folder.path()),
              HasSubstr(cat("none: this Weft was built without CUDA (", folder.path().string(),
                            "/libweft_cuda.so is not there)")));
}

TEST(PluginCuda, ALibraryThatCannotBeLoadedIsSaid) {
  if (test::program().empty()) GTEST_SKIP() << "this build has no program";
  const test::TemporaryFolder folder;
  std::ofstream(folder.path() / "libweft_cuda.so") << "not a library";
  EXPECT_THAT(devices_beside(folder.path()), HasSubstr("none: libweft_cuda.so cannot be loaded: "));
}

TEST(PluginCuda, WithoutADriverTheLibraryLoadsAndSaysSo) {
  if (!fs::exists(libweft().parent_path() / "libweft_cuda.so"))
    GTEST_SKIP() << "built without CUDA";
  if (fs::exists("/proc/driver/nvidia")) GTEST_SKIP() << "this machine has a driver";
  ASSERT_NE(find_backend(DeviceKind::cuda), nullptr) << absence_of(DeviceKind::cuda);
  EXPECT_EQ(absence_of(DeviceKind::cuda), "no NVIDIA driver is loaded");
}

TEST(PluginCuda, HidingEveryGpuIsToldFromNoDriver) {
  if (!device_exists(Device(DeviceKind::cuda, 0))) GTEST_SKIP() << absence_of(DeviceKind::cuda);
  EXPECT_THAT(output_of("CUDA_VISIBLE_DEVICES= " + test::program().string() + " devices 2>&1"),
              HasSubstr("none: CUDA found no usable GPU"));
}

TEST(PluginCuda, WantingAnAbsentDeviceSaysWhyAndWhatThereIs) {
  const Device wanted(DeviceKind::cuda, 0);
  if (device_exists(wanted)) GTEST_SKIP() << "this machine has a CUDA device";
  try {
    backend_of(wanted);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::device);
    EXPECT_EQ(error.message(), cat("device cuda:0 does not exist: ", absence_of(DeviceKind::cuda),
                                   "; available: cpu"));
  }
}

}  // namespace
}  // namespace weft
