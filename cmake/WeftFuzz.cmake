# SPDX-License-Identifier: Apache-2.0
# weft_fuzz_<target> from fuzz/<target>.cpp: libFuzzer with ASan and UBSan, on a static Weft. Build with clang.
include_guard()

if(NOT CMAKE_CXX_COMPILER_ID MATCHES Clang)
  message(FATAL_ERROR "WEFT_BUILD_FUZZ needs clang's libFuzzer; configure with -DCMAKE_CXX_COMPILER=clang++-19")
endif()
file(GLOB weft_fuzzers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/fuzz/*.cpp)
foreach(source ${weft_fuzzers})
  cmake_path(GET source STEM name)
  add_executable(weft_fuzz_${name} EXCLUDE_FROM_ALL ${source})
  target_include_directories(weft_fuzz_${name} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(weft_fuzz_${name} PRIVATE weft_compile weft
    $<$<TARGET_EXISTS:weft_run>:weft_run> nlohmann_json::nlohmann_json)
  target_link_options(weft_fuzz_${name} PRIVATE -fsanitize=fuzzer)
  set_target_properties(weft_fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzz)
  list(APPEND weft_fuzz_targets weft_fuzz_${name})
endforeach()
add_custom_target(weft_fuzz DEPENDS ${weft_fuzz_targets})
