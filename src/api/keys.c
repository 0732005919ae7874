/* SPDX-License-Identifier: BSD-3-Clause */
/* Sets of keys. All chunks of an array are named by its grid, not one by one,
 * so that asking for them is cheap however many they are. */
#include <stdatomic.h>
#include <string.h>

#include "api/graph.h"
#include "base/mem.h"

char *ncg_key_text(const ncg_key *key, char *out, size_t size)
{
    if (key && out)
        nci_key_text(key, out, size);
    else if (out && size)
        out[0] = '\0';
    return out;
}

ncg_status ncg_key_parse(const char *text, ncg_key *out, ncg_error *err)
{
    if (!text || !out)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    return nci_key_parse(text, out, err);
}

/* ---- life ------------------------------------------------------------------
 */

ncg_keys *nci_keys_create(void)
{
    ncg_keys *keys = nci_calloc(1, sizeof *keys);
    if (!keys)
        return NULL;
    nci_handle_init(&keys->handle, NCI_HANDLE_KEYS);
    atomic_init(&keys->refs, 1);
    return keys;
}

ncg_keys *ncg_keys_retain(ncg_keys *keys)
{
    if (!keys)
        return NULL;
    nci_handle_assert(&keys->handle, NCI_HANDLE_KEYS, __func__);
    atomic_fetch_add_explicit(&keys->refs, 1, memory_order_relaxed);
    return keys;
}

void ncg_keys_release(ncg_keys **slot)
{
    ncg_keys *keys = slot ? *slot : NULL;
    if (!keys)
        return;
    nci_handle_assert(&keys->handle, NCI_HANDLE_KEYS, __func__);
    *slot = NULL;
    if (atomic_fetch_sub_explicit(&keys->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < keys->nparts; i++) {
        nci_grid_fini(&keys->parts[i].grid);
        nci_free(keys->parts[i].index);
    }
    nci_free(keys->parts);
    nci_handle_free(&keys->handle);
}

/* ---- making
 * ------------------------------------------------------------------ */

static nci_key_part *add_part(ncg_keys *keys, nci_token token, int rank)
{
    if (!nci_grow(&keys->parts, &keys->capacity, keys->nparts + 1,
                  sizeof *keys->parts))
        return NULL;
    nci_key_part *part = &keys->parts[keys->nparts++];
    *part = (nci_key_part){.token = token, .rank = rank};
    return part;
}

static const nci_key_part *find_all(const ncg_keys *keys, nci_token token)
{
    for (size_t i = 0; i < keys->nparts; i++)
        if (keys->parts[i].is_all &&
            nci_token_equal(keys->parts[i].token, token))
            return &keys->parts[i];
    return NULL;
}

bool nci_keys_has(const ncg_keys *keys, nci_token token)
{
    for (size_t i = 0; i < keys->nparts; i++)
        if (nci_token_equal(keys->parts[i].token, token))
            return true;
    return false;
}

ncg_status nci_keys_add_all(ncg_keys *keys, const nci_node *node,
                            ncg_error *err)
{
    if (find_all(keys, node->token))
        return NCG_OK;
    nci_key_part *part = add_part(keys, node->token, node->rank);
    if (!part)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    NCI_TRY(nci_node_grid(node, &part->grid, err));
    part->is_all = true;
    part->count = nci_grid_nchunks(&part->grid);
    return NCG_OK;
}

static ncg_status finish(ncg_status st, ncg_keys *keys, ncg_keys **out)
{
    if (st)
        ncg_keys_release(&keys);
    else
        *out = keys;
    return st;
}

ncg_status ncg_keys_all(ncg_array *array, ncg_keys **out, ncg_error *err)
{
    if (!array || !out)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(nci_handle_check(&array->handle, NCI_HANDLE_ARRAY, err));
    ncg_keys *keys = nci_keys_create();
    if (!keys)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    return finish(nci_keys_add_all(keys, array->node, err), keys, out);
}

ncg_status ncg_keys_tasks(const ncg_tasks *tasks, ncg_keys **out,
                          ncg_error *err)
{
    if (!tasks || !out)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(nci_handle_check(&tasks->handle, NCI_HANDLE_TASKS, err));
    const nci_tasks *list = tasks->list;
    ncg_keys *keys = nci_keys_create();
    nci_key_part *part = keys ? add_part(keys, nci_tasks_token(list), 1) : NULL;
    if (!part) {
        ncg_keys_release(&keys);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    part->is_all = true;
    part->count = nci_tasks_count(list);
    *out = keys;
    return NCG_OK;
}

/* How many of the keys from the first one on are of its layer and rank. */
static size_t run_length(const ncg_key *keys, size_t n)
{
    size_t i = 1;
    while (i < n && keys[i].rank == keys[0].rank &&
           !strncmp(keys[i].layer, keys[0].layer, sizeof keys[0].layer))
        i++;
    return i;
}

static ncg_status add_run(ncg_keys *keys, const ncg_key *run, size_t n,
                          ncg_error *err)
{
    nci_token token;
    char text[NCG_KEY_TEXT_SIZE];
    int rank = run->rank;
    if (run->layer[32] || !nci_token_parse(run->layer, &token) || rank < 0 ||
        rank > NCG_MAX_RANK)
        return nci_fail(err, NCG_EINVAL, "%s is no key",
                        nci_key_text(run, text, sizeof text));
    nci_key_part *part = add_part(keys, token, rank);
    if (!part)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    part->index = nci_alloc((n * (size_t)rank + 1) * sizeof *part->index);
    if (!part->index)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        memcpy(part->index + i * (size_t)rank, run[i].index,
               (size_t)rank * sizeof *part->index);
    part->count = (int64_t)n;
    return NCG_OK;
}

ncg_status ncg_keys_list(const ncg_key *list, size_t n, ncg_keys **out,
                         ncg_error *err)
{
    if ((n && !list) || !out)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    ncg_keys *keys = nci_keys_create();
    ncg_status st = keys ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t at = 0; !st && at < n;) {
        size_t length = run_length(list + at, n - at);
        st = add_run(keys, list + at, length, err);
        at += length;
    }
    return finish(st, keys, out);
}

static ncg_status copy_part(ncg_keys *keys, const nci_key_part *from,
                            ncg_error *err)
{
    if (find_all(keys, from->token))
        return NCG_OK;
    nci_key_part *part = add_part(keys, from->token, from->rank);
    if (!part)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    if (from->index) {
        size_t n = (size_t)from->count * (size_t)from->rank;
        part->index = nci_alloc((n + 1) * sizeof *part->index);
        if (!part->index)
            return nci_fail(err, NCG_ENOMEM, "out of memory");
        memcpy(part->index, from->index, n * sizeof *part->index);
    } else {
        NCI_TRY(nci_grid_copy(&from->grid, &part->grid, err));
    }
    part->is_all = from->is_all;
    part->count = from->count;
    return NCG_OK;
}

ncg_status ncg_keys_join(ncg_keys *const *list, size_t n, ncg_keys **out,
                         ncg_error *err)
{
    if ((n && !list) || !out)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    ncg_keys *keys = nci_keys_create();
    ncg_status st = keys ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t i = 0; !st && i < n; i++) {
        st = list[i]
                 ? nci_handle_check(&list[i]->handle, NCI_HANDLE_KEYS, err)
                 : nci_fail(err, NCG_EINVAL, "keys %zu are NULL", i);
        for (size_t k = 0; !st && k < list[i]->nparts; k++)
            st = copy_part(keys, &list[i]->parts[k], err);
    }
    return finish(st, keys, out);
}

