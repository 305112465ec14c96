# SPDX-License-Identifier: Apache-2.0
# weft/base/version.h from project(VERSION); the build id (commit, -dirty) is refreshed by every build.
include_guard()

set(weft_generated ${PROJECT_BINARY_DIR}/generated)
configure_file(cmake/version.h.in ${weft_generated}/include/weft/base/version.h @ONLY)

add_custom_target(weft_build_id
  COMMAND ${CMAKE_COMMAND} -DSOURCE=${PROJECT_SOURCE_DIR} -DVERSION=${PROJECT_VERSION}
    -DOUTPUT=${weft_generated}/build_id.cpp -P ${PROJECT_SOURCE_DIR}/cmake/build_id.cmake
  BYPRODUCTS ${weft_generated}/build_id.cpp
  COMMENT "")
