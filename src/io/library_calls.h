/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_IO_LIBRARY_CALLS_H
#define NCI_IO_LIBRARY_CALLS_H
/*
 * NetCDF-C and HDF5 for the files that call them: include this instead of
 * their headers. Both are loaded when first needed (nci_library_load): they
 * bring some forty other libraries along, for remote data that nobody here
 * asks for, and what the direct readers do needs none of them. A call to a
 * function of the lists goes through a table that loading fills; one that is
 * missing from the lists does not link.
 */
#include <hdf5.h>
#include <netcdf.h>
#include <netcdf_filter.h>

/* clang-format off */
#define NCI_NETCDF_CALLS(X)                                                    \
    X(nc_close) X(nc_create) X(nc_def_dim) X(nc_def_grp) X(nc_def_var)         \
    X(nc_def_var_chunking) X(nc_def_var_deflate) X(nc_def_var_fill)            \
    X(nc_enddef) X(nc_free_string) X(nc_get_att) X(nc_get_att_string)          \
    X(nc_get_att_text) X(nc_get_vara) X(nc_get_vara_string) X(nc_inq_att)      \
    X(nc_inq_attname) X(nc_inq_dim) X(nc_inq_dimids) X(nc_inq_format)          \
    X(nc_inq_format_extended) X(nc_inq_grp_full_ncid) X(nc_inq_grp_ncid)       \
    X(nc_inq_grpname) X(nc_inq_grps) X(nc_inq_natts) X(nc_inq_unlimdims)       \
    X(nc_inq_type) X(nc_inq_user_type) X(nc_inq_var) X(nc_inq_var_chunking)    \
    X(nc_inq_var_deflate) X(nc_inq_var_endian) X(nc_inq_var_fill)              \
    X(nc_inq_var_filter_ids) X(nc_inq_var_filter_info)                         \
    X(nc_inq_var_fletcher32) X(nc_inq_varid) X(nc_inq_varids)                  \
    X(nc_inq_varnatts) X(nc_open) X(nc_put_att) X(nc_put_att_string)           \
    X(nc_put_att_text) X(nc_put_vara) X(nc_redef) X(nc_set_fill)               \
    X(nc_strerror)
#define NCI_HDF5_CALLS(X)                                                      \
    X(H5check_version) X(H5open) X(H5Dclose) X(H5Dget_space) X(H5Dget_type)    \
    X(H5Dopen2) X(H5Dset_extent) X(H5Dwrite) X(H5Dwrite_chunk)                 \
    X(H5Eset_auto2) X(H5Ewalk2) X(H5Fclose) X(H5Fflush) X(H5Fget_filesize)     \
    X(H5Fopen) X(H5Lexists) X(H5Sclose) X(H5Screate) X(H5Screate_simple)       \
    X(H5Sget_simple_extent_ndims) X(H5Sselect_hyperslab) X(H5Tclose)           \
    X(H5Zfilter_avail)
/* clang-format on */

#define NCI_LIBRARY_MEMBER(name) __typeof__(&(name)) call_##name;
typedef struct nci_netcdf_table {
    NCI_NETCDF_CALLS(NCI_LIBRARY_MEMBER)
} nci_netcdf_table;

typedef struct nci_hdf5_table {
    NCI_HDF5_CALLS(NCI_LIBRARY_MEMBER)
} nci_hdf5_table;
#undef NCI_LIBRARY_MEMBER

/* Filled by nci_library_load, constant from then on. */
extern nci_netcdf_table nci_netcdf;
extern nci_hdf5_table nci_hdf5;

