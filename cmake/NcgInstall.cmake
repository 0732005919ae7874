# What users get: header, both libraries, and how to find them with pkg-config
# and with find_package(ncgraph). The command and its man page: src/cli.
include(CMakePackageConfigHelpers)

# The flags that a program needs beside libncgraph.a, from what the layers link;
# libncgraph.so names its libraries itself.
function(ncg_private_flags out)
  set(flags)
  foreach(layer IN LISTS layers)
    get_target_property(libs ${layer} INTERFACE_LINK_LIBRARIES)
    foreach(lib IN LISTS libs)
      string(REPLACE ncg_ "" name ${lib})
      if(${name}_LDFLAGS)
        list(APPEND flags ${${name}_LDFLAGS})
      elseif(${name}_LIBRARY)
        get_filename_component(folder ${${name}_LIBRARY} DIRECTORY)
        get_filename_component(file ${${name}_LIBRARY} NAME_WE)
        string(REGEX REPLACE "^lib" "-l" file ${file})
        list(APPEND flags -L${folder} ${file})
      endif()
    endforeach()
  endforeach()
  if(NCG_OPENMP)
    list(TRANSFORM OpenMP_C_LIB_NAMES PREPEND -l OUTPUT_VARIABLE openmp)
    list(APPEND flags ${openmp})
  endif()
  list(APPEND flags -lpthread -lm)
  if(NCG_SANITIZE)
    list(APPEND flags -fsanitize=${NCG_SANITIZE})
  endif()
  list(TRANSFORM CMAKE_C_IMPLICIT_LINK_DIRECTORIES PREPEND -L
    OUTPUT_VARIABLE implicit)
  list(REMOVE_ITEM flags ${implicit})
  list(REMOVE_DUPLICATES flags)
  set(${out} ${flags} PARENT_SCOPE)
endfunction()

ncg_private_flags(private)
foreach(flag IN LISTS private)
  target_link_libraries(ncgraph_static PUBLIC $<INSTALL_INTERFACE:${flag}>)
endforeach()
list(JOIN private " " NCG_LIBS_PRIVATE)

set(folder ${CMAKE_INSTALL_LIBDIR}/cmake/ncgraph)
file(RELATIVE_PATH NCG_PREFIX_FROM_PC
  /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(${PROJECT_SOURCE_DIR}/cmake/ncgraph.pc.in
  ${PROJECT_BINARY_DIR}/ncgraph.pc @ONLY)
configure_package_config_file(
  ${PROJECT_SOURCE_DIR}/cmake/ncgraphConfig.cmake.in
  ${PROJECT_BINARY_DIR}/ncgraphConfig.cmake INSTALL_DESTINATION ${folder}
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(
  ${PROJECT_BINARY_DIR}/ncgraphConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)

install(TARGETS ncgraph ncgraph_static EXPORT ncgraph ARCHIVE LIBRARY)
install(FILES ${PROJECT_SOURCE_DIR}/include/ncgraph.h TYPE INCLUDE)
install(EXPORT ncgraph NAMESPACE ncgraph:: FILE ncgraphTargets.cmake
  DESTINATION ${folder})
install(FILES ${PROJECT_BINARY_DIR}/ncgraphConfig.cmake
  ${PROJECT_BINARY_DIR}/ncgraphConfigVersion.cmake DESTINATION ${folder})
install(FILES ${PROJECT_BINARY_DIR}/ncgraph.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
