/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls on a cluster: what the public functions check, and handles around the
 * client's futures, which know when the client is gone. */
#include <stdatomic.h>
#include <string.h>

#include "api/handles.h"
#include "api/link.h"
#include "base/mem.h"
#include "engine/cluster/functions.h"
#include "engine/cluster/future.h"

struct ncg_future {
    nci_handle handle; /* first */
    _Atomic int32_t refs;
    nci_future *it;
};

ncg_status ncg_function_register(const char *name, ncg_function_fn fn,
                                 void *payload, ncg_error *err)
{
    if (!name || !fn)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    return nci_function_add(name, fn, payload, err);
}

/* ---- submitting ---------------------------------------------------------- */

static ncg_status client_of(ncg_context *ctx, nci_client **out, ncg_error *err)
{
    if (!ctx)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    return nci_link_client(ctx, out, err);
}

static ncg_status wrap(nci_future *it_take, ncg_future **out, ncg_error *err)
{
    ncg_future *f = nci_calloc(1, sizeof *f);
    if (!f) {
        nci_future_release(&it_take);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    nci_handle_init(&f->handle, NCI_HANDLE_FUTURE);
    atomic_init(&f->refs, 1);
    f->it = it_take;
    *out = f;
    return NCG_OK;
}

static ncg_status submit(nci_client *client, const nci_future_spec *specs,
                         size_t n, ncg_future **out, ncg_error *err)
{
    nci_future **made = nci_calloc(n + 1, sizeof *made);
    if (!made)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    memset(out, 0, n * sizeof *out);
    ncg_status st = nci_future_submit(client, specs, n, made, err);
    for (size_t i = 0; i < n && made[i]; i++) {
        ncg_status one = st ? st : wrap(made[i], &out[i], err);
        if (st)
            nci_future_release(&made[i]);
        st = st ? st : one;
    }
    for (size_t i = 0; st && i < n; i++)
        ncg_future_release(&out[i]);
    nci_free(made);
    return st;
}

static ncg_status check(const char *function, const ncg_future_options *options,
                        ncg_error *err)
{
    if (!function)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    if (options && options->struct_size < sizeof *options)
        return nci_fail(err, NCG_EINVAL, "options were not initialised");
    return NCG_OK;
}

static const ncg_future_options defaults = NCG_FUTURE_OPTIONS_INIT;

ncg_status ncg_future_submit(ncg_context *ctx, const char *function,
                             ncg_bytes argument, ncg_future *const *inputs,
                             size_t ninputs, const ncg_future_options *options,
                             ncg_future **out, ncg_error *err)
{
    nci_client *client = NULL;
    NCI_TRY(client_of(ctx, &client, err));
    NCI_TRY(check(function, options, err));
    if (!out || (ninputs && !inputs) || (argument.size && !argument.data))
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    options = options ? options : &defaults;
    nci_future **its = nci_calloc(ninputs + 1, sizeof *its);
    if (!its)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    ncg_status st = NCG_OK;
    for (size_t i = 0; !st && i < ninputs; i++) {
        if (!inputs[i])
            st = nci_fail(err, NCG_EINVAL, "input %zu is NULL", i);
        else
            st = nci_handle_check(&inputs[i]->handle, NCI_HANDLE_FUTURE, err);
        if (!st)
            its[i] = inputs[i]->it;
    }
    nci_future_spec spec = {.function = function,
                            .argument = argument,
                            .inputs = its,
                            .ninputs = ninputs,
                            .worker = options->worker,
                            .retries = options->retries,
                            .resources = options->resources};
    if (!st)
        st = submit(client, &spec, 1, out, err);
    nci_free(its);
    return st;
}

ncg_status ncg_future_map(ncg_context *ctx, const char *function,
                          const ncg_bytes *arguments, size_t n,
                          const ncg_future_options *options, ncg_future **out,
                          ncg_error *err)
{
    nci_client *client = NULL;
    NCI_TRY(client_of(ctx, &client, err));
    NCI_TRY(check(function, options, err));
    if (n && (!arguments || !out))
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    options = options ? options : &defaults;
    nci_future_spec *specs = nci_calloc(n + 1, sizeof *specs);
    if (!specs)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        specs[i] = (nci_future_spec){.function = function,
                                     .argument = arguments[i],
                                     .worker = options->worker,
                                     .retries = options->retries,
                                     .resources = options->resources};
    ncg_status st = submit(client, specs, n, out, err);
    nci_free(specs);
    return st;
}

ncg_status ncg_future_scatter(ncg_context *ctx, ncg_bytes value,
                              ncg_future **out, ncg_error *err)
{
    return ncg_future_submit(ctx, NCI_FUNCTION_VALUE, value, NULL, 0, NULL, out,
                             err);
}

/* ---- asking -------------------------------------------------------------- */

ncg_run_state ncg_future_poll(const ncg_future *f)
{
    if (!f)
        return NCG_RUN_FAILED;
    nci_handle_assert(&f->handle, NCI_HANDLE_FUTURE, __func__);
    return nci_future_state(f->it);
}

ncg_run_state ncg_future_wait(ncg_future *f, double seconds)
{
    size_t which = 0;
    if (!f)
        return NCG_RUN_FAILED;
    nci_handle_assert(&f->handle, NCI_HANDLE_FUTURE, __func__);
    nci_future_wait(&f->it, 1, seconds, &which);
    return nci_future_state(f->it);
}

bool ncg_future_wait_any(ncg_future *const *futures, size_t n, double seconds,
                         size_t *which)
{
    nci_future **its = futures && which ? nci_calloc(n + 1, sizeof *its) : NULL;
    if (!its)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!futures[i]) {
            nci_free(its);
            return false;
        }
        nci_handle_assert(&futures[i]->handle, NCI_HANDLE_FUTURE, __func__);
        its[i] = futures[i]->it;
    }
    bool found = nci_future_wait(its, n, seconds, which);
    nci_free(its);
    return found;
}

