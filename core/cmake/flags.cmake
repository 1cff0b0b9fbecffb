# SPDX-License-Identifier: GPL-3.0-or-later
# The interface target `sluice_flags`: language, warnings, sanitizers. Every target of ours links
# it. One with the property SLUICE_TEST may define functions that only a generated file declares.
include(CheckIPOSupported)
include(CheckPIESupported)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()
# ASSERT stays on in every build, so NDEBUG is never defined.
set(CMAKE_C_FLAGS_DEBUG "-O1 -g")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O3 -g")
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
check_pie_supported(LANGUAGES C)

find_package(Threads REQUIRED)
add_library(sluice_flags INTERFACE)
target_include_directories(sluice_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(sluice_flags INTERFACE _GNU_SOURCE SLUICE_VERSION="${PROJECT_VERSION}")
target_compile_options(sluice_flags INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -Wvla -Wundef -Wstrict-prototypes
  $<$<NOT:$<BOOL:$<TARGET_PROPERTY:SLUICE_TEST>>>:-Wmissing-prototypes>
  -Wimplicit-fallthrough -Werror -fno-common -fno-omit-frame-pointer -ffunction-sections
  -fdata-sections)
target_link_options(sluice_flags INTERFACE -Wl,--gc-sections -Wl,-z,relro -Wl,-z,now)
target_link_libraries(sluice_flags INTERFACE Threads::Threads)

set(sanitize ${SLUICE_SANITIZE})
if(SLUICE_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "libFuzzer comes with clang: cmake --preset fuzz")
  endif()
  list(APPEND sanitize fuzzer-no-link)
  target_compile_definitions(sluice_flags INTERFACE SLUICE_FUZZ=1)
endif()
if(sanitize)
  string(REPLACE ";" "," sanitize "${sanitize}")
  target_compile_options(sluice_flags INTERFACE -fsanitize=${sanitize} -fno-sanitize-recover=all)
  target_link_options(sluice_flags INTERFACE -fsanitize=${sanitize} -fno-sanitize-recover=all)
else()
  # Fortify needs optimisation and is no friend of the sanitizers.
  target_compile_options(sluice_flags INTERFACE
    $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=2> -fstack-protector-strong)
endif()
if(SLUICE_LTO AND NOT sanitize)
  check_ipo_supported(RESULT sluice_ipo OUTPUT sluice_ipo_why LANGUAGES C)
  if(sluice_ipo)
    set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
  else()
    message(STATUS "no link-time optimisation: ${sluice_ipo_why}")
  endif()
endif()
