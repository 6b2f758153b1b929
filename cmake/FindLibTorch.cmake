# Finds libtorch for the C++ API without asking for a CUDA toolkit (torch's own TorchConfig does).
# Accepts in LibTorch_ROOT: a site's unpacked libtorch, a Python environment's `torch` folder, or the
# folder that `./run` fills from PyPI. Defines LibTorch::LibTorch, LibTorch_VERSION, and LibTorch_LIBRARY_FOLDERS:
# where its libraries and those that they need are, for the search paths of programs.
include(FindPackageHandleStandardArgs)

set(_roots ${LibTorch_ROOT} $ENV{LibTorch_ROOT} ${CMAKE_SOURCE_DIR}/.deps/libtorch)
set(_suffixes "" torch libtorch)
find_path(LibTorch_INCLUDE_DIR torch/script.h HINTS ${_roots}
          PATH_SUFFIXES include torch/include libtorch/include)
find_library(LibTorch_CPU_LIBRARY torch_cpu HINTS ${_roots} PATH_SUFFIXES lib torch/lib libtorch/lib)
find_library(LibTorch_C10_LIBRARY c10 HINTS ${_roots} PATH_SUFFIXES lib torch/lib libtorch/lib)
if(LibTorch_INCLUDE_DIR AND EXISTS ${LibTorch_INCLUDE_DIR}/torch/headeronly/version.h)
  file(STRINGS ${LibTorch_INCLUDE_DIR}/torch/headeronly/version.h _v REGEX "#define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
elseif(LibTorch_INCLUDE_DIR AND EXISTS ${LibTorch_INCLUDE_DIR}/torch/csrc/api/include/torch/version.h)
  file(STRINGS ${LibTorch_INCLUDE_DIR}/torch/csrc/api/include/torch/version.h _v REGEX "#define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
endif()
string(REGEX REPLACE "[^0-9;]" "" _v "${_v}")
list(JOIN _v "." LibTorch_VERSION)

find_package_handle_standard_args(LibTorch
  REQUIRED_VARS LibTorch_CPU_LIBRARY LibTorch_C10_LIBRARY LibTorch_INCLUDE_DIR
  VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE "Give your site's libtorch with -DLibTorch_ROOT=DIR, or run ./run build, which fetches one.")

if(LibTorch_FOUND AND NOT TARGET LibTorch::LibTorch)
  get_filename_component(_lib ${LibTorch_CPU_LIBRARY} DIRECTORY)
  # The wheel's libtorch_cpu needs libcudart and libcupti, which PyPI puts beside it in nvidia/*/lib.
  file(GLOB _nvidia ${_lib}/../../nvidia/*/lib)
  set(LibTorch_LIBRARY_FOLDERS ${_lib} ${_nvidia})
  add_library(LibTorch::LibTorch INTERFACE IMPORTED)
  # Searched last: libtorch ships headers of other libraries (fmt) that must not hide the ones linked here.
  target_compile_options(LibTorch::LibTorch INTERFACE
    "SHELL:-idirafter \"${LibTorch_INCLUDE_DIR}\""
    "SHELL:-idirafter \"${LibTorch_INCLUDE_DIR}/torch/csrc/api/include\"")
  target_link_libraries(LibTorch::LibTorch INTERFACE ${LibTorch_CPU_LIBRARY} ${LibTorch_C10_LIBRARY})
  list(TRANSFORM LibTorch_LIBRARY_FOLDERS PREPEND "LINKER:-rpath-link," OUTPUT_VARIABLE _rpath_link)
  target_link_options(LibTorch::LibTorch INTERFACE ${_rpath_link})
endif()
mark_as_advanced(LibTorch_INCLUDE_DIR LibTorch_CPU_LIBRARY LibTorch_C10_LIBRARY)
