/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_IO_LIBRARY_H
#define NCI_IO_LIBRARY_H
/* The one mutex around NetCDF-C and HDF5, and their codes as statuses. */
#include "base/error.h"

void nci_library_lock(void);
void nci_library_unlock(void);
/* nci_from_netcdf maps a NetCDF-C code; message from nc_strerror. */
ncg_status nci_from_netcdf(int code);
ncg_status nci_fail_netcdf(ncg_error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
