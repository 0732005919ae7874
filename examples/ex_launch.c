/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A program on many processes: rank 0 goes on with a context that is linked to
 * a cluster of all ranks, the others serve until it is done.
 *     mpirun -n 4 ex_launch FILES... VARIABLE
 * Its kernel is known on every rank, because each of them runs this program.
 */
#include <ncgraph.h>
#include <stdio.h>

static ncg_status square(const ncg_kernel_call *call, ncg_error *err)
{
    const float *in = call->inputs[0].data;
    float *out = call->output->data;
    int64_t n = 1;
    (void)err;
    for (int d = 0; d < call->output->rank; d++)
        n *= call->output->count[d];
    for (int64_t i = 0; i < n; i++)
        out[i] = in[i] * in[i];
    return NCG_OK;
}

/* The mean of the squares of all values. */
static ncg_status compute(ncg_context *ctx, const char *const *files,
                          size_t nfiles, const char *variable, float *value,
                          ncg_error *err)
{
    ncg_dataset *ds = NULL;
    ncg_array *x = NULL, *squares = NULL, *mean = NULL;
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    ncg_status st = ncg_dataset_open(ctx, files, nfiles, NULL, &ds, err);
    if (!st)
        st = ncg_dataset_array(ds, variable, &x, err);
    if (!st)
        st = ncg_array_map_blocks("org.example.square/1", &x, 1, NULL,
                                  &squares, err);
    if (!st)
        st = ncg_array_reduce(squares, NULL, 0, &how, &mean, err);
    if (!st)
        st = ncg_array_compute(mean, value, sizeof *value, err);
    ncg_array_release(&mean);
    ncg_array_release(&squares);
    ncg_array_release(&x);
    ncg_dataset_release(&ds);
    return st;
}

int main(int argc, char **argv)
{
    ncg_context *ctx = NULL;
    float value = 0;
    ncg_error err;
    if (argc < 3) {
        fprintf(stderr, "usage: ex_launch FILES... VARIABLE\n");
        return 2;
    }
    ncg_status st =
        ncg_kernel_register(NULL, "org.example.square/1", square, NULL, &err);
    if (!st)
        st = ncg_launch(NULL, &ctx, &err);
    if (st == NCG_WORKER_DONE)
        return 0;
    if (!st)
        st = compute(ctx, (const char *const *)argv + 1, (size_t)argc - 2,
                     argv[argc - 1], &value, &err);
    if (st)
        fprintf(stderr, "ex_launch: %s\n", err.message);
    else
        printf("%.9g\n", value);
    ncg_context_destroy(&ctx);
    return ncg_status_exit_code(st);
}
