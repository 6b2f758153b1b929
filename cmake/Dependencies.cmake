# Every package the project links, found here and nowhere else. README.md says why each is there.
include(CheckCXXSourceCompiles)

find_package(Threads REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(MPI REQUIRED COMPONENTS CXX)

# pkg-config knows Debian's parallel HDF5; elsewhere FindHDF5 asks the wrapper h5pcc, which is right for a site's
# module (set HDF5_ROOT to choose one), but cannot build in a folder with a space in its name.
find_package(PkgConfig REQUIRED)
if(NOT HDF5_ROOT AND NOT DEFINED ENV{HDF5_ROOT})
  pkg_check_modules(hdf5 IMPORTED_TARGET hdf5-openmpi)
endif()
add_library(cinecortex_hdf5 INTERFACE)
if(hdf5_FOUND)
  find_library(HDF5_HL_LIBRARY hdf5_hl HINTS ${hdf5_LIBRARY_DIRS} REQUIRED)
  target_link_libraries(cinecortex_hdf5 INTERFACE ${HDF5_HL_LIBRARY} PkgConfig::hdf5 MPI::MPI_CXX)
else()
  set(HDF5_PREFER_PARALLEL ON)
  find_package(HDF5 REQUIRED COMPONENTS C HL)
  if(NOT HDF5_IS_PARALLEL)
    message(FATAL_ERROR "CineCortex writes parallel HDF5, but the HDF5 found (${HDF5_C_LIBRARIES}) is serial. "
                        "Install libhdf5-openmpi-dev, or load your site's parallel HDF5 module and set HDF5_ROOT.")
  endif()
  target_include_directories(cinecortex_hdf5 SYSTEM INTERFACE ${HDF5_C_INCLUDE_DIRS})
  target_link_libraries(cinecortex_hdf5 INTERFACE ${HDF5_C_HL_LIBRARIES} ${HDF5_C_LIBRARIES} MPI::MPI_CXX)
endif()
target_compile_definitions(cinecortex_hdf5 INTERFACE OMPI_SKIP_MPICXX)

find_package(Eigen3 REQUIRED NO_MODULE)
find_package(Boost REQUIRED COMPONENTS program_options)
find_package(spdlog REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)

pkg_check_modules(tomlplusplus REQUIRED IMPORTED_TARGET tomlplusplus)
# Debian's CMake config of ScaLAPACK names paths that do not exist: pkg-config is right. The second name is Netlib's own,
# as Spack and most sites install it.
pkg_search_module(scalapack REQUIRED IMPORTED_TARGET scalapack-openmpi scalapack)
pkg_check_modules(openblas REQUIRED IMPORTED_TARGET openblas)
pkg_check_modules(libzip REQUIRED IMPORTED_TARGET libzip)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)

find_path(NIFTI_INCLUDE_DIR nifti2_io.h PATH_SUFFIXES nifti REQUIRED)
find_library(NIFTI_LIBRARY nifti2 REQUIRED)
find_library(ZNZ_LIBRARY znz REQUIRED)
add_library(cinecortex_nifti INTERFACE)
target_include_directories(cinecortex_nifti SYSTEM INTERFACE ${NIFTI_INCLUDE_DIR})
target_link_libraries(cinecortex_nifti INTERFACE ${NIFTI_LIBRARY} ${ZNZ_LIBRARY})

if(NOT CINECORTEX_STATISTICS_ONLY)
  pkg_check_modules(libav REQUIRED IMPORTED_TARGET libavformat libavcodec libavutil libswscale libswresample)
  pkg_check_modules(pcre2 REQUIRED IMPORTED_TARGET libpcre2-8)
  pkg_check_modules(utf8proc REQUIRED IMPORTED_TARGET libutf8proc)
  # GPL: only `synth` speaks with it, and the program is complete without it.
  pkg_check_modules(espeak_ng IMPORTED_TARGET espeak-ng)
  find_package(LibTorch REQUIRED)
  set(CMAKE_BUILD_RPATH ${LibTorch_LIBRARY_FOLDERS})  # Install.cmake says what an installed program has instead
endif()

add_library(cinecortex_blas INTERFACE)
target_link_libraries(cinecortex_blas INTERFACE PkgConfig::scalapack PkgConfig::openblas)

# Link order decides which BLAS runs: libtorch exports dgemm_ and LAPACK of its own. CMake orders libraries as it likes,
# but options come before all of them: there ScaLAPACK and OpenBLAS go first, so that one BLAS and one OpenMP runtime
# serve the whole program. For every executable that links cinecortex::models; `cinecortex --version` shows the result.
function(cinecortex_link_blas_first target)
  target_link_options(${target} PRIVATE LINKER:--no-as-needed ${scalapack_LINK_LIBRARIES} ${openblas_LINK_LIBRARIES})
endfunction()
