# One static library a folder of src/. What a room may include is what it links here, so the linker
# and the include paths hold the walls; tests/support/check_walls.sh holds the third-party ones.

# cinecortex_room(<name> SOURCES ... [ROOMS ...] [PUBLIC ...] [PRIVATE ...])
function(cinecortex_room name)
  cmake_parse_arguments(R "" "" "SOURCES;ROOMS;PUBLIC;PRIVATE" ${ARGN})
  add_library(cinecortex_${name} STATIC ${R_SOURCES})
  add_library(cinecortex::${name} ALIAS cinecortex_${name})
  target_include_directories(cinecortex_${name} PUBLIC ${PROJECT_SOURCE_DIR}/include)
  list(TRANSFORM R_ROOMS PREPEND cinecortex::)
  target_link_libraries(cinecortex_${name} PUBLIC ${R_ROOMS} ${R_PUBLIC} PRIVATE ${R_PRIVATE} cinecortex_flags)
endfunction()

add_library(cinecortex_flags INTERFACE)
target_compile_options(cinecortex_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
  -Wno-missing-field-initializers)  # designated initialisers leave defaults out on purpose
if(CINECORTEX_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()