#define nc_close (nci_netcdf.call_nc_close)
#define nc_create (nci_netcdf.call_nc_create)
#define nc_def_dim (nci_netcdf.call_nc_def_dim)
#define nc_def_grp (nci_netcdf.call_nc_def_grp)
#define nc_def_var (nci_netcdf.call_nc_def_var)
#define nc_def_var_chunking (nci_netcdf.call_nc_def_var_chunking)
#define nc_def_var_deflate (nci_netcdf.call_nc_def_var_deflate)
#define nc_def_var_fill (nci_netcdf.call_nc_def_var_fill)
#define nc_enddef (nci_netcdf.call_nc_enddef)
#define nc_free_string (nci_netcdf.call_nc_free_string)
#define nc_get_att (nci_netcdf.call_nc_get_att)
#define nc_get_att_string (nci_netcdf.call_nc_get_att_string)
#define nc_get_att_text (nci_netcdf.call_nc_get_att_text)
#define nc_get_vara (nci_netcdf.call_nc_get_vara)
#define nc_get_vara_string (nci_netcdf.call_nc_get_vara_string)
#define nc_inq_att (nci_netcdf.call_nc_inq_att)
#define nc_inq_attname (nci_netcdf.call_nc_inq_attname)
#define nc_inq_dim (nci_netcdf.call_nc_inq_dim)
#define nc_inq_dimids (nci_netcdf.call_nc_inq_dimids)
#define nc_inq_format (nci_netcdf.call_nc_inq_format)
#define nc_inq_format_extended (nci_netcdf.call_nc_inq_format_extended)
#define nc_inq_grp_full_ncid (nci_netcdf.call_nc_inq_grp_full_ncid)
#define nc_inq_grp_ncid (nci_netcdf.call_nc_inq_grp_ncid)
#define nc_inq_grpname (nci_netcdf.call_nc_inq_grpname)
#define nc_inq_grps (nci_netcdf.call_nc_inq_grps)
#define nc_inq_natts (nci_netcdf.call_nc_inq_natts)
#define nc_inq_unlimdims (nci_netcdf.call_nc_inq_unlimdims)
#define nc_inq_type (nci_netcdf.call_nc_inq_type)
#define nc_inq_user_type (nci_netcdf.call_nc_inq_user_type)
#define nc_inq_var (nci_netcdf.call_nc_inq_var)
#define nc_inq_var_chunking (nci_netcdf.call_nc_inq_var_chunking)
#define nc_inq_var_deflate (nci_netcdf.call_nc_inq_var_deflate)
#define nc_inq_var_endian (nci_netcdf.call_nc_inq_var_endian)
#define nc_inq_var_fill (nci_netcdf.call_nc_inq_var_fill)
#define nc_inq_var_filter_ids (nci_netcdf.call_nc_inq_var_filter_ids)
#define nc_inq_var_filter_info (nci_netcdf.call_nc_inq_var_filter_info)
#define nc_inq_var_fletcher32 (nci_netcdf.call_nc_inq_var_fletcher32)
#define nc_inq_varid (nci_netcdf.call_nc_inq_varid)
#define nc_inq_varids (nci_netcdf.call_nc_inq_varids)
#define nc_inq_varnatts (nci_netcdf.call_nc_inq_varnatts)
#define nc_open (nci_netcdf.call_nc_open)
#define nc_put_att (nci_netcdf.call_nc_put_att)
#define nc_put_att_string (nci_netcdf.call_nc_put_att_string)
#define nc_put_att_text (nci_netcdf.call_nc_put_att_text)
#define nc_put_vara (nci_netcdf.call_nc_put_vara)
#define nc_redef (nci_netcdf.call_nc_redef)
#define nc_set_fill (nci_netcdf.call_nc_set_fill)
#define nc_strerror (nci_netcdf.call_nc_strerror)
#define H5check_version (nci_hdf5.call_H5check_version)
#define H5open (nci_hdf5.call_H5open)
#define H5Dclose (nci_hdf5.call_H5Dclose)
#define H5Dget_space (nci_hdf5.call_H5Dget_space)
#define H5Dget_type (nci_hdf5.call_H5Dget_type)
#define H5Dopen2 (nci_hdf5.call_H5Dopen2)
#define H5Dset_extent (nci_hdf5.call_H5Dset_extent)
#define H5Dwrite (nci_hdf5.call_H5Dwrite)
#define H5Dwrite_chunk (nci_hdf5.call_H5Dwrite_chunk)
#define H5Eset_auto2 (nci_hdf5.call_H5Eset_auto2)
#define H5Ewalk2 (nci_hdf5.call_H5Ewalk2)
#define H5Fclose (nci_hdf5.call_H5Fclose)
#define H5Fflush (nci_hdf5.call_H5Fflush)
#define H5Fget_filesize (nci_hdf5.call_H5Fget_filesize)
#define H5Fopen (nci_hdf5.call_H5Fopen)
#define H5Lexists (nci_hdf5.call_H5Lexists)
#define H5Sclose (nci_hdf5.call_H5Sclose)
#define H5Screate (nci_hdf5.call_H5Screate)
#define H5Screate_simple (nci_hdf5.call_H5Screate_simple)
#define H5Sget_simple_extent_ndims (nci_hdf5.call_H5Sget_simple_extent_ndims)
#define H5Sselect_hyperslab (nci_hdf5.call_H5Sselect_hyperslab)
#define H5Tclose (nci_hdf5.call_H5Tclose)
#define H5Zfilter_avail (nci_hdf5.call_H5Zfilter_avail)

#endif