ncg_status ncg_future_result(ncg_future *f, void **data, size_t *size,
                             ncg_error *err)
{
    nci_buf *value = NULL;
    if (!f || !data || !size)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(nci_handle_check(&f->handle, NCI_HANDLE_FUTURE, err));
    NCI_TRY(nci_future_value(f->it, &value, err));
    *size = nci_buf_size(value);
    *data = nci_alloc(*size + 1);
    if (*data && *size)
        memcpy(*data, nci_buf_data(value), *size);
    nci_buf_release(&value);
    return *data ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
}

void ncg_future_cancel(ncg_future *f)
{
    if (!f)
        return;
    nci_handle_assert(&f->handle, NCI_HANDLE_FUTURE, __func__);
    nci_future_cancel(f->it);
}

ncg_future *ncg_future_retain(ncg_future *f)
{
    if (f) {
        nci_handle_assert(&f->handle, NCI_HANDLE_FUTURE, __func__);
        atomic_fetch_add(&f->refs, 1);
    }
    return f;
}

void ncg_future_release(ncg_future **slot)
{
    ncg_future *f = slot ? *slot : NULL;
    if (!f)
        return;
    *slot = NULL;
    nci_handle_assert(&f->handle, NCI_HANDLE_FUTURE, __func__);
    if (atomic_fetch_sub(&f->refs, 1) > 1)
        return;
    nci_future_release(&f->it);
    nci_handle_free(&f->handle);
}

/* ---- at once ------------------------------------------------------------- */

ncg_status ncg_run_on_scheduler(ncg_context *ctx, const char *function,
                                ncg_bytes argument, void **data, size_t *size,
                                ncg_error *err)
{
    nci_client *client = NULL;
    ncg_worker_answer *answers = NULL;
    size_t n = 0;
    NCI_TRY(client_of(ctx, &client, err));
    if (!function || !data || !size)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(nci_client_run_on(client, function, argument, "", &answers, &n,
                              err));
    ncg_status st = answers[0].status;
    if (st) {
        nci_fail(err, st, "%s", answers[0].message);
    } else {
        *data = answers[0].data;
        *size = answers[0].size;
        answers[0].data = NULL;
    }
    ncg_worker_answers_free(&answers, n);
    return st;
}

/* Adds the answers of one more worker. */
static ncg_status append(ncg_worker_answer **all, size_t *n,
                         ncg_worker_answer *more, size_t nmore, ncg_error *err)
{
    ncg_worker_answer *list =
        nci_realloc(*all, (*n + nmore + 1) * sizeof *list);
    if (!list) {
        ncg_worker_answers_free(&more, nmore);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    if (nmore)
        memcpy(list + *n, more, nmore * sizeof *list);
    *all = list;
    *n += nmore;
    nci_free(more);
    return NCG_OK;
}

ncg_status ncg_run_on_workers(ncg_context *ctx, const char *function,
                              ncg_bytes argument, const char *const *workers,
                              size_t nworkers, ncg_worker_answer **out,
                              size_t *n, ncg_error *err)
{
    nci_client *client = NULL;
    ncg_worker_answer *all = NULL;
    size_t count = 0;
    NCI_TRY(client_of(ctx, &client, err));
    if (!function || !out || !n || (nworkers && !workers))
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    ncg_status st = NCG_OK;
    for (size_t i = 0; !st && i < (nworkers ? nworkers : 1); i++) {
        ncg_worker_answer *more = NULL;
        size_t nmore = 0;
        const char *where = nworkers ? workers[i] : "*";
        st = where && *where ? NCG_OK
                             : nci_fail(err, NCG_EINVAL, "no worker's name");
        if (!st)
            st = nci_client_run_on(client, function, argument, where, &more,
                                   &nmore, err);
        if (!st)
            st = append(&all, &count, more, nmore, err);
    }
    if (st) {
        ncg_worker_answers_free(&all, count);
        return st;
    }
    *out = all;
    *n = count;
    return NCG_OK;
}

void ncg_worker_answers_free(ncg_worker_answer **answers, size_t n)
{
    ncg_worker_answer *list = answers ? *answers : NULL;
    for (size_t i = 0; list && i < n; i++) {
        nci_free(list[i].worker);
        nci_free(list[i].message);
        nci_free(list[i].data);
    }
    nci_free(list);
    if (answers)
        *answers = NULL;
}
