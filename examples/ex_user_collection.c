/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A type of one's own as a collection: a span of temperatures, made of two lazy
 * arrays and a factor. It is computed together with a plain array in one run;
 * the file is read once.
 *     ex_user_collection FILE VARIABLE
 */
#include <ncgraph.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct span {
    int refs; /* of one thread here; atomic where runs are submitted */
    ncg_array *low, *high;
    double factor;
} span;

static ncg_status span_graph(void *self, ncg_graph **out, ncg_error *err)
{
    span *s = self;
    ncg_array *arrays[] = {s->low, s->high};
    return ncg_graph_of(arrays, 2, out, err);
}

static ncg_status span_keys(void *self, ncg_keys **out, ncg_error *err)
{
    span *s = self;
    ncg_keys *keys[2] = {NULL, NULL};
    ncg_status st;
    if (!(st = ncg_keys_all(s->low, &keys[0], err)) &&
        !(st = ncg_keys_all(s->high, &keys[1], err)))
        st = ncg_keys_join(keys, 2, out, err);
    ncg_keys_release(&keys[0]);
    ncg_keys_release(&keys[1]);
    return st;
}

/* The value of an array of one element among the results. */
static ncg_status get_value(const ncg_results *results, ncg_array *array,
                            double *out, ncg_error *err)
{
    char token[33];
    ncg_array *computed = NULL;
    ncg_array_token(array, token);
    ncg_status st = ncg_results_array(results, token, &computed, err);
    if (!st)
        *out = *(const float *)ncg_array_data(computed);
    ncg_array_release(&computed);
    return st;
}

/* Computing a span gives a number. */
static ncg_status span_compute(void *self, const ncg_results *results,
                               void **out, ncg_error *err)
{
    span *s = self;
    double low = 0, high = 0, *result;
    ncg_status st;
    if ((st = get_value(results, s->low, &low, err)) ||
        (st = get_value(results, s->high, &high, err)))
        return st;
    if (!(result = malloc(sizeof *result)))
        return NCG_ENOMEM;
    *result = s->factor * (high - low);
    *out = result;
    return NCG_OK;
}

static ncg_status span_token(void *self, char token[33], ncg_error *err)
{
    span *s = self;
    char low[33], high[33];
    const char *tokens[] = {low, high};
    (void)err;
    ncg_array_token(s->low, low);
    ncg_array_token(s->high, high);
    ncg_token_of(tokens, 2, &s->factor, sizeof s->factor, token);
    return NCG_OK;
}

static void span_retain(void *self)
{
    ((span *)self)->refs++;
}

static void span_release(void *self)
{
    ((span *)self)->refs--; /* main owns the memory */
}

static const ncg_collection_type span_type = {
    .struct_size = sizeof(ncg_collection_type),
    .name = "span",
    .graph = span_graph,
    .keys = span_keys,
    .optimize = ncg_graph_optimize, /* together with arrays */
    .scheduler = ncg_get_threads,
    .postcompute = span_compute,
    .tokenize = span_token,
    .retain = span_retain,
    .release = span_release,
    .release_result = free,
};

static ncg_status reduce(ncg_array *x, ncg_op op, ncg_array **out,
                         ncg_error *err)
{
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    how.op = op;
    return ncg_array_reduce(x, NULL, 0, &how, out, err);
}

int main(int argc, char **argv)
{
    ncg_context *ctx = NULL;
    ncg_dataset *ds = NULL;
    ncg_array *x = NULL, *mean = NULL;
    span s = {1, NULL, NULL, 1.8};
    ncg_error err;
    ncg_status st;

    if (argc != 3) {
        fprintf(stderr, "usage: ex_user_collection FILE VARIABLE\n");
        return 2;
    }
    const char *inputs[] = {argv[1]};
    if (!(st = ncg_context_create(NULL, &ctx, &err)) &&
        !(st = ncg_dataset_open(ctx, inputs, 1, NULL, &ds, &err)) &&
        !(st = ncg_dataset_array(ds, argv[2], &x, &err)) &&
        !(st = reduce(x, NCG_OP_MIN, &s.low, &err)) &&
        !(st = reduce(x, NCG_OP_MAX, &s.high, &err)) &&
        !(st = reduce(x, NCG_OP_MEAN, &mean, &err))) {
        ncg_collection both[] = {{&span_type, &s}, ncg_array_collection(mean)};
        void *results[2];
        st = ncg_compute(ctx, both, 2, NULL, results, &err);
        if (!st) {
            printf("%.9g %.9g\n", *(double *)results[0],
                   *(const float *)ncg_array_data(results[1]));
            for (int i = 0; i < 2; i++)
                both[i].type->release_result(results[i]);
        }
    }
    if (st)
        fprintf(stderr, "ex_user_collection: %s\n", err.message);
    ncg_array_release(&mean);
    ncg_array_release(&s.low);
    ncg_array_release(&s.high);
    ncg_array_release(&x);
    ncg_dataset_release(&ds);
    ncg_context_destroy(&ctx);
    return ncg_status_exit_code(st);
}
