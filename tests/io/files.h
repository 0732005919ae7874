/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_TESTS_IO_FILES_H
#define NCG_TESTS_IO_FILES_H
/* Files that a test writes through NetCDF-C, and whole files as bytes. */
#include "test.h"

#include <netcdf.h>
#include <unistd.h>

#define NC(call)                                                               \
    do {                                                                       \
        int nc_code_ = (call);                                                 \
        if (nc_code_)                                                          \
            fail_msg("%s: %s", #call, nc_strerror(nc_code_));                  \
    } while (0)

/* slurp reads a file; the caller frees it. */
static inline char *slurp(const char *path, size_t *nbytes)
{
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    fseek(in, 0, SEEK_END);
    *nbytes = (size_t)ftell(in);
    rewind(in);
    char *bytes = malloc(*nbytes + 1);
    assert_int_equal(fread(bytes, 1, *nbytes, in), *nbytes);
    fclose(in);
    return bytes;
}

static inline void spit(const char *path, const void *bytes, size_t nbytes)
{
    unlink(path); /* truncating would make the file system flush */
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, nbytes, out), nbytes);
    fclose(out);
}

#endif
