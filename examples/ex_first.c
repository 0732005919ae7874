/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The mean over time of all files that match a pattern:
 *     ex_first 'tas_*.nc' mean.nc
 */
#include <ncgraph.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    ncg_context *ctx = NULL;
    ncg_dataset *in = NULL, *mean = NULL;
    ncg_error err;
    ncg_status st;
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;

    if (argc != 3) {
        fprintf(stderr, "usage: ex_first INPUT OUTPUT\n");
        return 2;
    }
    const char *inputs[] = {argv[1]};
    how.op = NCG_OP_MEAN;
    how.dims = "time";
    if ((st = ncg_context_create(NULL, &ctx, &err)) ||
        (st = ncg_dataset_open(ctx, inputs, 1, NULL, &in, &err)) ||
        (st = ncg_dataset_reduce(in, &how, &mean, &err)) ||
        (st = ncg_dataset_save(mean, argv[2], NULL, &err)))
        fprintf(stderr, "ex_first: %s\n", err.message);
    ncg_dataset_release(&mean);
    ncg_dataset_release(&in);
    ncg_context_destroy(&ctx);
    return ncg_status_exit_code(st);
}
