/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * persisted SCHEDULER_FILE MIB: persists an array of so many MiB on the
 * workers, publishes it and says "ready"; after the next line of standard input
 * it connects anew, gets the array by its name, adds it up and says "usable"
 * when the sum has the same bits. bench/cluster.py has the scheduler die in
 * between.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ncgraph.h"

enum { CHUNK = 1 << 19 }; /* values: 4 MiB */

static void check(ncg_status st, const ncg_error *err)
{
    if (!st)
        return;
    fprintf(stderr, "persisted: %s\n", err->message);
    exit(1);
}

static double sum_of(ncg_array *x)
{
    ncg_error err;
    ncg_array *sum = NULL;
    double value = 0;
    ncg_reduce_options o = NCG_REDUCE_OPTIONS_INIT;
    o.op = NCG_OP_SUM;
    check(ncg_array_reduce(x, NULL, 0, &o, &sum, &err), &err);
    check(ncg_array_compute(sum, &value, sizeof value, &err), &err);
    ncg_array_release(&sum);
    return value;
}

static ncg_context *connect_to(const char *file)
{
    ncg_error err;
    ncg_context *ctx = NULL;
    ncg_context_options options = NCG_CONTEXT_OPTIONS_INIT;
    options.threads = 1;
    check(ncg_context_connect(file, 60, &options, &ctx, &err), &err);
    return ctx;
}

static double publish(ncg_context *ctx, int64_t mib)
{
    const int64_t shape = mib << 17, chunk = CHUNK;
    ncg_error err;
    ncg_array *x = NULL, *held;
    ncg_collection all, kept = {NULL, NULL};
    check(ncg_array_random(ctx, NCG_RANDOM_NORMAL, 1, NCG_DTYPE_F64, 1, &shape,
                           &chunk, &x, &err),
          &err);
    all = ncg_array_collection(x);
    check(ncg_persist(ctx, &all, 1, &kept, &err), &err);
    held = kept.self;
    check(ncg_publish(ctx, "field", &held, 1, (ncg_bytes){NULL, 0}, true, &err),
          &err);
    double sum = sum_of(held);
    ncg_collection_release(&kept);
    ncg_array_release(&x);
    return sum;
}

/* A scheduler that was started again learns from workers what is published. */
static void get(ncg_context *ctx, ncg_published *out)
{
    enum { MOST = 3000 };
    const struct timespec moment = {0, 10000000};
    ncg_error err;
    ncg_status st = ncg_published_get(ctx, "field", out, &err);
    for (int i = 0; st == NCG_ENOTFOUND && i < MOST; i++) {
        nanosleep(&moment, NULL);
        st = ncg_published_get(ctx, "field", out, &err);
    }
    check(st, &err);
}

int main(int argc, char **argv)
{
    ncg_error err;
    ncg_published got = {0};
    long mib = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    if (mib < 4 || mib > 1 << 20) {
        fprintf(stderr, "use: persisted SCHEDULER_FILE MIB\n");
        return 2;
    }
    ncg_context *ctx = connect_to(argv[1]);
    double before = publish(ctx, mib);
    ncg_context_destroy(&ctx);
    puts("ready");
    fflush(stdout);
    getchar();
    ctx = connect_to(argv[1]);
    get(ctx, &got);
    double after = sum_of(got.arrays[0]);
    puts(memcmp(&before, &after, sizeof after) ? "changed" : "usable");
    fflush(stdout);
    ncg_published_free(&got);
    check(ncg_unpublish(ctx, "field", &err), &err);
    ncg_context_destroy(&ctx);
    return 0;
}
