/* SPDX-License-Identifier: BSD-3-Clause */
/* Times what comes before reading, through the public API alone:
 *     open_files PATH...
 * prints as JSON the seconds of opening (headers, coordinates, joining) and of
 * planning the copy of everything (which loads every chunk table). */
#include <stdio.h>
#include <time.h>

#include "ncgraph.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
    ncg_context *ctx = NULL;
    ncg_dataset *ds = NULL;
    ncg_plan_info info = {.struct_size = sizeof info};
    ncg_error err;
    if (argc < 2) {
        fprintf(stderr, "use: open_files PATH...\n");
        return 2;
    }
    double start = now();
    ncg_status st = ncg_context_create(NULL, &ctx, &err);
    if (!st)
        st = ncg_dataset_open(ctx, (const char *const *)argv + 1,
                              (size_t)argc - 1, NULL, &ds, &err);
    double opened = now();
    if (!st)
        st = ncg_dataset_explain(ds, NULL, &info, NULL, NULL, &err);
    double planned = now();
    if (st)
        fprintf(stderr, "open_files: %s\n", err.message);
    else
        printf("{\"open_s\": %.6f, \"plan_s\": %.6f, \"files\": %lld, "
               "\"chunks\": %lld}\n",
               opened - start, planned - opened, (long long)info.files,
               (long long)info.storage_chunks);
    ncg_dataset_release(&ds);
    ncg_context_destroy(&ctx);
    return st ? ncg_status_exit_code(st) : 0;
}
