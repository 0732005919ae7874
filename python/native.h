/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCGPY_NATIVE_H
#define NCGPY_NATIVE_H
/* What cffi cannot reach by itself: options as their macros fill them, and
 * handles that are released by value. Included by the generated module only. */
#include <string.h>

static ncg_context_options ncgpy_context_options(void)
{
    return (ncg_context_options)NCG_CONTEXT_OPTIONS_INIT;
}

static ncg_open_options ncgpy_open_options(void)
{
    return (ncg_open_options)NCG_OPEN_OPTIONS_INIT;
}

static ncg_reduce_options ncgpy_reduce_options(void)
{
    return (ncg_reduce_options)NCG_REDUCE_OPTIONS_INIT;
}

static ncg_save_options ncgpy_save_options(void)
{
    return (ncg_save_options)NCG_SAVE_OPTIONS_INIT;
}

static ncg_quantile_options ncgpy_quantile_options(void)
{
    return (ncg_quantile_options)NCG_QUANTILE_OPTIONS_INIT;
}

static ncg_window_options ncgpy_window_options(void)
{
    return (ncg_window_options)NCG_WINDOW_OPTIONS_INIT;
}

static ncg_block_options ncgpy_block_options(void)
{
    return (ncg_block_options)NCG_BLOCK_OPTIONS_INIT;
}

static ncg_kernel_options ncgpy_kernel_options(void)
{
    return (ncg_kernel_options)NCG_KERNEL_OPTIONS_INIT;
}

static ncg_submit_options ncgpy_submit_options(void)
{
    return (ncg_submit_options)NCG_SUBMIT_OPTIONS_INIT;
}

static ncg_launch_options ncgpy_launch_options(void)
{
    return (ncg_launch_options)NCG_LAUNCH_OPTIONS_INIT;
}

static ncg_cluster_options ncgpy_cluster_options(void)
{
    return (ncg_cluster_options)NCG_CLUSTER_OPTIONS_INIT;
}

static ncg_worker_options ncgpy_worker_options(void)
{
    return (ncg_worker_options)NCG_WORKER_OPTIONS_INIT;
}

static ncg_layer_info ncgpy_layer_info(void)
{
    return (ncg_layer_info)NCG_LAYER_INFO_INIT;
}

static int64_t ncgpy_omit(void)
{
    return NCG_OMIT;
}

static int ncgpy_max_rank(void)
{
    return NCG_MAX_RANK;
}

static void ncgpy_release_array(ncg_array *array)
{
    ncg_array_release(&array);
}

static void ncgpy_release_dataset(ncg_dataset *ds)
{
    ncg_dataset_release(&ds);
}

static void ncgpy_release_graph(ncg_graph *graph)
{
    ncg_graph_release(&graph);
}

static void ncgpy_release_run(ncg_run *run)
{
    ncg_run_release(&run);
}

static void ncgpy_destroy_context(ncg_context *ctx)
{
    ncg_context_destroy(&ctx);
}

/* A kernel's or a function's failure, from the text of an exception. */
static void ncgpy_set_error(ncg_error *err, const char *text)
{
    if (!err)
        return;
    err->status = NCG_EKERNEL;
    strncpy(err->message, text, sizeof err->message - 1);
    err->message[sizeof err->message - 1] = 0;
}

#endif
