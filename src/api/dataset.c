/* SPDX-License-Identifier: BSD-3-Clause */
/* Handles of data sets, and the operations that make new ones. */
#include <stdatomic.h>

#include "api/handles.h"
#include "base/mem.h"

void nci_noting_text(const char *note, void *payload)
{
    nci_noting *noting = payload;
    nci_context_note_text(note, noting->ctx);
    if (!nci_strings_has(&noting->notes, note) &&
        !nci_strings_add(&noting->notes, note))
        noting->failed = true;
}

nci_noting nci_noting_begin(ncg_context *ctx, const ncg_dataset *ds)
{
    nci_noting noting = {.ctx = ctx};
    for (size_t i = 0; ds && i < ds->notes.count; i++)
        if (!nci_strings_add(&noting.notes, ds->notes.items[i]))
            noting.failed = true;
    return noting;
}

ncg_status nci_dataset_wrap(nci_noting *noting, nci_model *model_take,
                            ncg_dataset **out, ncg_error *err)
{
    ncg_dataset *ds = noting->failed ? NULL : nci_alloc(sizeof *ds);
    if (!ds) {
        nci_strings_fini(&noting->notes);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    nci_handle_init(&ds->handle, NCI_HANDLE_DATASET);
    atomic_init(&ds->refs, 1);
    ds->ctx = nci_context_retain(noting->ctx);
    ds->model = model_take;
    ds->notes = noting->notes;
    noting->notes = (nci_strings){0};
    *out = ds;
    return NCG_OK;
}

ncg_dataset *ncg_dataset_retain(ncg_dataset *ds)
{
    if (!ds)
        return NULL;
    nci_handle_assert(&ds->handle, NCI_HANDLE_DATASET, __func__);
    atomic_fetch_add_explicit(&ds->refs, 1, memory_order_relaxed);
    return ds;
}

void ncg_dataset_release(ncg_dataset **slot)
{
    ncg_dataset *ds = slot ? *slot : NULL;
    if (!ds)
        return;
    nci_handle_assert(&ds->handle, NCI_HANDLE_DATASET, __func__);
    *slot = NULL;
    if (atomic_fetch_sub_explicit(&ds->refs, 1, memory_order_acq_rel) != 1)
        return;
    nci_model_release(&ds->model);
    nci_strings_fini(&ds->notes);
    nci_context_release(&ds->ctx);
    nci_handle_free(&ds->handle);
}

/* Each operation: a new model, wrapped. */
static ncg_status wrap_or_drop(nci_noting *noting, ncg_status st,
                               nci_model *model, ncg_dataset **out,
                               ncg_error *err)
{
    if (!st)
        st = nci_dataset_wrap(noting, model, out, err);
    if (st)
        nci_model_release(&model);
    nci_strings_fini(&noting->notes);
    return st;
}

static ncg_status check(const ncg_dataset *ds, const void *what, void *out,
                        ncg_error *err)
{
    if (!ds || !what || !out)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    return nci_handle_check(&ds->handle, NCI_HANDLE_DATASET, err);
}

ncg_status ncg_dataset_isel(ncg_dataset *ds, const char *const *what,
                            size_t nwhat, ncg_dataset **out, ncg_error *err)
{
    nci_model *model = NULL;
    NCI_TRY(check(ds, what, out, err));
    nci_noting noting = nci_noting_begin(ds->ctx, ds);
    ncg_status st = nci_model_isel(ds->model, what, nwhat, &model, err);
    return wrap_or_drop(&noting, st, model, out, err);
}

ncg_status ncg_dataset_sel(ncg_dataset *ds, const char *const *what,
                           size_t nwhat, ncg_dataset **out, ncg_error *err)
{
    nci_model *model = NULL;
    NCI_TRY(check(ds, what, out, err));
    nci_noting noting = nci_noting_begin(ds->ctx, ds);
    ncg_status st = nci_model_sel(ds->model, what, nwhat, &model, err);
    return wrap_or_drop(&noting, st, model, out, err);
}

ncg_status ncg_dataset_reduce(ncg_dataset *ds,
                              const ncg_reduce_options *options,
                              ncg_dataset **out, ncg_error *err)
{
    nci_model *model = NULL;
    NCI_TRY(check(ds, options, out, err));
    nci_noting noting = nci_noting_begin(ds->ctx, ds);
    ncg_status st = nci_model_reduce(ds->model, options, nci_noting_text,
                                     &noting, &model, err);
    return wrap_or_drop(&noting, st, model, out, err);
}

ncg_status ncg_dataset_quantile(ncg_dataset *ds, const double *q, size_t nq,
                                const char *method,
                                const ncg_reduce_options *options,
                                ncg_dataset **out, ncg_error *err)
{
    nci_model *model = NULL;
    NCI_TRY(check(ds, options, out, err));
    nci_quantile_request request = {.q = q, .nq = nq, .method = method};
    request.limit = ds->ctx->options.memory_limit;
    nci_noting noting = nci_noting_begin(ds->ctx, ds);
    ncg_status st = nci_model_quantile(ds->model, &request, options,
                                       nci_noting_text, &noting, &model, err);
    return wrap_or_drop(&noting, st, model, out, err);
}

ncg_status ncg_dataset_anomaly(ncg_dataset *ds, const char *by,
                               ncg_dataset **out, ncg_error *err)
{
    nci_model *model = NULL;
    NCI_TRY(check(ds, ds, out, err));
    nci_noting noting = nci_noting_begin(ds->ctx, ds);
    ncg_status st =
        nci_model_anomaly(ds->model, by, nci_noting_text, &noting, &model, err);
    return wrap_or_drop(&noting, st, model, out, err);
}
