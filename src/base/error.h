/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_BASE_ERROR_H
#define NCI_BASE_ERROR_H
/*
 * Status and error text. The text is set once, where a failure is detected;
 * callers at a layer's border may put context in front of it.
 */
#include "ncgraph.h"

/* nci_fail sets *err (which may be NULL) and returns `status`. */
ncg_status nci_fail(ncg_error *err, ncg_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* nci_fail_sys is nci_fail with errno or a library's code beside it. */
ncg_status nci_fail_sys(ncg_error *err, ncg_status status, int sys,
                        const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* nci_error_wrap puts "context: " in front of the message; returns the status.
 */
ncg_status nci_error_wrap(ncg_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* nci_from_errno maps an errno value of reading to a status. */
ncg_status nci_from_errno(int errnum);
/* nci_error_clear makes *err a success. */
void nci_error_clear(ncg_error *err);

/* NCI_TRY returns on failure. Legal only while the function owns nothing. */
#define NCI_TRY(expr)                                                          \
    do {                                                                       \
        ncg_status nci_try_status_ = (expr);                                   \
        if (nci_try_status_)                                                   \
            return nci_try_status_;                                            \
    } while (0)

/* NCI_ASSERT stops on programmer errors; off in plain release builds. */
#ifdef NDEBUG
#define NCI_ASSERT(cond) ((void)sizeof(cond))
#else
void nci_assert_failed(const char *cond, const char *file, int line)
    __attribute__((noreturn));
#define NCI_ASSERT(cond)                                                       \
    ((cond) ? (void)0 : nci_assert_failed(#cond, __FILE__, __LINE__))
#endif

#endif
