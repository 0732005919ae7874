/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UDUNITS-2 behind one mutex. Errors of the library are not printed: an
 * unknown unit is an answer, not a failure.
 */
#include "dataset/units.h"

#include <pthread.h>
#include <string.h>
#include <udunits2.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static ut_system *unit_system; /* guarded by lock */
static bool is_loaded;         /* guarded by lock: tried once */

static ut_unit *parse_locked(const char *text)
{
    if (!is_loaded) {
        ut_set_error_message_handler(ut_ignore);
        unit_system = ut_read_xml(NULL);
        is_loaded = true;
    }
    return unit_system ? ut_parse(unit_system, text, UT_UTF8) : NULL;
}

typedef bool (*test_fn)(ut_unit *a, ut_unit *b);

static bool test_pair(const char *a, const char *b, test_fn test)
{
    pthread_mutex_lock(&lock);
    ut_unit *x = parse_locked(a), *y = parse_locked(b);
    bool answer = x && y && test(x, y);
    ut_free(x);
    ut_free(y);
    pthread_mutex_unlock(&lock);
    return answer;
}

static bool is_same(ut_unit *a, ut_unit *b)
{
    return ut_compare(a, b) == 0;
}

static bool is_convertible(ut_unit *a, ut_unit *b)
{
    return ut_are_convertible(a, b) != 0;
}

bool nci_units_equal(const char *a, const char *b)
{
    if (!a || !b)
        return a == b;
    return !strcmp(a, b) || test_pair(a, b, is_same);
}

bool nci_units_convertible(const char *a, const char *b)
{
    return a && b && test_pair(a, b, is_convertible);
}

bool nci_units_seconds(const char *text, double *seconds)
{
    bool known = false;
    pthread_mutex_lock(&lock);
    ut_unit *unit = parse_locked(text), *second = parse_locked("second");
    if (unit && second && ut_are_convertible(unit, second)) {
        cv_converter *converter = ut_get_converter(unit, second);
        if (converter) {
            *seconds = cv_convert_double(converter, 1.0);
            cv_free(converter);
            known = true;
        }
    }
    ut_free(unit);
    ut_free(second);
    pthread_mutex_unlock(&lock);
    return known;
}

void nci_units_release(void)
{
    pthread_mutex_lock(&lock);
    if (unit_system)
        ut_free_system(unit_system);
    unit_system = NULL;
    is_loaded = false;
    pthread_mutex_unlock(&lock);
}
