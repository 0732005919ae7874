/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The memory limit bounds the resident set of the process, not the chunks
 * alone: data twice as large, needed twice, goes through the spill
 * directory. In a process of its own, which keeps to itself what it holds.
 */
#include <string.h>

#include "base/block.h"
#include "ncgraph.h"
#include "test.h"

enum { SIDE = 1 << 18, CHUNKS = 256 };

static const int64_t limit = INT64_C(128) << 20;

/* Of this program alone; getrusage also knows what came before it. */
static int64_t most_resident(void)
{
    char line[256];
    long long kib = -1;
    FILE *file = fopen("/proc/self/status", "r");
    assert_non_null(file);
    while (kib < 0 && fgets(line, sizeof line, file))
        if (sscanf(line, "VmHWM: %lld kB", &kib) != 1)
            kib = -1;
    fclose(file);
    return (int64_t)kib << 10;
}

/* A running sum, less its mean: the mean needs all of it before the first. */
static ncg_array *make(ncg_context *ctx)
{
    int64_t shape[2] = {CHUNKS, SIDE}, chunk[2] = {1, SIDE};
    static const int axes[2] = {0, 1};
    ncg_reduce_options how = NCG_REDUCE_OPTIONS_INIT;
    ncg_array *x, *sums, *mean, *rest, *end;
    ncg_error err;
    CHECK_OK(ncg_array_random(ctx, NCG_RANDOM_UNIFORM, 1, NCG_DTYPE_F32, 2,
                              shape, chunk, &x, &err));
    CHECK_OK(ncg_array_scan(x, NCG_SCAN_SUM, 1, false, 0, &sums, &err));
    how.op = NCG_OP_MEAN;
    how.keepdims = true;
    CHECK_OK(ncg_array_reduce(sums, axes, 2, &how, &mean, &err));
    CHECK_OK(ncg_array_map("subtract", (ncg_array *[]){sums, mean}, 2, &rest,
                           &err));
    how.op = NCG_OP_MAX;
    CHECK_OK(ncg_array_reduce(rest, axes, 1, &how, &end, &err));
    ncg_array_release(&x);
    ncg_array_release(&sums);
    ncg_array_release(&mean);
    ncg_array_release(&rest);
    return end;
}

static float *compute(int64_t memory, ncg_stats *stats)
{
    ncg_context_options options = NCG_CONTEXT_OPTIONS_INIT;
    float *values = malloc(SIDE * sizeof *values);
    ncg_context *ctx;
    ncg_error err;
    options.threads = 2;
    options.memory_limit = memory;
    CHECK_OK(ncg_context_create(&options, &ctx, &err));
    ncg_array *array = make(ctx);
    CHECK_OK(ncg_array_compute(array, values, SIDE * sizeof *values, &err));
    ncg_context_stats(ctx, stats);
    ncg_array_release(&array);
    ncg_context_destroy(&ctx);
    return values;
}

static void the_process_stays_under_the_limit(void **state)
{
    ncg_stats stats = {.struct_size = sizeof stats};
    (void)state;
    float *values = compute(limit, &stats);
    int64_t most = most_resident();
    print_message("managed %lld, spilled %lld, resident %lld MiB\n",
                  (long long)stats.peak_memory >> 20,
                  (long long)stats.bytes_spilled >> 20, (long long)most >> 20);
    assert_true(stats.bytes_spilled > limit);
    assert_in_range(stats.peak_memory, 1, limit);
    void *own = nci_block_map(NCI_BLOCK_OWN);
    if (own)
        assert_in_range(most, 1, limit);
    else
        print_message("resident set not looked at: a sanitizer's build\n");
    nci_block_give(own);
    float *others = compute(INT64_C(1) << 40, &stats);
    assert_int_equal(stats.bytes_spilled, 0);
    assert_memory_equal(values, others, SIDE * sizeof *values);
    free(values);
    free(others);
}

NCG_TESTS(NCG_TEST(the_process_stays_under_the_limit))
