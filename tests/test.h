/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_TESTS_TEST_H
#define NCG_TESTS_TEST_H
/* What every test program includes: cmocka and checks that print the error. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ncgraph.h"

/* A function under test reports into `ncg_error err` of the caller. */
#define CHECK_OK(expr)                                                         \
    do {                                                                       \
        err.message[0] = '\0';                                                 \
        ncg_status check_st_ = (expr);                                         \
        if (check_st_)                                                         \
            fail_msg("%s: %s: %s", #expr, ncg_status_name(check_st_),          \
                     err.message);                                             \
    } while (0)
#define CHECK_STATUS(expected, expr)                                           \
    do {                                                                       \
        err.message[0] = '\0';                                                 \
        ncg_status check_st_ = (expr);                                         \
        if (check_st_ != (expected))                                           \
            fail_msg("%s: got %s, not %s: %s", #expr,                          \
                     ncg_status_name(check_st_), ncg_status_name(expected),    \
                     err.message);                                             \
    } while (0)
/* CHECK_MESSAGE: the error names what the user must know. */
#define CHECK_MESSAGE(part)                                                    \
    do {                                                                       \
        if (!strstr(err.message, part))                                        \
            fail_msg("message lacks \"%s\": %s", part, err.message);           \
    } while (0)
#define CHECK_NEAR(a, b, relative)                                             \
    do {                                                                       \
        double check_a_ = (a), check_b_ = (b);                                 \
        if (!(fabs(check_a_ - check_b_) <= (relative)*fabs(check_b_)) &&       \
            !(isnan(check_a_) && isnan(check_b_)))                             \
            fail_msg("%s is %.17g, not %.17g", #a, check_a_, check_b_);        \
    } while (0)

/* NCG_TESTS(unit, name...): main that runs all, or those matching argv[1]. */
#define NCG_TEST(name) cmocka_unit_test(name)
#define NCG_TESTS(...)                                                         \
    int main(int argc, char **argv)                                            \
    {                                                                          \
        const struct CMUnitTest tests[] = {__VA_ARGS__};                       \
        if (argc > 1)                                                          \
            cmocka_set_test_filter(argv[1]);                                   \
        return cmocka_run_group_tests(tests, NULL, NULL);                      \
    }

/* test_data returns NCG_SHARED_DATA/name in a static buffer, or NULL when the
 * file is not there. */
static inline const char *test_data(const char *variable, const char *name)
{
    static char path[4096];
    const char *root = getenv(variable);
    if (!root)
        return NULL;
    snprintf(path, sizeof path, "%s/%s", root, name);
    return access(path, R_OK) ? NULL : path;
}

#endif
