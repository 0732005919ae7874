/* SPDX-License-Identifier: BSD-3-Clause */
/* Kernels and functions of tasks that programs register: in one context, or in
 * all to come. */
#include "api/handles.h"
#include "base/mem.h"
#include "base/text.h"

/* Those of all contexts to come, for as long as the process lasts. */
static pthread_mutex_t common_lock = PTHREAD_MUTEX_INITIALIZER;
static nci_kernel *common;
static size_t ncommon, common_capacity;

static ncg_status add_common(const nci_kernel *kernel, ncg_error *err)
{
    nci_kernel_table *check = NULL;
    nci_kernel copy = *kernel;
    NCI_TRY(nci_kernel_table_create(&check, err));
    ncg_status st = NCG_OK;
    pthread_mutex_lock(&common_lock);
    for (size_t i = 0; !st && i < ncommon; i++)
        st = nci_kernel_table_add(check, &common[i], err);
    if (!st)
        st = nci_kernel_table_add(check, kernel, err); /* the name, twice? */
    copy.name = st ? NULL : nci_intern(kernel->name);
    if (!st && (!copy.name || !nci_grow(&common, &common_capacity, ncommon + 1,
                                        sizeof *common)))
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    if (!st)
        common[ncommon++] = copy;
    pthread_mutex_unlock(&common_lock);
    nci_kernel_table_free(&check);
    return st;
}

ncg_status nci_context_common_kernels(ncg_context *ctx, ncg_error *err)
{
    nci_kernel_table *table = nci_executor_kernels(ctx->executor);
    ncg_status st = NCG_OK;
    pthread_mutex_lock(&common_lock);
    for (size_t i = 0; !st && i < ncommon; i++)
        st = nci_kernel_table_add(table, &common[i], err);
    pthread_mutex_unlock(&common_lock);
    return st;
}

static ncg_status add(ncg_context *ctx, const nci_kernel *kernel,
                      ncg_error *err)
{
    if (!ctx)
        return add_common(kernel, err);
    NCI_TRY(nci_handle_check(&ctx->handle, NCI_HANDLE_CONTEXT, err));
    if (!ctx->executor)
        return nci_fail(err, NCG_EINVAL, "the context is destroyed");
    return nci_kernel_table_add(nci_executor_kernels(ctx->executor), kernel,
                                err);
}

ncg_status ncg_kernel_register(ncg_context *ctx, const char *name,
                               ncg_kernel_fn fn,
                               const ncg_kernel_options *options,
                               ncg_error *err)
{
    static const ncg_kernel_options defaults = NCG_KERNEL_OPTIONS_INIT;
    if (!name || !fn)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    if (options && options->struct_size < sizeof *options)
        return nci_fail(err, NCG_EINVAL, "options were not initialised");
    options = options ? options : &defaults;
    nci_kernel kernel = {.name = name,
                         .run = fn,
                         .scratch = options->scratch,
                         .payload = options->payload};
    return add(ctx, &kernel, err);
}

ncg_status ncg_task_register(ncg_context *ctx, const char *name,
                             ncg_task_fn fn, void *payload, ncg_error *err)
{
    if (!name || !fn)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    nci_kernel kernel = {.name = name, .task = fn, .payload = payload};
    return add(ctx, &kernel, err);
}