/* ---- looking
 * ----------------------------------------------------------------- */

int64_t ncg_keys_count(const ncg_keys *keys)
{
    int64_t n = 0;
    if (!keys)
        return 0;
    nci_handle_assert(&keys->handle, NCI_HANDLE_KEYS, __func__);
    for (size_t i = 0; i < keys->nparts; i++)
        n += keys->parts[i].count;
    return n;
}

ncg_status ncg_keys_at(const ncg_keys *keys, int64_t i, ncg_key *out,
                       ncg_error *err)
{
    if (!keys || !out)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(nci_handle_check(&keys->handle, NCI_HANDLE_KEYS, err));
    size_t p = 0;
    int64_t at = i;
    while (p < keys->nparts && at >= keys->parts[p].count)
        at -= keys->parts[p++].count;
    if (i < 0 || p == keys->nparts)
        return nci_fail(err, NCG_EINVAL, "no key %lld of %lld", (long long)i,
                        (long long)ncg_keys_count(keys));
    const nci_key_part *part = &keys->parts[p];
    ncg_key key = {.rank = part->rank};
    nci_token_text(part->token, key.layer);
    if (part->index)
        memcpy(key.index, part->index + at * part->rank,
               (size_t)part->rank * sizeof *key.index);
    else if (part->grid.rank || !part->rank)
        nci_grid_index(&part->grid, at, key.index);
    else
        key.index[0] = at; /* tasks have no grid */
    *out = key;
    return NCG_OK;
}
