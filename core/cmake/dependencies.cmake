# SPDX-License-Identifier: GPL-3.0-or-later
# The libraries that Sluice stands on, as targets:
#   Sluice::wolfssl  TLS and ciphers      system's if it has all that we need, else built here
#   Sluice::uring    liburing             system's if >= 2.8, else built here
#   Sluice::ipsec_mb ipsec-mb >= 1.3      the system's, only where SLUICE_IPSEC_MB asks for it
#   Sluice::srtp2    libsrtp2 >= 2.5      Sluice::jansson  JSON      Sluice::check  tests
#
# What is built here is built once, at configure time, without sanitizers, into
# build/deps/<name>-<version>-<hash>/ of the source folder: every preset and build folder shares it.
# Its source is Debian's, from the archive that apt uses; offline, give unpacked sources by
# -DWOLFSSL_SOURCE=<dir> and -DLIBURING_SOURCE=<dir> or environment variables of the same names.
find_package(PkgConfig REQUIRED)
include(CheckCSourceCompiles)

set(SLUICE_DEPS_DIR ${CMAKE_SOURCE_DIR}/build/deps CACHE PATH "Where libraries are built, once")
set(SLUICE_WOLFSSL auto CACHE STRING "wolfSSL: auto, system or bundled")
set(SLUICE_LIBURING auto CACHE STRING "liburing: auto, system or bundled")
set(WOLFSSL_SOURCE "$ENV{WOLFSSL_SOURCE}" CACHE PATH "Unpacked wolfSSL source (>= 5.7.2) to build")
set(LIBURING_SOURCE "$ENV{LIBURING_SOURCE}" CACHE PATH "Unpacked liburing source (>= 2.8) to build")
set(sluice_cmake_dir ${CMAKE_CURRENT_LIST_DIR})

# sluice_fetch(NAME SUITE SHA256 OUT): Debian's source of NAME, unpacked once; its folder in OUT.
function(sluice_fetch name suite sha out)
  string(SUBSTRING ${sha} 0 8 short)
  set(dir ${SLUICE_DEPS_DIR}/src/${name}-${short})
  set(${out} ${dir} PARENT_SCOPE)
  if(EXISTS ${dir}.unpacked)
    return()
  endif()
  message(STATUS "${name}: fetching Debian ${suite}'s source package")
  file(MAKE_DIRECTORY ${SLUICE_DEPS_DIR}/src)
  set(log ${SLUICE_DEPS_DIR}/src/${name}.log)
  execute_process(
    COMMAND ${sluice_cmake_dir}/debian-source.sh ${name} ${suite} ${sha} ${dir}
    RESULT_VARIABLE failed OUTPUT_FILE ${log} ERROR_FILE ${log})
  if(failed)
    sluice_tail(${log} why)
    string(TOUPPER ${name} upper)
    message(FATAL_ERROR
      "${name} is needed and could not be fetched from the Debian archive:\n${why}\n"
      "Either let apt reach a Debian archive (and install dpkg-dev), or unpack its source yourself "
      "and pass -D${upper}_SOURCE=<dir> (or the environment variable ${upper}_SOURCE).")
  endif()
  file(TOUCH ${dir}.unpacked)
endfunction()

# sluice_tail(FILE OUT): the end of a log, for a message.
function(sluice_tail file out)
  file(READ ${file} text)
  string(LENGTH "${text}" length)
  if(length GREATER 2000)
    math(EXPR from "${length} - 2000")
    string(SUBSTRING "${text}" ${from} -1 text)
  endif()
  set(${out} "${text}" PARENT_SCOPE)
endfunction()

# sluice_step(LOG COMMAND...): one step of a library's build; a failure shows the end of its log.
function(sluice_step log)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE failed
    OUTPUT_VARIABLE text ERROR_VARIABLE text)
  file(APPEND ${log} "${text}")
  if(failed)
    sluice_tail(${log} why)
    string(REPLACE ";" " " command "${ARGN}")
    message(FATAL_ERROR "building a library failed: ${command}\n${why}\nThe whole log: ${log}")
  endif()
endfunction()

