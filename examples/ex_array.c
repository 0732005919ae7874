/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arrays in memory: the greatest departure of a variable from its mean over
 * the first axis, without writing a file.
 *     ex_array INPUT VARIABLE
 */
#include <ncgraph.h>
#include <stdio.h>

/* max(|a|) over all axes as max(max(a), -min(a)). */
static ncg_status print_greatest(ncg_array *a, ncg_error *err)
{
    static const ncg_op ops[] = {NCG_OP_MIN, NCG_OP_MAX};
    int axes[NCG_MAX_RANK];
    double ends[2] = {0, 0};
    int rank = ncg_array_rank(a);
    ncg_status st = NCG_OK;

    for (int i = 0; i < rank; i++)
        axes[i] = i;
    for (int i = 0; !st && i < 2; i++) {
        ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
        ncg_array *end = NULL;
        how.op = ops[i];
        st = ncg_array_reduce(a, axes, (size_t)rank, &how, &end, err);
        if (!st && ncg_array_dtype(end) == NCG_DTYPE_F32) {
            float value = 0;
            st = ncg_array_compute(end, &value, sizeof value, err);
            ends[i] = (double)value;
        } else if (!st) {
            st = ncg_array_compute(end, &ends[i], sizeof ends[i], err);
        }
        ncg_array_release(&end);
    }
    if (!st)
        printf("%g\n", ends[1] > -ends[0] ? ends[1] : -ends[0]);
    return st;
}

static ncg_status subtract(ncg_array *a, ncg_array *b, ncg_array **out,
                           ncg_error *err)
{
    ncg_array *pair[2];
    pair[0] = a;
    pair[1] = b;
    return ncg_array_map("subtract", pair, 2, out, err);
}

int main(int argc, char **argv)
{
    ncg_context *ctx = NULL;
    ncg_dataset *in = NULL;
    ncg_array *all = NULL, *mean = NULL, *departure = NULL;
    ncg_error err;
    ncg_status st;
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    const int first = 0;

    if (argc != 3) {
        fprintf(stderr, "usage: ex_array INPUT VARIABLE\n");
        return 2;
    }
    const char *inputs[] = {argv[1]};
    how.op = NCG_OP_MEAN;
    how.keepdims = true;
    if ((st = ncg_context_create(NULL, &ctx, &err)) ||
        (st = ncg_dataset_open(ctx, inputs, 1, NULL, &in, &err)) ||
        (st = ncg_dataset_array(in, argv[2], &all, &err)) ||
        (st = ncg_array_reduce(all, &first, 1, &how, &mean, &err)) ||
        (st = subtract(all, mean, &departure, &err)) ||
        (st = print_greatest(departure, &err)))
        fprintf(stderr, "ex_array: %s\n", err.message);
    ncg_array_release(&departure);
    ncg_array_release(&mean);
    ncg_array_release(&all);
    ncg_dataset_release(&in);
    ncg_context_destroy(&ctx);
    return ncg_status_exit_code(st);
}
