# ncgraph_launch.so and ncgraph_launch_mpi.so: nothing of the library but the
# header launch/module.h.
function(ncg_launch_module name source)
  add_library(${name} MODULE launch/${source})
  target_link_libraries(${name} PRIVATE ncg_flags ${ARGN})
  set_target_properties(${name} PROPERTIES PREFIX "" SUFFIX ".so"
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/src)
  install(TARGETS ${name} LIBRARY
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/ncgraph)
endfunction()
ncg_launch_module(ncgraph_launch module_pmix.c ncg_pmix ncg_hwloc)
ncg_launch_module(ncgraph_launch_mpi module_mpi.c ncg_mpi)
