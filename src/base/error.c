/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATUS_CASE_NAME(name, value, code, text)                              \
    case NCG_##name:                                                           \
        return #name;
#define STATUS_CASE_TEXT(name, value, code, text)                              \
    case NCG_##name:                                                           \
        return text;
#define STATUS_CASE_CODE(name, value, code, text)                              \
    case NCG_##name:                                                           \
        return code;

const char *ncg_status_name(ncg_status status)
{
    switch (status) {
        NCG_STATUS_MAP(STATUS_CASE_NAME)
    }
    return "EBUG";
}

const char *ncg_status_text(ncg_status status)
{
    switch (status) {
        NCG_STATUS_MAP(STATUS_CASE_TEXT)
    }
    return "internal error";
}

int ncg_status_exit_code(ncg_status status)
{
    switch (status) {
        NCG_STATUS_MAP(STATUS_CASE_CODE)
    }
    return 8;
}

static void fill(ncg_error *err, ncg_status status, int sys, const char *format,
                 va_list args)
{
    if (!err)
        return;
    err->status = status;
    err->sys = sys;
    err->rank = -1;
    vsnprintf(err->message, sizeof err->message, format, args);
}

ncg_status nci_fail(ncg_error *err, ncg_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(err, status, 0, format, args);
    va_end(args);
    return status;
}

ncg_status nci_fail_sys(ncg_error *err, ncg_status status, int sys,
                        const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(err, status, sys, format, args);
    va_end(args);
    return status;
}

ncg_status nci_error_wrap(ncg_error *err, const char *format, ...)
{
    if (!err)
        return NCG_EBUG;
    char old[sizeof err->message];
    memcpy(old, err->message, sizeof old);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    size_t used = n < 0 ? 0 : (size_t)n;
    if (used + 3 < sizeof err->message) {
        memcpy(err->message + used, ": ", 2);
        size_t room = sizeof err->message - used - 2;
        memmove(err->message + used + 2, old, room);
        err->message[sizeof err->message - 1] = '\0';
    }
    return err->status;
}

ncg_status nci_from_errno(int errnum)
{
    switch (errnum) {
    case 0:
        return NCG_OK;
    case ENOENT:
    case ENOTDIR:
        return NCG_ENOTFOUND;
    case ENOMEM:
        return NCG_ENOMEM;
    case EEXIST:
        return NCG_EEXISTS;
    case ENOSPC:
    case EROFS:
    case EDQUOT:
        return NCG_EOUTPUT;
    default:
        return NCG_EIO;
    }
}

void nci_error_clear(ncg_error *err)
{
    if (!err)
        return;
    err->status = NCG_OK;
    err->sys = 0;
    err->rank = -1;
    err->message[0] = '\0';
}

#ifndef NDEBUG
void nci_assert_failed(const char *cond, const char *file, int line)
{
    fprintf(stderr, "ncgraph: %s:%d: assertion failed: %s\n", file, line, cond);
    abort();
}
#endif
