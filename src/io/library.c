/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NetCDF-C and HDF5 as Debian builds them are not safe for threads: every call
 * of either, reading or writing, happens under the one mutex of this file.
 * HDF5's own printing of errors is switched off for each thread that enters
 * (builds for threads keep one error stack a thread).
 */
#include "io/library.h"

#include <hdf5.h>
#include <netcdf.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

static pthread_mutex_t library = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local bool is_quiet;

void nci_library_lock(void)
{
    pthread_mutex_lock(&library);
    if (!is_quiet) {
        H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
        is_quiet = true;
    }
}

void nci_library_unlock(void)
{
    pthread_mutex_unlock(&library);
}

ncg_status nci_from_netcdf(int code)
{
    if (code > 0)
        return nci_from_errno(code);
    switch (code) {
    case NC_NOERR:
        return NCG_OK;
    case NC_ENOMEM:
        return NCG_ENOMEM;
    case NC_ENOTNC:
    case NC_ENOTNC4:
    case NC_EBADTYPE:
    case NC_ENOTBUILT:
    case NC_ENOFILTER:
    case NC_EFILTER:
        return NCG_EUNSUPPORTED;
    case NC_ENOTFOUND:
        return NCG_ENOTFOUND;
    case NC_EHDFERR:
    case NC_ETRUNC:
    case NC_EVARSIZE:
    case NC_EDIMSIZE:
    case NC_EINVALCOORDS:
    case NC_EEDGE:
        return NCG_ECORRUPT;
    case NC_EINVAL:
        return NCG_EINVAL;
    default:
        return NCG_EIO;
    }
}

ncg_status nci_fail_netcdf(ncg_error *err, int code, const char *format, ...)
{
    char what[400];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return nci_fail_sys(err, nci_from_netcdf(code), code, "%s: %s", what,
                        nc_strerror(code));
}
