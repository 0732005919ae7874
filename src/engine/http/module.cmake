add_library(ncgraph_http MODULE http/module_microhttpd.c)
target_link_libraries(ncgraph_http PRIVATE ncg_flags ncg_microhttpd)
set_target_properties(ncgraph_http PROPERTIES PREFIX "" SUFFIX ".so"
  LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/src)
install(TARGETS ncgraph_http LIBRARY
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/ncgraph)
