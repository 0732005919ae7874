/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Data that several questions are asked of: the anomalies of a variable are
 * computed once and kept in the engine's memory; their highest value and their
 * standard deviation come from there, and the file is not read again.
 *     ex_persist FILE VARIABLE
 */
#include <ncgraph.h>
#include <stdio.h>

/* The departure from the mean over the first axis, lazy. */
static ncg_status anomaly(ncg_array *x, ncg_array **out, ncg_error *err)
{
    const int first = 0;
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    ncg_array *pair[] = {x, NULL};
    how.op = NCG_OP_MEAN;
    how.keepdims = true;
    ncg_status st = ncg_array_reduce(x, &first, 1, &how, &pair[1], err);
    if (!st)
        st = ncg_array_map("subtract", pair, 2, out, err);
    ncg_array_release(&pair[1]);
    return st;
}

/* The same array with its chunks in memory, under the token that it had. */
static ncg_status keep(ncg_context *ctx, ncg_array *x, ncg_array **out,
                       ncg_error *err)
{
    ncg_collection lazy = ncg_array_collection(x), kept;
    ncg_status st = ncg_persist(ctx, &lazy, 1, &kept, err);
    if (!st)
        *out = kept.self; /* ours to release, as ncg_collection_release does */
    return st;
}

/* One number of all values, which are f4 or f8. */
static ncg_status reduce(ncg_array *x, ncg_op op, double *out, ncg_error *err)
{
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    ncg_array *one = NULL, *number = NULL;
    how.op = op;
    ncg_status st = ncg_array_reduce(x, NULL, 0, &how, &one, err);
    if (!st)
        st = ncg_array_cast(one, NCG_DTYPE_F64, &number, err);
    if (!st)
        st = ncg_array_compute(number, out, sizeof *out, err);
    ncg_array_release(&number);
    ncg_array_release(&one);
    return st;
}

static int64_t chunks_read(const ncg_context *ctx)
{
    ncg_stats stats = {.struct_size = sizeof stats};
    ncg_context_stats(ctx, &stats);
    return stats.chunks_direct + stats.chunks_library;
}

int main(int argc, char **argv)
{
    ncg_context *ctx = NULL;
    ncg_dataset *ds = NULL;
    ncg_array *x = NULL, *lazy = NULL, *kept = NULL;
    double highest = 0, spread = 0;
    int64_t before = 0;
    ncg_error err;
    ncg_status st;

    if (argc != 3) {
        fprintf(stderr, "usage: ex_persist FILE VARIABLE\n");
        return 2;
    }
    const char *inputs[] = {argv[1]};
    if (!(st = ncg_context_create(NULL, &ctx, &err)) &&
        !(st = ncg_dataset_open(ctx, inputs, 1, NULL, &ds, &err)) &&
        !(st = ncg_dataset_array(ds, argv[2], &x, &err)) &&
        !(st = anomaly(x, &lazy, &err)) &&
        !(st = keep(ctx, lazy, &kept, &err))) {
        before = chunks_read(ctx);
        if (!(st = reduce(kept, NCG_OP_MAX, &highest, &err)))
            st = reduce(kept, NCG_OP_STD, &spread, &err);
    }
    if (st)
        fprintf(stderr, "ex_persist: %s\n", err.message);
    else
        printf("%.9g %.9g, %lld chunks read again\n", highest, spread,
               (long long)(chunks_read(ctx) - before));
    ncg_array_release(&kept);
    ncg_array_release(&lazy);
    ncg_array_release(&x);
    ncg_dataset_release(&ds);
    ncg_context_destroy(&ctx);
    return ncg_status_exit_code(st);
}
