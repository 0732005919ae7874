# Flags and the helpers that the folders' lists use.
#
# ncg_layer(NAME SOURCES... [LINK libs...])  one folder = one object library
# ncg_add_test(LAYER UNIT [LIBS libs...] [LABELS labels...] [SERIAL])
#   builds tests/LAYER/test_UNIT.c against ncg_testing, registers LAYER.UNIT

add_library(ncg_flags INTERFACE)
target_compile_features(ncg_flags INTERFACE c_std_11)
target_compile_definitions(ncg_flags INTERFACE _GNU_SOURCE
  NCG_VERSION_STRING="${PROJECT_VERSION}")
target_include_directories(ncg_flags INTERFACE
  ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
target_compile_options(ncg_flags INTERFACE
  -Wall -Wextra -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes
  -Wshadow -Wwrite-strings -Wvla -fvisibility=hidden -fno-strict-aliasing
  -ffp-contract=off -fno-math-errno -fno-trapping-math
  $<$<BOOL:${NCG_WERROR}>:-Werror>
  $<$<CONFIG:Release>:-O3>)
if(NCG_SANITIZE)
  target_compile_options(ncg_flags INTERFACE
    -fsanitize=${NCG_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(ncg_flags INTERFACE -fsanitize=${NCG_SANITIZE})
endif()
set(CMAKE_C_STANDARD 11)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# What each layer may see; the ctest layers.includes holds the sources to it.
function(ncg_layer name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  add_library(ncg_${name} OBJECT ${arg_SOURCES})
  target_link_libraries(ncg_${name} PUBLIC ncg_flags ${arg_LINK})
  set_property(GLOBAL APPEND PROPERTY NCG_LAYERS ncg_${name})
endfunction()

# ncg_add_test: a cmocka program for one unit; LIBS defaults to all layers.
function(ncg_add_test layer unit)
  cmake_parse_arguments(arg "SERIAL" "TIMEOUT" "LIBS;LABELS" ${ARGN})
  set(target test_${layer}_${unit})
  add_executable(${target} test_${unit}.c)
  if(NOT arg_LIBS)
    set(arg_LIBS ncg_testing)
  endif()
  target_link_libraries(${target} PRIVATE ${arg_LIBS} ncg_flags ncg_cmocka)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  add_test(NAME ${layer}.${unit} COMMAND ${target})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  set_tests_properties(${layer}.${unit} PROPERTIES
    LABELS "${layer};${arg_LABELS}" SKIP_RETURN_CODE 77 TIMEOUT ${arg_TIMEOUT}
    ENVIRONMENT "NCG_SHARED_DATA=${NCG_SHARED_DATA};NCG_REAL_DATA=${NCG_REAL_DATA}")
  if(arg_SERIAL)
    set_tests_properties(${layer}.${unit} PROPERTIES RUN_SERIAL ON)
  endif()
endfunction()
