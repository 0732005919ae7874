/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A computation in the background: the standard deviation over the first axis
 * is submitted; the program hears of each chunk that is done, is free to do
 * other work, and gives up after a minute.
 *     ex_submit FILE VARIABLE
 */
#include <ncgraph.h>
#include <stdatomic.h>
#include <stdio.h>

/* Called by a thread of the engine, one call at a time. */
static void count_key(const ncg_key *key, void *payload)
{
    (void)key;
    atomic_fetch_add((_Atomic int *)payload, 1);
}

/* Waits in steps, in which a program would look after its other work. */
static ncg_run_state watch(ncg_run *run)
{
    ncg_run_state state = NCG_RUN_QUEUED;
    for (int step = 0; step < 600 && state < NCG_RUN_DONE; step++)
        state = ncg_run_wait(run, 0.1);
    if (state < NCG_RUN_DONE)
        ncg_run_cancel(run);
    return ncg_run_wait(run, -1);
}

static ncg_status print_result(ncg_run *run, ncg_collection what, int nkeys,
                               ncg_error *err)
{
    void *result = NULL;
    ncg_status st = ncg_run_results(run, &result, err);
    if (st) {
        if (ncg_run_error_key(run))
            fprintf(stderr, "failed: %s\n  in %s\n", ncg_run_error_key(run),
                    ncg_run_error_path(run));
        return st;
    }
    const float *values = ncg_array_data(result);
    int64_t n = ncg_array_size(result);
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)values[i];
    printf("%d chunks of %lld values, sum %.9g\n", nkeys, (long long)n, sum);
    what.type->release_result(result);
    return NCG_OK;
}

int main(int argc, char **argv)
{
    ncg_context *ctx = NULL;
    ncg_dataset *ds = NULL;
    ncg_array *x = NULL, *spread = NULL;
    ncg_run *run = NULL;
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    ncg_submit_options options = NCG_SUBMIT_OPTIONS_INIT;
    _Atomic int nkeys = 0;
    const int first = 0;
    ncg_error err = {0};
    ncg_status st;

    if (argc != 3) {
        fprintf(stderr, "usage: ex_submit FILE VARIABLE\n");
        return 2;
    }
    const char *inputs[] = {argv[1]};
    how.op = NCG_OP_STD;
    options.key_done = count_key;
    options.key_done_payload = (void *)&nkeys;
    options.retries = 1; /* a file system may stumble once */
    if (!(st = ncg_context_create(NULL, &ctx, &err)) &&
        !(st = ncg_dataset_open(ctx, inputs, 1, NULL, &ds, &err)) &&
        !(st = ncg_dataset_array(ds, argv[2], &x, &err)) &&
        !(st = ncg_array_reduce(x, &first, 1, &how, &spread, &err))) {
        ncg_collection what = ncg_array_collection(spread);
        st = ncg_submit(ctx, &what, 1, &options, &run, &err);
        if (!st) {
            watch(run);
            st = print_result(run, what, nkeys, &err);
        }
    }
    if (st)
        fprintf(stderr, "ex_submit: %s\n", err.message);
    ncg_run_release(&run);
    ncg_array_release(&spread);
    ncg_array_release(&x);
    ncg_dataset_release(&ds);
    ncg_context_destroy(&ctx);
    return ncg_status_exit_code(st);
}
