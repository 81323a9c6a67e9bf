# Compiler options for our own targets, carried by the interface target unbraid_options.
add_library(unbraid_options INTERFACE)
target_include_directories(unbraid_options INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
target_compile_options(unbraid_options INTERFACE
  -Wall -Wextra -Wshadow -Wno-missing-field-initializers
  -fno-math-errno -fno-trapping-math)  # sqrt and comparisons vectorise; IEEE results stay as they are
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(unbraid_options INTERFACE -Wno-restrict)  # GCC 12 warns of "text" + std::string (its bug 105651)
endif()
if(UNBRAID_NATIVE)
  target_compile_options(unbraid_options INTERFACE -march=native)
endif()
if(UNBRAID_SANITIZE)
  # -O1: at -O2 GCC takes minutes over a file full of Eigen expressions with a check at every access.
  target_compile_options(unbraid_options INTERFACE -O1 -g1 -fsanitize=${UNBRAID_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(unbraid_options INTERFACE -fsanitize=${UNBRAID_SANITIZE})
endif()
if(UNBRAID_FUZZ)
  target_compile_options(unbraid_options INTERFACE -fsanitize=fuzzer-no-link,address,undefined
    -fno-sanitize-recover=undefined)
  target_link_options(unbraid_options INTERFACE -fsanitize=address,undefined)
endif()

# ccache and precompiled headers do not go together well: with ccache a second build is faster without them.
find_program(UNBRAID_CCACHE ccache)
if(UNBRAID_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}
      CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=pch_defines,time_macros ${UNBRAID_CCACHE})
endif()
