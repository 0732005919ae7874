/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A list as bytes: names, then for a list that holds values a byte a task and
 * the values; for any other the functions, for each task which one it is and
 * how many inputs it has, the inputs, the parameters, the chunks of arrays.
 * Counts follow from lengths of bytes that are there.
 */
#include "graph/codec_tasks.h"

#include <string.h>

#include "base/mem.h"
#include "graph/codec.h"
#include "graph/tasks_internal.h"

/* ---- writing ------------------------------------------------------------- */

static void pack_i32s(nci_pack *pack, const int32_t *values, size_t count)
{
    uint8_t *bytes = nci_alloc(4 * count + 1);
    if (!bytes) {
        pack->text.failed = true;
        return;
    }
    for (size_t i = 0; i < 4 * count; i++)
        bytes[i] = (uint8_t)((uint32_t)values[i / 4] >> 8 * (i % 4));
    nci_pack_bytes(pack, bytes, 4 * count);
    nci_free(bytes);
}

/* All names in one, each with its end; of nothing where no task has one. */
static void pack_names(nci_pack *pack, const nci_tasks *tasks)
{
    nci_text names = {0};
    for (int64_t t = 0; tasks->word_of && t < tasks->ntasks; t++) {
        const char *name = nci_tasks_name(tasks, t);
        nci_text_add_bytes(&names, name ? name : "",
                           name ? strlen(name) + 1 : 1);
    }
    pack->text.failed = pack->text.failed || names.failed;
    nci_pack_bytes(pack, names.data, names.length);
    nci_text_fini(&names);
}

static ncg_status check_functions(const nci_tasks *tasks, ncg_error *err)
{
    for (int64_t t = 0; t < tasks->ntasks; t++) {
        char name[64];
        if (nci_tasks_kind(tasks, t)->name)
            continue;
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "the function of %s has no name and cannot be sent to "
                        "another process: register it (ncg_task_register) and "
                        "list it by ncg_tasks_add_named",
                        nci_tasks_say(tasks, t, name));
    }
    return NCG_OK;
}

static void pack_kinds(nci_pack *pack, const nci_tasks *tasks)
{
    nci_pack_i64(pack, (int64_t)tasks->nkinds);
    for (size_t i = 0; i < tasks->nkinds; i++) {
        nci_pack_text(pack, tasks->kinds[i].name);
        nci_pack_i64(pack, tasks->kinds[i].nbytes);
    }
    pack_i32s(pack, (const int32_t *)tasks->kind_of, (size_t)tasks->ntasks);
}

static void pack_deps(nci_pack *pack, const nci_tasks *tasks)
{
    size_t n = (size_t)tasks->ntasks;
    int32_t *counts = nci_alloc((n + 1) * sizeof *counts);
    pack->text.failed = pack->text.failed || !counts;
    for (size_t t = 0; counts && t < n; t++)
        counts[t] = (int32_t)(tasks->deps.first[t + 1] - tasks->deps.first[t]);
    if (counts)
        pack_i32s(pack, counts, n);
    nci_free(counts);
    pack_i32s(pack, tasks->deps.items, tasks->ndeps);
}

/* How long those of each task are, then all of them; the limit of what is sent
 * makes both fit into 31 bits. */
static ncg_status pack_params(nci_pack *pack, const nci_tasks *tasks,
                              ncg_error *err)
{
    size_t n = (size_t)tasks->ntasks, nparams = 0;
    NCI_TRY(nci_pack_room(pack, tasks->nparams, "of parameters", err));
    nci_pack_i64(pack, tasks->nparams > 0);
    if (!tasks->nparams)
        return NCG_OK;
    int32_t *counts = nci_alloc((n + 1) * sizeof *counts);
    if (!counts)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t t = 0; t < n; t++) {
        nci_tasks_params(tasks, (int64_t)t, &nparams);
        counts[t] = (int32_t)nparams;
    }
    pack_i32s(pack, counts, n);
    nci_free(counts);
    nci_pack_bytes(pack, tasks->params, tasks->nparams);
    return NCG_OK;
}

static void pack_foreign(nci_pack *pack, const nci_tasks *tasks)
{
    int64_t n = tasks->nforeign;
    nci_pack_i64(pack, tasks->narrays);
    nci_pack_i64(pack, n);
    for (int64_t i = 0; i < n; i++) {
        nci_pack_i64(pack, tasks->foreign[i].array);
        nci_pack_i64(pack, tasks->foreign[i].chunk);
    }
}

