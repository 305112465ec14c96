// SPDX-License-Identifier: Apache-2.0
#include "weft/base/device.h"

#include <gtest/gtest.h>

#include "tests/support/expect_error.h"

namespace weft {
namespace {

TEST(Device, ReadsNames) {
  EXPECT_EQ(Device("cpu"), Device());
  EXPECT_EQ(Device("cpu:0"), Device());
  EXPECT_EQ(Device("cuda"), Device(DeviceKind::cuda, 0));
  EXPECT_EQ(Device("cuda:1"), Device(DeviceKind::cuda, 1));
  EXPECT_EQ(Device("gpu:2"), Device(DeviceKind::cuda, 2));
  EXPECT_EQ(Device("gpu"), Device(DeviceKind::cuda, 0));
  EXPECT_EQ(Device("sim:0"), Device(DeviceKind::sim, 0));
  EXPECT_EQ(Device("cuda:127"), Device(DeviceKind::cuda, 127));
}

TEST(Device, PrintsAndReadsBack) {
  EXPECT_EQ(to_string(Device()), "cpu");
  for (const char* name : {"cpu", "cuda:0", "cuda:3", "sim:0", "extern0:0"}) {
    EXPECT_EQ(to_string(Device(name)), name);
  }
}

TEST(Device, RefusesOtherNames) {
  for (const char* name : {"", ":", ":0", "CPU", "cuda:", "cuda:-1", "cuda:+1", "cuda: 1",
                           "cuda:1x", "cuda:128", "cuda:99999999999999999999", "tpu", "cuda::0"}) {
    EXPECT_WEFT_ERROR(Device(name), device,
                      "is no device name; needed is cpu, cuda, cuda:N, gpu or "
                      "gpu:N with N from 0 to 127");
  }
}

TEST(Device, SuggestsTheNearestName) {
  EXPECT_WEFT_ERROR(Device("cdua:0"), device, "device: \"cdua:0\" is no device name");
  EXPECT_WEFT_ERROR(Device("cdua:0"), device, "; did you mean `cuda`?");
  EXPECT_WEFT_ERROR(Device("gqu"), device, "; did you mean `gpu`?");
}

TEST(Device, EscapesWhatItQuotes) {
  EXPECT_WEFT_ERROR(Device("\x1b[31m"), device, "\"\\x1b[31m\"");
}

}  // namespace
}  // namespace weft
