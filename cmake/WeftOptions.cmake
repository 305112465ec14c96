# SPDX-License-Identifier: Apache-2.0
# What a builder may choose. AUTO takes what the machine has and says so.
include_guard()

option(BUILD_SHARED_LIBS "Build libweft as a shared library" ON)
option(WEFT_BUILD_PROGRAM "Build the program weft" ${PROJECT_IS_TOP_LEVEL})
option(WEFT_BUILD_TESTS "Build the tests" ${PROJECT_IS_TOP_LEVEL})
option(WEFT_BUILD_BENCH "Build the benchmarks" ${PROJECT_IS_TOP_LEVEL})
option(WEFT_BUILD_EXAMPLES "Build the examples" ${PROJECT_IS_TOP_LEVEL})
option(WEFT_BUILD_FUZZ "Build the libFuzzer targets (clang only)" OFF)
option(WEFT_INSTALL "Write install rules" ${PROJECT_IS_TOP_LEVEL})
option(WEFT_WERROR "Treat warnings in Weft as errors" ${PROJECT_IS_TOP_LEVEL})

set(WEFT_CUDA AUTO CACHE STRING "CUDA backend (libweft_cuda): AUTO, ON or OFF")
set(WEFT_ONEDNN AUTO CACHE STRING "oneDNN for CPU matmul and convolution: AUTO, ON or OFF")
set(WEFT_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize takes them: address,undefined or thread")
set_property(CACHE WEFT_CUDA PROPERTY STRINGS AUTO ON OFF)
set_property(CACHE WEFT_ONEDNN PROPERTY STRINGS AUTO ON OFF)

foreach(option WEFT_CUDA WEFT_ONEDNN)
  if(NOT ${option} MATCHES "^(AUTO|ON|OFF)$")
    message(FATAL_ERROR "${option} is ${${option}}; it takes AUTO, ON or OFF")
  endif()
endforeach()

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES AND PROJECT_IS_TOP_LEVEL)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
endif()

find_program(WEFT_CCACHE ccache)
mark_as_advanced(WEFT_CCACHE)
if(WEFT_CCACHE AND PROJECT_IS_TOP_LEVEL AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${WEFT_CCACHE})
endif()
