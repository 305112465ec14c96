# SPDX-License-Identifier: Apache-2.0
# find_package(weft CONFIG) gives weft::weft; a shared libweft asks nothing of the consumer.
include_guard()
include(CMakePackageConfigHelpers)

set(weft_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/weft)
install(TARGETS weft EXPORT weft-targets FILE_SET HEADERS)
install(EXPORT weft-targets NAMESPACE weft:: DESTINATION ${weft_cmake_dir})
configure_package_config_file(cmake/weft-config.cmake.in ${weft_generated}/weft-config.cmake
  INSTALL_DESTINATION ${weft_cmake_dir})
write_basic_package_version_file(${weft_generated}/weft-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${weft_generated}/weft-config.cmake ${weft_generated}/weft-config-version.cmake
  DESTINATION ${weft_cmake_dir})
if(NOT BUILD_SHARED_LIBS)
  install(FILES cmake/FindOneDNN.cmake DESTINATION ${weft_cmake_dir})
endif()

if(TARGET weft_program)
  install(TARGETS weft_program)
  if(EXISTS ${PROJECT_SOURCE_DIR}/examples/digits)
    install(DIRECTORY examples/digits DESTINATION ${CMAKE_INSTALL_DATADIR}/weft)
  endif()
endif()
if(TARGET weft_cuda)
  install(TARGETS weft_cuda LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
