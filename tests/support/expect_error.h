// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "tests/support/gallery.h"
#include "weft/base/error.h"

/// Expects `expression` to throw Error(kind_name) whose text contains `part`.
#define EXPECT_WEFT_ERROR(expression, kind_name, part)                                         \
  do {                                                                                         \
    try {                                                                                      \
      static_cast<void>(expression);                                                           \
      ADD_FAILURE() << "no error was thrown, expected: " << (part);                            \
    } catch (const ::weft::Error& error) {                                                     \
      EXPECT_EQ(::weft::name_of(error.kind()), ::weft::name_of(::weft::ErrorKind::kind_name)); \
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();      \
      ::weft::test::add_to_error_gallery(error.what());                                        \
    }                                                                                          \
  } while (false)
