# SPDX-License-Identifier: Apache-2.0
# examples/<name>/main.cpp is a program, examples/<name>/plugin.cpp a shared object that libweft loads at run time.
# Each program is a test too: it returns 0 when what it shows came true.
# examples/consumer is a project of its own, built against an installed Weft (./dev consumer).
include_guard()

file(GLOB weft_examples CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/examples/*/main.cpp ${PROJECT_SOURCE_DIR}/examples/*/plugin.cpp)
list(FILTER weft_examples EXCLUDE REGEX "/examples/consumer/")
if(NOT BUILD_SHARED_LIBS)   # a static libweft loads no plugins
  list(FILTER weft_examples EXCLUDE REGEX "/examples/plugin_op/")
endif()
foreach(source ${weft_examples})
  cmake_path(GET source PARENT_PATH folder)
  cmake_path(GET folder FILENAME name)
  if(source MATCHES "plugin.cpp$")
    set(target example_${name}_plugin)
    add_library(${target} MODULE ${source})
    set_target_properties(${target} PROPERTIES PREFIX "" OUTPUT_NAME ${name})
  else()
    set(target example_${name})
    add_executable(${target} ${source})
    set_target_properties(${target} PROPERTIES OUTPUT_NAME ${name})
    add_test(NAME example_${name} COMMAND ${target})
    set_tests_properties(example_${name} PROPERTIES LABELS examples TIMEOUT 120)
  endif()
  target_link_libraries(${target} PRIVATE weft_compile weft::weft)
  if(WEFT_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE -Wno-maybe-uninitialized)   # wrong with sanitizers, as GCC's manual says
  endif()
  set_target_properties(${target} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/examples
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/examples)
endforeach()
