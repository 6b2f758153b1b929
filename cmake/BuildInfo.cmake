# Run at build time: writes version and commit into a header, which changes only when they do.
#   cmake -DSOURCE=… -DVERSION=… -DOUTPUT=… -P BuildInfo.cmake
set(commit "unknown")
find_program(GIT git)
if(GIT)
  execute_process(COMMAND ${GIT} -C ${SOURCE} describe --always --dirty --abbrev=10 --exclude=*
    OUTPUT_VARIABLE described OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(NOT failed)
    set(commit "${described}")
  endif()
endif()
set(text "#pragma once
namespace cinecortex::build_info {
inline constexpr const char* version = \"${VERSION}\";
inline constexpr const char* commit = \"${commit}\";
}  // namespace cinecortex::build_info
")
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT "${text}" @ONLY)
