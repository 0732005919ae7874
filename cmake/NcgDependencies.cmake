# Every library from outside, one INTERFACE target each; docs/dependencies.md
# says what each is for. HDF5 is the serial one: libnetcdf links it, and a
# parallel libhdf5 may be installed beside it.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

function(ncg_pkg name)
  pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${ARGN})
  add_library(ncg_${name} INTERFACE)
  target_link_libraries(ncg_${name} INTERFACE PkgConfig::${name})
endfunction()

ncg_pkg(netcdf netcdf)
pkg_search_module(hdf5 REQUIRED IMPORTED_TARGET hdf5-serial hdf5)
add_library(ncg_hdf5 INTERFACE)
target_link_libraries(ncg_hdf5 INTERFACE PkgConfig::hdf5)

# The layers do not link these two but load them when they are needed (src/io/
# library_calls.h): from the folder where they were found, by the name under
# which programs that link them would look for them.
find_program(READELF NAMES ${CMAKE_READELF} readelf REQUIRED)
function(ncg_soname name folder_out soname_out)
  list(GET ${name}_LINK_LIBRARIES 0 library)
  if(NOT IS_ABSOLUTE "${library}")
    list(GET ${name}_LIBRARIES 0 base)
    find_library(${name}_FILE NAMES ${base} HINTS ${${name}_LIBRARY_DIRS}
      REQUIRED)
    set(library ${${name}_FILE})
  endif()
  file(REAL_PATH ${library} library)
  execute_process(COMMAND ${READELF} -d ${library} OUTPUT_VARIABLE dynamic
    COMMAND_ERROR_IS_FATAL ANY)
  if(NOT dynamic MATCHES "SONAME[^[]*\\[([^]]+)\\]")
    message(FATAL_ERROR "${library} is no shared library; ncgraph loads it")
  endif()
  set(${soname_out} ${CMAKE_MATCH_1} PARENT_SCOPE)
  get_filename_component(folder ${library} DIRECTORY)
  set(${folder_out} ${folder} PARENT_SCOPE)
endfunction()
ncg_soname(netcdf netcdf_FOLDER netcdf_SONAME)
ncg_soname(hdf5 hdf5_FOLDER hdf5_SONAME)
add_library(ncg_library_headers INTERFACE)
target_include_directories(ncg_library_headers SYSTEM INTERFACE
  ${netcdf_INCLUDE_DIRS} ${hdf5_INCLUDE_DIRS})
target_compile_options(ncg_library_headers INTERFACE
  ${netcdf_CFLAGS_OTHER} ${hdf5_CFLAGS_OTHER})
target_compile_definitions(ncg_library_headers INTERFACE
  NCG_NETCDF_FOLDER="${netcdf_FOLDER}" NCG_NETCDF_SONAME="${netcdf_SONAME}"
  NCG_HDF5_FOLDER="${hdf5_FOLDER}" NCG_HDF5_SONAME="${hdf5_SONAME}")
target_link_libraries(ncg_library_headers INTERFACE ${CMAKE_DL_LIBS})

ncg_pkg(blosc blosc)
ncg_pkg(deflate libdeflate)
ncg_pkg(zstd libzstd)
ncg_pkg(lz4 liblz4)
ncg_pkg(xxhash libxxhash)
ncg_pkg(jansson jansson)
ncg_pkg(libuv libuv)
ncg_pkg(openssl openssl>=3)
# The C library of MessagePack was called msgpack before version 6.
pkg_search_module(msgpack REQUIRED IMPORTED_TARGET msgpack-c msgpack)
add_library(ncg_msgpack INTERFACE)
target_link_libraries(ncg_msgpack INTERFACE PkgConfig::msgpack)
# For the modules that processes of a cluster load.
ncg_pkg(microhttpd libmicrohttpd)
ncg_pkg(pmix pmix)
ncg_pkg(hwloc hwloc)
pkg_search_module(mpi REQUIRED IMPORTED_TARGET ompi-c mpi-c mpi mpich)
add_library(ncg_mpi INTERFACE)
target_link_libraries(ncg_mpi INTERFACE PkgConfig::mpi)
if(NCG_TESTS OR NCG_FUZZ)
  ncg_pkg(cmocka cmocka)
endif()

# libaec and UDUNITS-2 ship no pkg-config file in Debian 12.
function(ncg_lib name header library)
  find_path(${name}_INCLUDE ${header} REQUIRED)
  find_library(${name}_LIBRARY ${library} REQUIRED)
  add_library(ncg_${name} INTERFACE)
  target_include_directories(ncg_${name} SYSTEM INTERFACE ${${name}_INCLUDE})
  target_link_libraries(ncg_${name} INTERFACE ${${name}_LIBRARY})
endfunction()
ncg_lib(aec libaec.h aec)
ncg_lib(udunits udunits2.h udunits2)

add_library(ncg_openmp INTERFACE)
if(NCG_OPENMP)
  find_package(OpenMP REQUIRED COMPONENTS C)
  target_link_libraries(ncg_openmp INTERFACE OpenMP::OpenMP_C)
endif()
add_library(ncg_threads INTERFACE)
target_link_libraries(ncg_threads INTERFACE Threads::Threads m)
