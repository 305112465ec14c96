# SPDX-License-Identifier: Apache-2.0
# libweft: the objects of all layers. Third-party libraries stay inside; a shared libweft asks nothing of its users.
include_guard()

file(GLOB_RECURSE weft_public_headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/weft/*.h)
list(FILTER weft_public_headers EXCLUDE REGEX "/include/weft/run/")   # belongs to the program

add_library(weft)
add_library(weft::weft ALIAS weft)
foreach(layer ${weft_layers})
  target_sources(weft PRIVATE $<TARGET_OBJECTS:weft_${layer}>)
endforeach()
target_sources(weft PUBLIC FILE_SET HEADERS
  BASE_DIRS ${PROJECT_SOURCE_DIR}/include ${weft_generated}/include
  FILES ${weft_public_headers} ${weft_generated}/include/weft/base/version.h)
target_compile_features(weft PUBLIC cxx_std_20)
target_link_libraries(weft PRIVATE
  $<BUILD_INTERFACE:weft_compile> ${weft_libraries} Threads::Threads ${CMAKE_DL_LIBS})
set_target_properties(weft PROPERTIES
  LINKER_LANGUAGE CXX
  VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
  VERIFY_INTERFACE_HEADER_SETS ${PROJECT_IS_TOP_LEVEL}
  ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib
  LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
if(NOT (WEFT_SANITIZE AND CMAKE_CXX_COMPILER_ID MATCHES Clang))   # clang leaves the sanitizer's symbols to the program
  target_link_options(weft PRIVATE $<$<BOOL:${BUILD_SHARED_LIBS}>:LINKER:--no-undefined>
    # Our own functions are not replaced from outside: calls among them need no indirection.
    $<$<BOOL:${BUILD_SHARED_LIBS}>:LINKER:-Bsymbolic-functions>)
endif()
