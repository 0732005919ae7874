/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NetCDF-C and HDF5 as Debian builds them are not safe for threads: every call
 * of either, reading or writing, happens under the one mutex of this file.
 * HDF5's own printing of errors is switched off for each thread that enters
 * (builds for threads keep one error stack a thread).
 */
#include "io/library.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "io/library_calls.h"

static pthread_mutex_t library = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local bool is_quiet;

/* ---- loading ------------------------------------------------------------- */

nci_netcdf_table nci_netcdf;
nci_hdf5_table nci_hdf5;

typedef struct call {
    const char *name;
    size_t offset; /* in the table */
} call;

#define NETCDF_CALL(name) {#name, offsetof(nci_netcdf_table, call_##name)},
#define HDF5_CALL(name) {#name, offsetof(nci_hdf5_table, call_##name)},
static const call netcdf_calls[] = {NCI_NETCDF_CALLS(NETCDF_CALL)};
static const call hdf5_calls[] = {NCI_HDF5_CALLS(HDF5_CALL)};

static struct {
    pthread_once_t once;
    atomic_bool is_loaded; /* looked at by threads that never loaded */
    char why[300];
} load = {.once = PTHREAD_ONCE_INIT};

/* The first reason is kept: what fails after it may have no other. */
static void keep_why(void)
{
    const char *why = dlerror();
    if (why && !load.why[0])
        snprintf(load.why, sizeof load.why, "%s", why);
}

/* Where it was when this was built, else wherever the system keeps it. It is
 * never closed: HDF5 has work to do when the process ends. */
static void *open_library(const char *folder, const char *name)
{
    char path[1000];
    int n = snprintf(path, sizeof path, "%s/%s", folder, name);
    void *handle = NULL;
    if (n > 0 && (size_t)n < sizeof path)
        handle = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
    if (!handle)
        handle = dlopen(name, RTLD_LAZY | RTLD_LOCAL);
    if (!handle)
        keep_why();
    return handle;
}

static bool fill_table(void *handle, const call *calls, size_t n, void *table)
{
    for (size_t i = 0; handle && i < n; i++) {
        void *function = dlsym(handle, calls[i].name);
        if (!function) {
            keep_why();
            return false;
        }
        memcpy((char *)table + calls[i].offset, &function, sizeof function);
    }
    return handle;
}

static void load_both(void)
{
    void *hdf5 = open_library(NCG_HDF5_FOLDER, NCG_HDF5_SONAME);
    void *netcdf = open_library(NCG_NETCDF_FOLDER, NCG_NETCDF_SONAME);
    load.is_loaded =
        fill_table(hdf5, hdf5_calls, sizeof hdf5_calls / sizeof *hdf5_calls,
                   &nci_hdf5) &&
        fill_table(netcdf, netcdf_calls,
                   sizeof netcdf_calls / sizeof *netcdf_calls, &nci_netcdf);
}

ncg_status nci_library_load(ncg_error *err)
{
    pthread_once(&load.once, load_both);
    if (load.is_loaded)
        return NCG_OK;
    return nci_fail(err, NCG_EUNSUPPORTED,
                    "NetCDF-C cannot be loaded: %s; install libnetcdf, or "
                    "allow more memory",
                    load.why);
}

/* ---- the mutex ----------------------------------------------------------- */

ncg_status nci_library_enter(ncg_error *err)
{
    NCI_TRY(nci_library_load(err));
    nci_library_lock();
    return NCG_OK;
}

void nci_library_lock(void)
{
    pthread_mutex_lock(&library);
    if (!is_quiet && load.is_loaded) {
        H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
        is_quiet = true;
    }
    /* NetCDF-C takes what is left there for the reason of a short read. */
    errno = 0;
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
