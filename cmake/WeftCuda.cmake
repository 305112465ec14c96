# SPDX-License-Identifier: Apache-2.0
# libweft_cuda: loaded by libweft at run time, never linked by anyone.
include_guard()

set(weft_have_cuda FALSE)
file(GLOB weft_cuda_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cuda/*.cu ${PROJECT_SOURCE_DIR}/cuda/*.cpp)
if(WEFT_CUDA STREQUAL "OFF" OR NOT weft_cuda_sources)
  return()
endif()
if(NOT BUILD_SHARED_LIBS)
  message(STATUS "Weft: no CUDA backend in a static build; it is a plug-in of the shared libweft")
  return()
endif()

# check_language does not look into /usr/local/cuda/bin; FindCUDAToolkit does.
find_package(CUDAToolkit 12.8 QUIET)
if(NOT CUDAToolkit_FOUND OR NOT CUDAToolkit_NVCC_EXECUTABLE)
  if(WEFT_CUDA STREQUAL "ON")
    message(FATAL_ERROR "WEFT_CUDA is ON but no CUDA toolkit >= 12.8 was found; set CUDAToolkit_ROOT")
  endif()
  message(STATUS "Weft: no CUDA toolkit, no CUDA backend")
  return()
endif()
if(NOT CMAKE_CUDA_COMPILER)
  set(CMAKE_CUDA_COMPILER ${CUDAToolkit_NVCC_EXECUTABLE})
endif()
if(NOT CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 90-real CACHE STRING "Compute capabilities, e.g. 80-real;90-real;100-real;120")
endif()
set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)   # else cudart is linked twice, once inside us
enable_language(CUDA)
if(CMAKE_CUDA_COMPILER_ID STREQUAL "NVIDIA" AND NOT DEFINED CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  # CMake 3.25 knows nvcc only up to C++17 and would compile that without a word.
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
  list(APPEND CMAKE_CUDA_COMPILE_FEATURES cuda_std_20)
endif()
set(CMAKE_CUDA_STANDARD 20)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
set(CMAKE_CUDA_EXTENSIONS OFF)
set(CMAKE_CUDA_VISIBILITY_PRESET hidden)
set(CMAKE_CUDA_COMPILER_LAUNCHER ${PROJECT_SOURCE_DIR}/cmake/keep_ptxas_log.sh ${WEFT_CCACHE})

add_library(weft_cuda SHARED ${weft_cuda_sources})
target_include_directories(weft_cuda PRIVATE ${PROJECT_SOURCE_DIR})
target_link_libraries(weft_cuda PRIVATE weft_compile weft CUDA::cudart CUDA::cublas CUDA::cublasLt)
target_compile_options(weft_cuda PRIVATE
  $<$<COMPILE_LANGUAGE:CXX>:-ftls-model=initial-exec>
  $<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr -fmad=false -Xptxas=-v -Xcompiler=-Wall,-Wextra
    -Werror=cross-execution-space-call $<$<BOOL:${WEFT_WERROR}>:-Werror=all-warnings -Xcompiler=-Werror>>)
set_target_properties(weft_cuda PROPERTIES
  LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib
  INSTALL_RPATH $ORIGIN)
set(map ${PROJECT_SOURCE_DIR}/cmake/plugin.map)
target_link_options(weft_cuda PRIVATE LINKER:--no-undefined LINKER:--version-script=${map})
set_target_properties(weft_cuda PROPERTIES LINK_DEPENDS ${map})
set(weft_have_cuda TRUE)
message(STATUS "Weft: CUDA ${CUDAToolkit_VERSION} for ${CMAKE_CUDA_ARCHITECTURES}")
