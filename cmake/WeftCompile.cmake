# SPDX-License-Identifier: Apache-2.0
# How every file of ours is compiled. weft_compile is private to this build: consumers never see it.
include_guard()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
endif()

set(weft_warnings -Wall -Wextra -Wconversion)
if(WEFT_WERROR)
  list(APPEND weft_warnings -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  # libstdc++ 12's own stable_sort is deprecated; loops carry `GCC ivdep`, which clang does not know.
  list(APPEND weft_warnings -Wno-deprecated-declarations -Wno-unknown-pragmas)
endif()

add_library(weft_compile INTERFACE)
target_compile_options(weft_compile INTERFACE $<$<COMPILE_LANGUAGE:CXX>:${weft_warnings}
  # Same bits in every ISA clone and on the GPU: no fused multiply-add behind our back.
  -fno-math-errno -fno-trapping-math -ffp-contract=off>)

if(WEFT_SANITIZE)
  set(weft_sanitize -fsanitize=${WEFT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_compile_options(weft_compile INTERFACE $<$<COMPILE_LANGUAGE:CXX>:${weft_sanitize}>)
  target_link_options(weft_compile INTERFACE ${weft_sanitize})
  if(WEFT_SANITIZE MATCHES thread)
    # The ifunc resolvers of target_clones run before ThreadSanitizer is set up and crash.
    target_compile_definitions(weft_compile INTERFACE WEFT_NO_TARGET_CLONES)
  endif()
endif()
