# SPDX-License-Identifier: Apache-2.0
# The program: src/run (config, runs, logging) as a static library that tests can link, src/cli on top of it.
include_guard()

set(weft_program_path "")
file(GLOB weft_run_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/run/*.cpp)
file(GLOB weft_cli_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/cli/*.cpp)
if(NOT WEFT_BUILD_PROGRAM OR NOT weft_run_sources)
  return()
endif()

find_package(yaml-cpp REQUIRED)
find_package(fmt REQUIRED)
set(weft_yaml $<IF:$<TARGET_EXISTS:yaml-cpp::yaml-cpp>,yaml-cpp::yaml-cpp,yaml-cpp>)

add_library(weft_run STATIC ${weft_run_sources})
target_include_directories(weft_run PUBLIC ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(weft_run
  PRIVATE weft_compile nlohmann_json::nlohmann_json ${weft_yaml} fmt::fmt PUBLIC weft)

if(weft_cli_sources)
  find_package(CLI11 REQUIRED)
  add_executable(weft_program ${weft_cli_sources})
  target_link_libraries(weft_program
    PRIVATE weft_compile weft_run nlohmann_json::nlohmann_json fmt::fmt CLI11::CLI11)
  set_target_properties(weft_program PROPERTIES OUTPUT_NAME weft
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}
    INSTALL_RPATH $ORIGIN/../${CMAKE_INSTALL_LIBDIR})
  set(weft_program_path ${PROJECT_BINARY_DIR}/weft)
endif()
