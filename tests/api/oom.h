/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_TESTS_API_OOM_H
#define NCG_TESTS_API_OOM_H
/* Memory that runs out at the first allocation, then at the second, and so on
 * until nothing fails any more: always ENOMEM, and a step looks for itself that
 * outputs are untouched; the address sanitizer adds: no leak. */
#include "base/mem.h"
#include "test.h"

enum { OOM_MANY = 100000, OOM_CALM = 4 }; /* successes in a row that end it */

typedef ncg_status (*oom_step)(void *bed, ncg_error *err);

static inline void fail_each_allocation(const char *name, oom_step step,
                                        void *bed)
{
    ncg_error err;
    int64_t n = 1, failures = 0;
    for (int calm = 0; calm < OOM_CALM && n < OOM_MANY; n++) {
        nci_mem_fail_at(n);
        ncg_status st = step(bed, &err);
        nci_mem_fail_at(0);
        if (st && st != NCG_ENOMEM)
            fail_msg("%s, allocation %lld: %s: %s", name, (long long)n,
                     ncg_status_name(st), err.message);
        calm = st ? 0 : calm + 1;
        failures += st != NCG_OK;
    }
    assert_true(failures > 0);
    assert_true(n < OOM_MANY);
    print_message("%s: %lld allocations\n", name, (long long)n - OOM_CALM - 1);
}

#endif
