/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_IO_LIBRARY_H
#define NCI_IO_LIBRARY_H
/* NetCDF-C and HDF5: loaded when first needed, called under one mutex; their
 * codes as statuses. */
#include "base/error.h"

/* nci_library_load loads both, once; any thread. EUNSUPPORTED names what the
 * dynamic linker misses. */
ncg_status nci_library_load(ncg_error *err);
/* nci_library_enter loads and locks; on failure the mutex is not taken. */
ncg_status nci_library_enter(ncg_error *err);
/* nci_library_lock is for who knows that they were loaded, or calls nothing if
 * they were not. */
void nci_library_lock(void);
void nci_library_unlock(void);
/* nci_from_netcdf maps a NetCDF-C code; message from nc_strerror. */
ncg_status nci_from_netcdf(int code);
ncg_status nci_fail_netcdf(ncg_error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