/* A byte a task: whether its value is held. Then these values. */
static ncg_status pack_held(nci_pack *pack, const nci_tasks *tasks,
                            ncg_error *err)
{
    size_t n = (size_t)tasks->ntasks;
    uint8_t *is_held = nci_alloc(n + 1);
    if (!is_held)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    nci_pack_i64(pack, (int64_t)tasks->token.low);
    nci_pack_i64(pack, (int64_t)tasks->token.high);
    for (size_t t = 0; t < n; t++)
        is_held[t] = tasks->payloads[t] != NULL;
    nci_pack_bytes(pack, is_held, n);
    nci_free(is_held);
    for (size_t t = 0; t < n; t++) {
        nci_buf *value = NULL;
        if (!tasks->payloads[t])
            continue;
        NCI_TRY(nci_tasks_value(tasks, (int64_t)t, &value, err));
        ncg_status st =
            nci_pack_room(pack, nci_buf_size(value), "of values", err);
        if (!st)
            nci_pack_bytes(pack, nci_buf_data(value), nci_buf_size(value));
        nci_buf_release(&value);
        NCI_TRY(st);
    }
    return NCG_OK;
}

ncg_status nci_pack_tasks(nci_pack *pack, const nci_tasks *tasks,
                          ncg_error *err)
{
    nci_pack_i64(pack, tasks->is_held);
    pack_names(pack, tasks);
    if (tasks->is_held)
        return pack_held(pack, tasks, err);
    NCI_TRY(check_functions(tasks, err));
    pack_kinds(pack, tasks);
    pack_deps(pack, tasks);
    NCI_TRY(pack_params(pack, tasks, err));
    pack_foreign(pack, tasks);
    return NCG_OK;
}

/* ---- reading ------------------------------------------------------------- */

/* What is read before tasks are listed. Bytes lie in the input. */
typedef struct reading {
    nci_unpack *in;
    const char *names; /* NULL: there are none */
    size_t nnames;
    nci_task_kind *kinds;
    size_t nkinds;
    int32_t *kind_of, *counts, *items;
    int32_t *param_counts; /* NULL: no task has parameters */
    const uint8_t *params;
    size_t ntasks, nitems;
    nci_tasks *tasks;
} reading;

static void reading_fini(reading *r)
{
    nci_free(r->kinds);
    nci_free(r->kind_of);
    nci_free(r->counts);
    nci_free(r->items);
    nci_free(r->param_counts);
    nci_tasks_release(&r->tasks);
}

static int32_t *unpack_i32s(nci_unpack *in, size_t *count)
{
    size_t nbytes = 0;
    const uint8_t *bytes = nci_unpack_bytes(in, &nbytes);
    *count = nbytes / 4;
    in->failed = in->failed || nbytes % 4;
    if (in->failed)
        return NULL;
    int32_t *values = nci_alloc(nbytes + 4);
    if (!values) {
        in->failed = in->starved = true;
        return NULL;
    }
    for (size_t i = 0; i < *count; i++) {
        const uint8_t *b = bytes + 4 * i;
        values[i] = (int32_t)((uint32_t)b[0] | (uint32_t)b[1] << 8 |
                              (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24);
    }
    return values;
}

/* The next name; *name is NULL where the task has none. */
static ncg_status next_name(reading *r, const char **name, ncg_error *err)
{
    *name = NULL;
    if (!r->names)
        return NCG_OK;
    const char *end = memchr(r->names, 0, r->nnames);
    if (!end)
        return nci_unpack_damaged(r->in, err);
    *name = end > r->names ? r->names : NULL;
    r->nnames -= (size_t)(end + 1 - r->names);
    r->names = end + 1;
    return NCG_OK;
}

static ncg_status unpack_kinds(reading *r, ncg_error *err)
{
    int64_t n = nci_unpack_i64(r->in, 1, INT32_MAX);
    if ((uint64_t)n > r->in->size - r->in->at)
        r->in->failed = true;
    NCI_TRY(nci_unpack_status(r->in, err));
    r->nkinds = (size_t)n;
    r->kinds = nci_calloc(r->nkinds, sizeof *r->kinds);
    if (!r->kinds)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t i = 0; i < r->nkinds && !r->in->failed; i++) {
        r->kinds[i].name = nci_unpack_text(r->in);
        r->kinds[i].nbytes = nci_unpack_i64(r->in, 0, INT64_MAX);
    }
    r->kind_of = unpack_i32s(r->in, &r->ntasks);
    for (size_t t = 0; r->kind_of && t < r->ntasks; t++)
        if (r->kind_of[t] < 0 || (size_t)r->kind_of[t] >= r->nkinds)
            r->in->failed = true;
    if (!r->ntasks || r->ntasks > INT32_MAX - 1)
        r->in->failed = true;
    return nci_unpack_status(r->in, err);
}