# sluice_deps_name(NAME VERSION OUT FILE...): the folder of a build, which depends on its recipe.
function(sluice_deps_name name version out)
  set(text "${CMAKE_SYSTEM_PROCESSOR}")
  foreach(file ${ARGN})
    file(SHA256 ${file} hash)
    string(APPEND text ${hash})
  endforeach()
  string(SHA256 hash "${text}")
  string(SUBSTRING ${hash} 0 10 hash)
  set(${out} ${SLUICE_DEPS_DIR}/${name}-${version}-${hash} PARENT_SCOPE)
endfunction()

# A source given by hand is told apart from others by its path and its version file.
function(sluice_given_name name source version_file out)
  if(NOT EXISTS ${source}/${version_file})
    message(FATAL_ERROR "${source} does not look like the source of ${name}: no ${version_file}")
  endif()
  file(SHA256 ${source}/${version_file} hash)
  string(SHA256 hash "${source}${hash}")
  string(SUBSTRING ${hash} 0 8 hash)
  set(${out} given.${hash} PARENT_SCOPE)
endfunction()

function(sluice_build_wolfssl out)
  set(recipe ${sluice_cmake_dir}/wolfssl/CMakeLists.txt ${sluice_cmake_dir}/wolfssl/user_settings.h)
  set(version 5.7.2)
  set(sha 0f2ed82e345b833242705bbc4b08a2a2037a33f7bf9c610efae6464f6b10e305)
  if(WOLFSSL_SOURCE)
    sluice_given_name(wolfSSL ${WOLFSSL_SOURCE} wolfssl/version.h version)
  endif()
  sluice_deps_name(wolfssl ${version} dir ${recipe})
  set(${out} ${dir} PARENT_SCOPE)
  file(LOCK ${SLUICE_DEPS_DIR} DIRECTORY GUARD FUNCTION TIMEOUT 1200)
  if(EXISTS ${dir}/complete)
    return()
  endif()
  if(WOLFSSL_SOURCE)
    set(source ${WOLFSSL_SOURCE})
  else()
    sluice_fetch(wolfssl trixie ${sha} source)
  endif()
  message(STATUS "wolfSSL ${version}: building it once, into ${dir}")
  file(REMOVE_RECURSE ${dir})
  file(MAKE_DIRECTORY ${dir}/include)
  set(log ${dir}/build.log)
  sluice_step(${log} ${CMAKE_COMMAND} -S ${sluice_cmake_dir}/wolfssl -B ${dir}/tmp
    -G ${CMAKE_GENERATOR} -DCMAKE_C_COMPILER=${sluice_deps_cc} -DCMAKE_BUILD_TYPE=Release
    -DCMAKE_C_FLAGS_RELEASE=-O2 -DCMAKE_ASM_FLAGS_RELEASE=-O2 -DSOURCE=${source})
  sluice_step(${log} ${CMAKE_COMMAND} --build ${dir}/tmp --parallel 4 --target wolfssl)
  file(COPY ${dir}/tmp/libwolfssl.a DESTINATION ${dir}/lib)
  file(COPY ${source}/wolfssl DESTINATION ${dir}/include FILES_MATCHING PATTERN "*.h")
  file(COPY ${sluice_cmake_dir}/wolfssl/user_settings.h DESTINATION ${dir}/include)
  file(REMOVE_RECURSE ${dir}/tmp)
  file(TOUCH ${dir}/complete)
endfunction()

function(sluice_build_liburing out)
  set(version 2.9)
  set(sha 57e9b36e4ac1e46b8e0351dfb1694dc59638fc25e384b4ba36d87b800b16db1a)
  if(LIBURING_SOURCE)
    sluice_given_name(liburing ${LIBURING_SOURCE} liburing.spec version)
  endif()
  sluice_deps_name(liburing ${version} dir)
  set(${out} ${dir} PARENT_SCOPE)
  file(LOCK ${SLUICE_DEPS_DIR} DIRECTORY GUARD FUNCTION TIMEOUT 1200)
  if(EXISTS ${dir}/complete)
    return()
  endif()
  if(LIBURING_SOURCE)
    set(source ${LIBURING_SOURCE})
  else()
    sluice_fetch(liburing trixie ${sha} source)
  endif()
  message(STATUS "liburing ${version}: building it once, into ${dir}")
  file(REMOVE_RECURSE ${dir})
  file(MAKE_DIRECTORY ${dir}/include)
  set(log ${dir}/build.log)
  # Its build writes into its source, so it gets a copy.
  file(COPY ${source}/ DESTINATION ${dir}/tmp)
  sluice_step(${log} ${CMAKE_COMMAND} -E chdir ${dir}/tmp ./configure --cc=${sluice_deps_cc})
  sluice_step(${log} make -C ${dir}/tmp/src liburing.a
    "CFLAGS=-O2 -g -fPIC -fno-omit-frame-pointer")
  file(COPY ${dir}/tmp/src/liburing.a DESTINATION ${dir}/lib)
  file(COPY ${dir}/tmp/src/include/ DESTINATION ${dir}/include FILES_MATCHING PATTERN "*.h")
  file(REMOVE_RECURSE ${dir}/tmp)
  file(TOUCH ${dir}/complete)
