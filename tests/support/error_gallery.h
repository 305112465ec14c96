// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <string_view>

#include "tests/support/gallery.h"
#include "weft/base/error.h"

namespace weft::test {

inline void expect_error(const std::function<void()>& call, ErrorKind kind, std::string_view what,
                         std::string_view id) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(name_of(error.kind()), name_of(kind));
    EXPECT_EQ(std::string_view(error.what()), what);
    add_to_error_gallery(id, error.what());
    return;
  }
  ADD_FAILURE() << "expected Error(" << name_of(kind) << "): " << what;
}

}  // namespace weft::test

/// `expression` throws weft::Error of `kind` whose what() is exactly `what`; `id` is its place in
/// the error gallery: `area/case`.
#define EXPECT_WEFT_ERROR(expression, kind, what, id)                                         \
  do {                                                                                        \
    SCOPED_TRACE(id);                                                                         \
    ::weft::test::expect_error([&] { static_cast<void>(expression); }, (kind), (what), (id)); \
  } while (false)
