/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * held SCHEDULER_FILE COUNT MIB: puts so many values of so many MiB onto the
 * workers, says "ready", and after the next line of standard input fetches
 * them again and compares; "equal" when they are what they were.
 * bench/cluster.py has a worker leave in between.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ncgraph.h"

static void check(ncg_status st, const ncg_error *err)
{
    if (!st)
        return;
    fprintf(stderr, "held: %s\n", err->message);
    exit(1);
}

static void fill(uint64_t *data, size_t n, uint64_t seed)
{
    uint64_t x = seed * 2654435761u + 88172645463325252u;
    for (size_t i = 0; i < n; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        data[i] = x;
    }
}

static void compare(ncg_future *future, uint64_t *expected, size_t n,
                    uint64_t seed)
{
    ncg_error err;
    void *data = NULL;
    size_t size = 0;
    check(ncg_future_result(future, &data, &size, &err), &err);
    fill(expected, n, seed);
    if (size != n * sizeof *expected || memcmp(data, expected, size)) {
        fprintf(stderr, "held: a value has changed\n");
        exit(1);
    }
    ncg_free(data);
}

int main(int argc, char **argv)
{
    ncg_error err;
    ncg_context *ctx = NULL;
    ncg_context_options options = NCG_CONTEXT_OPTIONS_INIT;
    size_t count = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
    size_t n = (argc == 4 ? strtoul(argv[3], NULL, 10) : 0) << 17;
    if (!count || !n || count > 100000 || n > (size_t)1 << 27) {
        fprintf(stderr, "use: held SCHEDULER_FILE COUNT MIB\n");
        return 2;
    }
    ncg_future **held = calloc(count, sizeof *held);
    uint64_t *data = malloc(n * sizeof *data);
    if (!held || !data)
        return 1;
    options.threads = 1;
    check(ncg_context_connect(argv[1], 10, &options, &ctx, &err), &err);
    for (size_t i = 0; i < count; i++) {
        fill(data, n, i);
        ncg_bytes value = {data, n * sizeof *data};
        check(ncg_future_scatter(ctx, value, &held[i], &err), &err);
        if (ncg_future_wait(held[i], 60) != NCG_RUN_DONE) {
            fprintf(stderr, "held: a value was not taken\n");
            return 1;
        }
    }
    puts("ready");
    fflush(stdout);
    getchar();
    for (size_t i = 0; i < count; i++) {
        compare(held[i], data, n, i);
        ncg_future_release(&held[i]);
    }
    puts("equal");
    free(held);
    free(data);
    ncg_context_destroy(&ctx);
    return 0;
}