endfunction()

# One compiler for all presets, so that what is shared does not depend on who came first.
find_program(sluice_deps_cc NAMES gcc cc clang REQUIRED NO_CACHE)
file(MAKE_DIRECTORY ${SLUICE_DEPS_DIR})

# ---- wolfSSL. Debian's own lacks DTLS-SRTP or AES-NI, so `auto` looks for both.
if(NOT SLUICE_WOLFSSL STREQUAL bundled AND NOT WOLFSSL_SOURCE)
  pkg_check_modules(SYSTEM_WOLFSSL QUIET IMPORTED_TARGET wolfssl>=5.7.2)
  if(SYSTEM_WOLFSSL_FOUND)
    set(CMAKE_REQUIRED_LIBRARIES PkgConfig::SYSTEM_WOLFSSL)
    check_c_source_compiles("
      #include <wolfssl/options.h>
      #include <wolfssl/ssl.h>
      #if !defined(WOLFSSL_DTLS13) || !defined(WOLFSSL_SRTP) || !defined(HAVE_KEYING_MATERIAL) || \\
          !defined(WOLFSSL_CERT_GEN) || !defined(WOLFSSL_ALWAYS_VERIFY_CB) || \\
          !defined(WOLFSSL_AES_DIRECT) || !defined(WOLFSSL_AES_COUNTER) || !defined(HAVE_AES_ECB)
      #error a feature is missing
      #endif
      #if defined(__x86_64__) && !defined(WOLFSSL_AESNI)
      #error slow ciphers
      #endif
      int main(void) { return !wolfSSL_CTX_set_tlsext_use_srtp; }" SYSTEM_WOLFSSL_GOOD)
    unset(CMAKE_REQUIRED_LIBRARIES)
  endif()
endif()
if(SYSTEM_WOLFSSL_GOOD)
  message(STATUS "wolfSSL: the system's ${SYSTEM_WOLFSSL_VERSION}")
  add_library(Sluice::wolfssl INTERFACE IMPORTED)
  target_link_libraries(Sluice::wolfssl INTERFACE PkgConfig::SYSTEM_WOLFSSL)
  # Structures have the layout of the build only where its options are seen first.
  target_compile_options(Sluice::wolfssl INTERFACE "SHELL:-include wolfssl/options.h")
elseif(SLUICE_WOLFSSL STREQUAL system)
  message(FATAL_ERROR "the system's wolfSSL is missing, or lacks DTLS 1.3, DTLS-SRTP, the key "
    "exporter, certificate generation, raw AES or AES-NI. Leave SLUICE_WOLFSSL at auto.")
else()
  sluice_build_wolfssl(wolfssl_dir)
  message(STATUS "wolfSSL: ${wolfssl_dir}")
  add_library(Sluice::wolfssl STATIC IMPORTED)
  set_target_properties(Sluice::wolfssl PROPERTIES
    IMPORTED_LOCATION ${wolfssl_dir}/lib/libwolfssl.a
    INTERFACE_INCLUDE_DIRECTORIES ${wolfssl_dir}/include
    INTERFACE_COMPILE_DEFINITIONS WOLFSSL_USER_SETTINGS
    INTERFACE_LINK_LIBRARIES "m;Threads::Threads")
endif()

# ---- liburing. Debian 12 has 2.3, which lacks half of what a turn needs.
if(NOT SLUICE_LIBURING STREQUAL bundled AND NOT LIBURING_SOURCE)
  pkg_check_modules(SYSTEM_URING QUIET IMPORTED_TARGET liburing>=2.8)
endif()
if(SYSTEM_URING_FOUND)
  message(STATUS "liburing: the system's ${SYSTEM_URING_VERSION}")
  add_library(Sluice::uring INTERFACE IMPORTED)
  target_link_libraries(Sluice::uring INTERFACE PkgConfig::SYSTEM_URING)
elseif(SLUICE_LIBURING STREQUAL system)
  message(FATAL_ERROR "the system's liburing is missing or older than 2.8. "
    "Leave SLUICE_LIBURING at auto.")
else()
  sluice_build_liburing(uring_dir)
  message(STATUS "liburing: ${uring_dir}")
  add_library(Sluice::uring STATIC IMPORTED)
  set_target_properties(Sluice::uring PROPERTIES
    IMPORTED_LOCATION ${uring_dir}/lib/liburing.a
    INTERFACE_INCLUDE_DIRECTORIES ${uring_dir}/include)
endif()

# ---- From the system, as packaged.
function(sluice_packaged name module package)
  pkg_check_modules(SYSTEM_${name} QUIET IMPORTED_TARGET GLOBAL ${module})
  if(NOT SYSTEM_${name}_FOUND)
    message(FATAL_ERROR "${module} is missing. On Debian: apt-get install ${package}")
  endif()
  add_library(Sluice::${name} INTERFACE IMPORTED GLOBAL)
  target_link_libraries(Sluice::${name} INTERFACE PkgConfig::SYSTEM_${name})
endfunction()
sluice_packaged(srtp2 libsrtp2>=2.5 libsrtp2-dev)
sluice_packaged(jansson jansson>=2.13 libjansson-dev)
if(SLUICE_TESTS)
  sluice_packaged(check check>=0.15 check)
endif()

# ---- ipsec-mb: AES that is faster than wolfCrypt's where the processor has wide vector units.
# SLUICE_HAS_IPSEC_MB says what came of it. Debian's package has no pkg-config file.
set(SLUICE_IPSEC_MB OFF CACHE STRING "SRTP's AES from ipsec-mb: OFF, AUTO (if installed), ON")
set_property(CACHE SLUICE_IPSEC_MB PROPERTY STRINGS OFF AUTO ON)
set(SLUICE_HAS_IPSEC_MB FALSE)
string(TOUPPER "${SLUICE_IPSEC_MB}" sluice_ipsec_mb)
if(NOT sluice_ipsec_mb MATCHES "^(OFF|AUTO|ON)$")
  message(FATAL_ERROR "SLUICE_IPSEC_MB is OFF, AUTO or ON, not ${SLUICE_IPSEC_MB}")
endif()
if(NOT sluice_ipsec_mb STREQUAL OFF)
  find_library(IPSEC_MB_LIBRARY IPSec_MB)
  find_path(IPSEC_MB_INCLUDE_DIR intel-ipsec-mb.h)
  if(IPSEC_MB_LIBRARY AND IPSEC_MB_INCLUDE_DIR)
    set(CMAKE_REQUIRED_INCLUDES ${IPSEC_MB_INCLUDE_DIR})
    set(CMAKE_REQUIRED_LIBRARIES ${IPSEC_MB_LIBRARY})
    check_c_source_compiles("
      #include <intel-ipsec-mb.h>
      #if IMB_VERSION_NUM < IMB_VERSION(1, 3, 0)
      #error too old
      #endif
      int main(void) { return alloc_mb_mgr(0) == 0; }" SYSTEM_IPSEC_MB_GOOD)
    unset(CMAKE_REQUIRED_INCLUDES)
    unset(CMAKE_REQUIRED_LIBRARIES)
  endif()
  if(SYSTEM_IPSEC_MB_GOOD)
    message(STATUS "ipsec-mb: ${IPSEC_MB_LIBRARY}")
    set(SLUICE_HAS_IPSEC_MB TRUE)
    add_library(Sluice::ipsec_mb INTERFACE IMPORTED GLOBAL)
    target_include_directories(Sluice::ipsec_mb INTERFACE ${IPSEC_MB_INCLUDE_DIR})
    target_link_libraries(Sluice::ipsec_mb INTERFACE ${IPSEC_MB_LIBRARY})
  elseif(sluice_ipsec_mb STREQUAL ON)
    message(FATAL_ERROR "ipsec-mb >= 1.3 is missing. On Debian: apt-get install libipsec-mb-dev")
  else()
    message(STATUS "ipsec-mb: not found, SRTP's AES is wolfCrypt's")
  endif()
endif()
