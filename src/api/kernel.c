/* SPDX-License-Identifier: BSD-3-Clause */
/* Kernels that programs register. */
#include "api/handles.h"

ncg_status ncg_kernel_register(ncg_context *ctx, const char *name,
                               ncg_kernel_fn fn,
                               const ncg_kernel_options *options,
                               ncg_error *err)
{
    static const ncg_kernel_options defaults = NCG_KERNEL_OPTIONS_INIT;
    if (!ctx || !name || !fn)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    if (options && options->struct_size < sizeof *options)
        return nci_fail(err, NCG_EINVAL, "options were not initialised");
    options = options ? options : &defaults;
    NCI_TRY(nci_handle_check(&ctx->handle, NCI_HANDLE_CONTEXT, err));
    if (!ctx->executor)
        return nci_fail(err, NCG_EINVAL, "the context is destroyed");
    nci_kernel kernel = {.name = name,
                         .run = fn,
                         .scratch = options->scratch,
                         .payload = options->payload};
    return nci_kernel_table_add(nci_executor_kernels(ctx->executor), &kernel,
                                err);
}
