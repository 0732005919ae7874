/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A kernel of one's own, by name: degrees Fahrenheit from kelvin, chunk by
 * chunk, then the mean of all.
 *     ex_user_kernel FILE VARIABLE
 */
#include <ncgraph.h>
#include <stdio.h>

static ncg_status fahrenheit(const ncg_kernel_call *call, ncg_error *err)
{
    const float *in = call->inputs[0].data;
    float *out = call->output->data;
    int64_t n = 1;
    (void)err;
    for (int d = 0; d < call->output->rank; d++)
        n *= call->output->count[d];
    for (int64_t i = 0; i < n; i++)
        out[i] = in[i] * 1.8f - 459.67f;
    return NCG_OK;
}

int main(int argc, char **argv)
{
    const char *kernel = "org.example.fahrenheit/1";
    ncg_context *ctx = NULL;
    ncg_dataset *ds = NULL;
    ncg_array *x = NULL, *f = NULL, *mean = NULL;
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    float value = 0;
    ncg_error err;
    ncg_status st;

    if (argc != 3) {
        fprintf(stderr, "usage: ex_user_kernel FILE VARIABLE\n");
        return 2;
    }
    const char *inputs[] = {argv[1]};
    if ((st = ncg_context_create(NULL, &ctx, &err)) ||
        (st = ncg_kernel_register(ctx, kernel, fahrenheit, NULL, &err)) ||
        (st = ncg_dataset_open(ctx, inputs, 1, NULL, &ds, &err)) ||
        (st = ncg_dataset_array(ds, argv[2], &x, &err)) ||
        (st = ncg_array_map_blocks(kernel, &x, 1, NULL, &f, &err)) ||
        (st = ncg_array_reduce(f, NULL, 0, &how, &mean, &err)) ||
        (st = ncg_array_compute(mean, &value, sizeof value, &err)))
        fprintf(stderr, "ex_user_kernel: %s\n", err.message);
    else
        printf("%.9g\n", value);
    ncg_array_release(&mean);
    ncg_array_release(&f);
    ncg_array_release(&x);
    ncg_dataset_release(&ds);
    ncg_context_destroy(&ctx);
    return ncg_status_exit_code(st);
}