/* Counts of something of each task, none negative, `total` in all. */
static void check_counts(reading *r, const int32_t *counts, size_t n,
                         size_t total)
{
    size_t sum = 0;
    r->in->failed = r->in->failed || n != r->ntasks;
    for (size_t t = 0; !r->in->failed && t < n; t++) {
        sum += (size_t)counts[t];
        r->in->failed = counts[t] < 0 || sum > total;
    }
    r->in->failed = r->in->failed || sum != total;
}

static ncg_status unpack_deps(reading *r, ncg_error *err)
{
    size_t n = 0;
    r->counts = unpack_i32s(r->in, &n);
    r->items = unpack_i32s(r->in, &r->nitems);
    check_counts(r, r->counts, n, r->nitems);
    for (size_t i = 0; !r->in->failed && i < r->nitems; i++)
        if (r->items[i] >= 0 && (size_t)r->items[i] >= r->ntasks)
            r->in->failed = true;
    return nci_unpack_status(r->in, err);
}

static ncg_status unpack_params(reading *r, ncg_error *err)
{
    size_t n = 0, total = 0;
    if (!nci_unpack_i64(r->in, 0, 1))
        return nci_unpack_status(r->in, err);
    r->param_counts = unpack_i32s(r->in, &n);
    r->params = nci_unpack_bytes(r->in, &total);
    check_counts(r, r->param_counts, n, total);
    return nci_unpack_status(r->in, err);
}

/* One more task; a name that is taken is a damaged list. */
static ncg_status list_task(reading *r, nci_task_spec *spec, ncg_error *err)
{
    NCI_TRY(next_name(r, &spec->name, err));
    ncg_status st = nci_tasks_add(r->tasks, spec, NULL, err);
    return st == NCG_EINVAL ? nci_unpack_damaged(r->in, err) : st;
}

static ncg_status list_tasks(reading *r, ncg_error *err)
{
    const int32_t *deps = r->items;
    const uint8_t *params = r->params;
    for (size_t t = 0; t < r->ntasks; t++) {
        nci_task_spec spec = {.kind = r->kinds[r->kind_of[t]],
                              .deps = deps,
                              .ndeps = (size_t)r->counts[t]};
        if (r->param_counts) {
            spec.params = params;
            spec.nparams = (size_t)r->param_counts[t];
            params += spec.nparams;
        }
        NCI_TRY(list_task(r, &spec, err));
        deps += r->counts[t];
    }
    return r->names && r->nnames ? nci_unpack_damaged(r->in, err) : NCG_OK;
}

static bool comes_after(const nci_foreign *before, const nci_foreign *key)
{
    return key->array == before->array ? key->chunk > before->chunk
                                       : key->array > before->array;
}

static ncg_status unpack_foreign(reading *r, int *narrays, ncg_error *err)
{
    nci_tasks *tasks = r->tasks;
    *narrays = (int)nci_unpack_i64(r->in, 0, INT32_MAX);
    int64_t n = nci_unpack_i64(r->in, *narrays, INT32_MAX);
    if ((uint64_t)n > r->in->size - r->in->at)
        r->in->failed = true;
    NCI_TRY(nci_unpack_status(r->in, err));
    tasks->foreign = nci_alloc(((size_t)n + 1) * sizeof *tasks->foreign);
    if (!tasks->foreign)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int64_t i = 0; i < n; i++) {
        nci_foreign *key = &tasks->foreign[i];
        key->array = (int)nci_unpack_i64(r->in, 0, INT32_MAX);
        key->chunk = nci_unpack_i64(r->in, 0, INT64_MAX);
        if (key->array >= *narrays || (i && !comes_after(key - 1, key)))
            r->in->failed = true;
    }
    tasks->nforeign = n;
    for (size_t i = 0; i < r->nitems; i++)
        if (r->items[i] < -n)
            r->in->failed = true;
    return nci_unpack_status(r->in, err);
}

