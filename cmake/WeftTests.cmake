# SPDX-License-Identifier: Apache-2.0
# weft_test_<layer> from tests/<layer>/*.cpp links the objects of that layer and of those below it, nothing else: a
# layer that reaches upwards does not link. One ctest entry per GoogleTest case, labelled with its layer.
include_guard()

find_package(GTest 1.12 REQUIRED)
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)
include(GoogleTest)

# Paths of this build stand in one small object, so that test objects are the same in every clone.
file(CONFIGURE OUTPUT ${weft_generated}/test_paths.cpp @ONLY CONTENT [[
#include "tests/support/paths.h"

namespace weft::test {
std::filesystem::path source_dir() { return "@PROJECT_SOURCE_DIR@"; }
std::filesystem::path program() { return "@weft_program_path@"; }
}  // namespace weft::test
]])
add_library(weft_test_support OBJECT ${weft_generated}/test_paths.cpp)
target_include_directories(weft_test_support PUBLIC ${PROJECT_SOURCE_DIR})
target_link_libraries(weft_test_support PRIVATE weft_compile)

# The test device, for layers that stand on op.
file(GLOB weft_sim_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/sim/*.cpp)
if(weft_sim_sources AND TARGET weft_op)
  add_library(weft_sim OBJECT ${weft_sim_sources})
  target_link_libraries(weft_sim PRIVATE weft_compile PUBLIC weft_op GTest::gtest)
endif()

# weft_add_tests(<program> <layer> [FILTER gtest-filter])
function(weft_add_tests program layer)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "FILTER" "")
  target_link_libraries(${program} PRIVATE weft_compile weft_test_support GTest::gmock GTest::gtest_main ${CMAKE_DL_LIBS})
  target_compile_options(${program} PRIVATE $<$<CONFIG:Release>:-O1>)   # a fifth less to compile; what is tested is at -O2
  set_target_properties(${program} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  gtest_discover_tests(${program} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 NO_PRETTY_VALUES
    WORKING_DIRECTORY ${PROJECT_BINARY_DIR}/tests TEST_FILTER "${arg_FILTER}"
    PROPERTIES LABELS ${layer} TIMEOUT 300)
endfunction()

# The table of op tests, which several programs run.
file(GLOB weft_row_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/ops/*.cpp)
list(FILTER weft_row_sources EXCLUDE REGEX "_test\\.cpp$")
if(weft_row_sources AND TARGET weft_ops)
  add_library(weft_op_rows OBJECT ${weft_row_sources} ${PROJECT_SOURCE_DIR}/tests/ops/support/row_data.cpp)
  target_include_directories(weft_op_rows PUBLIC $<TARGET_PROPERTY:weft_ops,INTERFACE_INCLUDE_DIRECTORIES>)
  target_link_libraries(weft_op_rows PRIVATE weft_compile GTest::gmock GTest::gtest)
  target_compile_options(weft_op_rows PRIVATE $<$<CONFIG:Release>:-O1>)
endif()

foreach(layer ${weft_layers})
  file(GLOB sources CONFIGURE_DEPENDS
    ${PROJECT_SOURCE_DIR}/tests/${layer}/*.cpp ${PROJECT_SOURCE_DIR}/tests/${layer}/support/*.cpp)
  if(NOT sources)
    continue()
  endif()
  if(layer STREQUAL "ops")
    list(REMOVE_ITEM sources ${weft_row_sources} ${PROJECT_SOURCE_DIR}/tests/ops/support/row_data.cpp)
  endif()
  add_executable(weft_test_${layer} ${sources})
  foreach(below ${weft_closure_${layer}})
    if(TARGET weft_${below})
      target_link_libraries(weft_test_${layer} PRIVATE weft_${below})
    endif()
  endforeach()
  if(core IN_LIST weft_closure_${layer} AND NOT op IN_LIST weft_closure_${layer})
    target_sources(weft_test_${layer} PRIVATE ${PROJECT_SOURCE_DIR}/tests/support/without_op.cpp)
  endif()
  if(layer STREQUAL "ops")   # every op row is also captured and replayed; graph stands beside ops, not above
    foreach(beside graph io)
      if(TARGET weft_${beside})
        target_link_libraries(weft_test_ops PRIVATE weft_${beside})
      endif()
    endforeach()
    target_link_libraries(weft_test_ops PRIVATE weft_op_rows)
  endif()
  if(op IN_LIST weft_closure_${layer})
    foreach(builtin ops cpu)   # the registry asks for these lists; a layer below them gets empty ones
      if(NOT builtin IN_LIST weft_closure_${layer})
        target_sources(weft_test_${layer} PRIVATE ${PROJECT_SOURCE_DIR}/tests/support/without_${builtin}.cpp)
      endif()
    endforeach()
    if(TARGET weft_sim)
      target_link_libraries(weft_test_${layer} PRIVATE weft_sim)
    endif()
  endif()
  weft_add_tests(weft_test_${layer} ${layer})
endforeach()

# The program's own tests see what users see: libweft.so and the built program.
file(GLOB weft_run_tests CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/run/*.cpp ${PROJECT_SOURCE_DIR}/tests/cli/*.cpp)
if(weft_run_tests AND TARGET weft_run)
  add_executable(weft_test_run ${weft_run_tests})
  target_link_libraries(weft_test_run PRIVATE weft_run nlohmann_json::nlohmann_json)
  if(TARGET weft_program)
    add_dependencies(weft_test_run weft_program)
  endif()
  weft_add_tests(weft_test_run run)
endif()

# Plugins and the CUDA backend as users load them: on libweft.so. The CUDA rows are skipped where no device is.
file(GLOB weft_plugin_tests CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/plugin/*.cpp)
if(weft_plugin_tests AND BUILD_SHARED_LIBS)
  add_executable(weft_test_plugin ${weft_plugin_tests})
  target_link_libraries(weft_test_plugin PRIVATE weft weft_op_rows)
  target_include_directories(weft_test_plugin PRIVATE ${PROJECT_SOURCE_DIR})
  foreach(plugin other_abi once)
    add_library(weft_test_plugin_${plugin} MODULE ${PROJECT_SOURCE_DIR}/tests/plugin/plugins/${plugin}.cpp)
    target_link_libraries(weft_test_plugin_${plugin} PRIVATE weft_compile weft)
    set_target_properties(weft_test_plugin_${plugin} PROPERTIES
      PREFIX "" OUTPUT_NAME ${plugin} LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
    add_dependencies(weft_test_plugin weft_test_plugin_${plugin})
  endforeach()
  if(TARGET weft_program)
    add_dependencies(weft_test_plugin weft_program)
  endif()
  if(TARGET weft_cuda)
    add_dependencies(weft_test_plugin weft_cuda)
  endif()
  weft_add_tests(weft_test_plugin plugin FILTER "*Cuda*:Plugin*")
endif()

function(weft_tool_test name)
  add_test(NAME ${name} COMMAND Python3::Interpreter ${PROJECT_SOURCE_DIR}/tests/tools/${name}.py ${ARGN}
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS tools TIMEOUT 300)
endfunction()

weft_tool_test(layering ${PROJECT_SOURCE_DIR})
weft_tool_test(capabilities ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR} ${CMAKE_CTEST_COMMAND})
if(NOT WEFT_SANITIZE)
  add_test(NAME public_headers_compile_alone
    COMMAND ${CMAKE_COMMAND} --build ${PROJECT_BINARY_DIR} --target weft_verify_interface_header_sets)
  set_tests_properties(public_headers_compile_alone PROPERTIES LABELS tools TIMEOUT 900 RUN_SERIAL TRUE)
endif()
