# SPDX-License-Identifier: Apache-2.0
# weft_bench_<family> from bench/<family>.cpp, on libweft as users link it.
include_guard()

file(GLOB weft_benches CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/bench/*.cpp)
if(NOT weft_benches)
  return()
endif()
find_package(benchmark REQUIRED)
foreach(source ${weft_benches})
  cmake_path(GET source STEM family)
  add_executable(weft_bench_${family} ${source})
  target_include_directories(weft_bench_${family} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_definitions(weft_bench_${family} PRIVATE WEFT_HAVE_ONEDNN=${weft_have_onednn})
  target_link_libraries(weft_bench_${family} PRIVATE weft_compile weft benchmark::benchmark ${weft_onednn})
  set_target_properties(weft_bench_${family} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)
endforeach()