/* The values of a list that stands for one of as many tasks. */
static ncg_status hold_values(reading *r, const uint8_t *is_held,
                              ncg_error *err)
{
    nci_tasks *held = NULL;
    NCI_TRY(nci_tasks_hold(r->tasks, NULL, NULL, 0, NULL, &held, err));
    nci_tasks_release(&r->tasks);
    r->tasks = held;
    for (size_t t = 0; t < r->ntasks; t++) {
        size_t nbytes = 0;
        nci_buf *value = NULL;
        if (!is_held[t])
            continue;
        const void *bytes = nci_unpack_bytes(r->in, &nbytes);
        NCI_TRY(nci_unpack_status(r->in, err));
        NCI_TRY(nci_buf_create(nbytes, &value, err));
        if (nbytes)
            memcpy(nci_buf_data(value), bytes, nbytes);
        nci_tasks_hold_value(held, (int64_t)t, value);
    }
    return NCG_OK;
}

static ncg_status unpack_held(reading *r, ncg_error *err)
{
    nci_task_spec spec = {.kind = {.name = ""}};
    nci_token token;
    token.low = (uint64_t)nci_unpack_i64(r->in, INT64_MIN, INT64_MAX);
    token.high = (uint64_t)nci_unpack_i64(r->in, INT64_MIN, INT64_MAX);
    const uint8_t *is_held = nci_unpack_bytes(r->in, &r->ntasks);
    if (!r->ntasks || r->ntasks > INT32_MAX - 1)
        r->in->failed = true;
    NCI_TRY(nci_unpack_status(r->in, err));
    r->tasks->token = token;
    for (size_t t = 0; t < r->ntasks; t++) {
        NCI_TRY(list_task(r, &spec, err));
    }
    return r->names && r->nnames ? nci_unpack_damaged(r->in, err)
                                 : hold_values(r, is_held, err);
}

static ncg_status unpack(reading *r, int *narrays, ncg_error *err)
{
    bool is_held = nci_unpack_i64(r->in, 0, 1);
    r->names = nci_unpack_bytes(r->in, &r->nnames);
    NCI_TRY(nci_unpack_status(r->in, err));
    if (!r->nnames)
        r->names = NULL;
    NCI_TRY(nci_tasks_create(&r->tasks, err));
    if (is_held)
        return unpack_held(r, err);
    NCI_TRY(unpack_kinds(r, err));
    NCI_TRY(unpack_deps(r, err));
    NCI_TRY(unpack_params(r, err));
    NCI_TRY(list_tasks(r, err));
    return unpack_foreign(r, narrays, err);
}

ncg_status nci_unpack_tasks(nci_unpack *in, nci_tasks **out, int *narrays,
                            ncg_error *err)
{
    reading r = {.in = in};
    int n = 0;
    ncg_status st = unpack(&r, &n, err);
    if (!st) {
        *out = r.tasks;
        *narrays = n;
        r.tasks = NULL;
    }
    reading_fini(&r);
    return st;
}

/* ---- completing ---------------------------------------------------------- */

static ncg_status check_chunks(const nci_tasks *tasks, ncg_error *err)
{
    nci_grid grid = {0};
    int at = -1;
    bool is_good = true;
    for (int64_t i = 0; is_good && i < tasks->nforeign; i++) {
        const nci_foreign *key = &tasks->foreign[i];
        if (key->array != at) {
            nci_grid_fini(&grid);
            at = key->array;
            NCI_TRY(nci_node_grid(tasks->arrays[at], &grid, err));
        }
        is_good = key->chunk < nci_grid_nchunks(&grid);
    }
    nci_grid_fini(&grid);
    return is_good ? NCG_OK
                   : nci_fail(err, NCG_ECORRUPT,
                              "a task needs a chunk that its array has not");
}

ncg_status nci_tasks_bind(nci_tasks *tasks, nci_node *const *arrays,
                          int narrays, ncg_error *err)
{
    if (tasks->is_held)
        return NCG_OK;
    tasks->arrays = nci_calloc((size_t)narrays + 1, sizeof *tasks->arrays);
    if (!tasks->arrays)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int i = 0; i < narrays; i++)
        tasks->arrays[tasks->narrays++] = nci_node_retain(arrays[i]);
    NCI_TRY(check_chunks(tasks, err));
    return nci_tasks_complete(tasks, err);
}
