# SPDX-License-Identifier: GPL-3.0-or-later
# sluice_library(NAME [DEPS target...] [SOURCES file...])
#   The static library of a folder. Without sources it only passes its DEPS on.
# sluice_program(NAME [INSTALL folder] [DEPS target...] [SOURCES file...])
#   A program in build/<preset>/bin/, installed into `folder` if that is given. Without sources
#   there is none.
function(sluice_library name)
  cmake_parse_arguments(arg "" "" "DEPS;SOURCES" ${ARGN})
  if(arg_SOURCES)
    add_library(${name} STATIC ${arg_SOURCES})
    set(scope PUBLIC)
  else()
    add_library(${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_link_libraries(${name} ${scope} sluice_flags ${arg_DEPS})
endfunction()

function(sluice_program name)
  cmake_parse_arguments(arg "" "INSTALL" "DEPS;SOURCES" ${ARGN})
  if(arg_SOURCES)
    add_executable(${name} ${arg_SOURCES})
    target_link_libraries(${name} PRIVATE sluice_flags ${arg_DEPS})
    if(arg_INSTALL)
      install(TARGETS ${name} DESTINATION ${arg_INSTALL})
    endif()
  endif()
endfunction()
