# `cmake --install build/release --prefix PREFIX`: the program, libtorch's libraries beside it, configs, jobs, tools and
# documentation. The folder may be moved afterwards: the program looks for libtorch relative to itself. All other
# libraries stay where they are, those outside the system's folders (a site's modules) by their absolute paths.
include(GNUInstallDirs)

set(_data ${CMAKE_INSTALL_DATADIR}/cinecortex)
set(_own_libraries ${CMAKE_INSTALL_LIBDIR}/cinecortex)

file(RELATIVE_PATH _to_libraries /${CMAKE_INSTALL_BINDIR} /${_own_libraries})
set(_rpath "$ORIGIN/${_to_libraries}")

if(NOT CINECORTEX_STATISTICS_ONLY)
  # A libtorch for GPUs is gigabytes and opens further libraries by name at run time: it stays the site's.
  get_filename_component(_torch_folder ${LibTorch_CPU_LIBRARY} DIRECTORY)
  set(_bundle ON)
  if(EXISTS ${_torch_folder}/libtorch_cuda.so)
    set(_bundle OFF)
  endif()
  option(CINECORTEX_BUNDLE_LIBTORCH "Install libtorch's libraries with the program (off: refer to LibTorch_ROOT)" ${_bundle})

  if(CINECORTEX_BUNDLE_LIBTORCH)
    # What libtorch_cpu needs, as far as it comes from the same place: also CUDA's runtime and OpenMP in PyPI's wheel.
    install(CODE "
      file(GET_RUNTIME_DEPENDENCIES LIBRARIES \"${LibTorch_CPU_LIBRARY}\"
        RESOLVED_DEPENDENCIES_VAR needed UNRESOLVED_DEPENDENCIES_VAR ignored
        DIRECTORIES ${LibTorch_LIBRARY_FOLDERS}
        POST_EXCLUDE_REGEXES \"^/lib\" \"^/usr/lib\")
      file(INSTALL \"${LibTorch_CPU_LIBRARY}\" \${needed} TYPE SHARED_LIBRARY FOLLOW_SYMLINK_CHAIN
        DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${_own_libraries}\")")
  else()
    string(APPEND _rpath ":${_torch_folder}")
  endif()
endif()

set_target_properties(cinecortex PROPERTIES INSTALL_RPATH "${_rpath}" INSTALL_RPATH_USE_LINK_PATH ON)
install(TARGETS cinecortex RUNTIME)

foreach(folder configs jobs tools)
  if(EXISTS ${PROJECT_SOURCE_DIR}/${folder})
    install(DIRECTORY ${folder} DESTINATION ${_data} USE_SOURCE_PERMISSIONS
      PATTERN __pycache__ EXCLUDE PATTERN containers EXCLUDE)
  endif()
endforeach()
install(FILES README.md LICENSE CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR})
