/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What was computed, by key. An array of which every chunk was wanted lies in
 * one piece; a single chunk of it is copied out when somebody asks for it,
 * unless it lies in one piece as well.
 */
#include <stdatomic.h>
#include <string.h>

#include "api/results.h"
#include "base/dtype.h"
#include "base/mem.h"

/* ---- life ------------------------------------------------------------------
 */

ncg_status nci_results_create(ncg_context *ctx, size_t nitems,
                              ncg_results **out, ncg_error *err)
{
    ncg_results *r = nci_calloc(1, sizeof *r);
    if (r)
        r->items = nci_calloc(nitems + 1, sizeof *r->items);
    if (!r || !r->items) {
        nci_free(r);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    nci_handle_init(&r->handle, NCI_HANDLE_RESULTS);
    atomic_init(&r->refs, 1);
    r->ctx = nci_context_retain(ctx);
    pthread_mutex_init(&r->lock, NULL);
    *out = r;
    return NCG_OK;
}

ncg_results *ncg_results_retain(ncg_results *results)
{
    if (!results)
        return NULL;
    nci_handle_assert(&results->handle, NCI_HANDLE_RESULTS, __func__);
    atomic_fetch_add_explicit(&results->refs, 1, memory_order_relaxed);
    return results;
}

static void result_fini(nci_result *item)
{
    nci_node_release(&item->node);
    nci_tasks_release(&item->tasks);
    nci_tasks_release(&item->held);
    nci_grid_fini(&item->grid);
    nci_buf_release(&item->whole);
    for (int64_t i = 0; item->bufs && i < item->count; i++)
        nci_buf_release(&item->bufs[i]);
    nci_free(item->bufs);
    nci_free(item->list);
}

void ncg_results_release(ncg_results **slot)
{
    ncg_results *r = slot ? *slot : NULL;
    if (!r)
        return;
    nci_handle_assert(&r->handle, NCI_HANDLE_RESULTS, __func__);
    *slot = NULL;
    if (atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < r->nitems; i++)
        result_fini(&r->items[i]);
    nci_free(r->items);
    nci_context_release(&r->ctx);
    pthread_mutex_destroy(&r->lock);
    nci_handle_free(&r->handle);
}

/* ---- boxes in a row-major whole
 * ----------------------------------------------- */

/* Copies between an array and a box of it: rows that lie in one piece. */
void nci_box_move(const nci_node *node, const nci_box *box, void *whole,
                  void *part, bool to_whole)
{
    size_t size = ncg_dtype_size(node->dtype), run = size;
    int64_t at[NCG_MAX_RANK] = {0};
    int outer = box->rank;
    while (outer > 0) {
        run *= (size_t)box->count[--outer];
        if (box->count[outer] != node->shape[outer])
            break;
    }
    if (nci_box_is_empty(box))
        return;
    for (char *p = part;; p += run) {
        int64_t offset = 0;
        for (int d = 0; d < box->rank; d++)
            offset = offset * node->shape[d] + box->start[d] +
                     (d < outer ? at[d] : 0);
        char *w = (char *)whole + (size_t)offset * size;
        memcpy(to_whole ? w : p, to_whole ? p : w, run);
        int d = outer - 1;
        while (d >= 0 && ++at[d] == box->count[d])
            at[d--] = 0;
        if (d < 0)
            return;
    }
}

/* Where a chunk begins in the whole, if it lies there in one piece; or NULL. */
static void *find_in_whole(const nci_result *item, const nci_box *box)
{
    const nci_node *node = item->node;
    int64_t offset = 0;
    bool inner = true; /* all axes behind this one are whole */
    for (int d = box->rank - 1; d >= 0; d--) {
        if (!inner && box->count[d] != 1)
            return NULL;
        inner = inner && box->count[d] == node->shape[d];
    }
    for (int d = 0; d < box->rank; d++)
        offset = offset * node->shape[d] + box->start[d];
    return (char *)nci_buf_data(item->whole) +
           (size_t)offset * ncg_dtype_size(node->dtype);
}

/* ---- finding
 * ----------------------------------------------------------------- */

static ncg_status not_there(const ncg_key *key, ncg_error *err)
{
    char text[NCG_KEY_TEXT_SIZE];
    return nci_fail(err, NCG_EINVAL, "%s is not among the results",
                    nci_key_text(key, text, sizeof text));
}

static nci_result *find_item(const ncg_results *r, const char *layer)
{
    nci_token token;
    if (!nci_token_parse(layer, &token))
        return NULL;
    for (size_t i = 0; i < r->nitems; i++)
        if (nci_token_equal(r->items[i].token, token))
            return &r->items[i];
    return NULL;
}

int64_t nci_result_place(const nci_result *item, int64_t number)
{
    int64_t low = 0, high = item->count;
    if (!item->list)
        return number < item->count ? number : -1;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (item->list[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < item->count && item->list[low] == number ? low : -1;
}

static int64_t number_of(const nci_result *item, const ncg_key *key)
{
    if (item->tasks)
        return key->rank == 1 ? key->index[0] : -1;
    if (key->rank != item->grid.rank)
        return -1;
    for (int d = 0; d < key->rank; d++)
        if (key->index[d] < 0 || key->index[d] >= item->grid.axis[d].nchunks)
            return -1;
    return nci_grid_number(&item->grid, key->index);
}

/* A chunk of a whole in a piece of its own, made once. */
static ncg_status copy_chunk(ncg_results *r, nci_result *item, int64_t place,
                             const nci_box *box, void **out, ncg_error *err)
{
    size_t nbytes =
        (size_t)nci_box_size(box) * ncg_dtype_size(item->node->dtype);
    ncg_status st = NCG_OK;
    pthread_mutex_lock(&r->lock);
    if (!item->bufs) {
        item->bufs = nci_calloc((size_t)item->count + 1, sizeof *item->bufs);
        if (!item->bufs)
            st = nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    if (!st && !item->bufs[place]) {
        st = nci_buf_create(nbytes, &item->bufs[place], err);
        if (!st)
            nci_box_move(item->node, box, nci_buf_data(item->whole),
                         nci_buf_data(item->bufs[place]), false);
    }
    if (!st)
        *out = nci_buf_data(item->bufs[place]);
    pthread_mutex_unlock(&r->lock);
    return st;
}

static ncg_status find_value(ncg_results *r, const ncg_key *key,
                             const nci_result **found, ncg_value *out,
                             nci_box *box, ncg_error *err)
{
    nci_result *item = find_item(r, key->layer);
    int64_t number = item ? number_of(item, key) : -1;
    int64_t place = number < 0 ? -1 : nci_result_place(item, number);
    if (place < 0)
        return not_there(key, err);
    *found = item;
    if (item->tasks) {
        *out = (ncg_value){.data = nci_buf_data(item->bufs[place]),
                           .nbytes = nci_buf_size(item->bufs[place])};
        return NCG_OK;
    }
    *box = nci_grid_box(&item->grid, number);
    ncg_value value = {.nbytes = (size_t)nci_box_size(box) *
                                 ncg_dtype_size(item->node->dtype)};
    value.data = item->whole ? find_in_whole(item, box)
                             : nci_buf_data(item->bufs[place]);
    if (!value.data)
        NCI_TRY(copy_chunk(r, item, place, box, &value.data, err));
    *out = value;
    return NCG_OK;
}

ncg_status ncg_results_value(const ncg_results *results, const ncg_key *key,
                             ncg_value *out, ncg_error *err)
{
    const nci_result *item = NULL;
    nci_box box;
    if (!results || !key || !out)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(nci_handle_check(&results->handle, NCI_HANDLE_RESULTS, err));
    return find_value((ncg_results *)results, key, &item, out, &box, err);
}

ncg_status ncg_results_chunk(const ncg_results *results, const ncg_key *key,
                             ncg_chunk *out, ncg_error *err)
{
    const nci_result *item = NULL;
    ncg_value value;
    nci_box box;
    if (!results || !key || !out)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(nci_handle_check(&results->handle, NCI_HANDLE_RESULTS, err));
    NCI_TRY(find_value((ncg_results *)results, key, &item, &value, &box, err));
    if (item->tasks)
        return nci_fail(err, NCG_EINVAL,
                        "an explicit task leaves a value, no chunk: use "
                        "ncg_results_value");
    const nci_node *node = item->node;
    *out = (ncg_chunk){.dtype = node->dtype,
                       .rank = node->rank,
                       .data = value.data,
                       .has_missing = node->has_missing};
    memcpy(out->missing, node->missing, sizeof out->missing);
    memcpy(out->start, box.start, sizeof out->start);
    memcpy(out->count, box.count, sizeof out->count);
    memcpy(out->shape, node->shape, sizeof out->shape);
    return NCG_OK;
}

/* ---- arrays in memory
 * ---------------------------------------------------------- */

ncg_status nci_results_node(const ncg_results *results, nci_token token,
                            nci_node **out, ncg_error *err)
{
    char text[33];
    nci_token_text(token, text);
    const nci_result *item = find_item(results, text);
    if (!item || !item->whole)
        return nci_fail(err, NCG_EINVAL,
                        "the results do not hold every chunk of layer %s",
                        text);
    const nci_node *node = item->node;
    nci_node *made = NULL;
    NCI_TRY(nci_node_const(node->dtype, node->rank, node->shape, item->whole,
                           node->has_missing ? node->missing : NULL, &made,
                           err));
    made->name = node->name;
    *out = made;
    return NCG_OK;
}

ncg_status ncg_results_array(const ncg_results *results, const char *layer,
                             ncg_array **out, ncg_error *err)
{
    nci_token token;
    nci_node *node = NULL;
    if (!results || !layer || !out)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(nci_handle_check(&results->handle, NCI_HANDLE_RESULTS, err));
    if (!nci_token_parse(layer, &token))
        return nci_fail(err, NCG_EINVAL, "\"%.40s\" is no layer", layer);
    NCI_TRY(nci_results_node(results, token, &node, err));
    ncg_status st = nci_array_wrap(results->ctx, node, out, err);
    if (st)
        nci_node_release(&node);
    return st;
}

const void *ncg_array_data(const ncg_array *array)
{
    if (!array)
        return NULL;
    nci_handle_assert(&array->handle, NCI_HANDLE_ARRAY, __func__);
    return array->node->kind == NCI_NODE_CONST ? nci_buf_data(array->node->data)
                                               : NULL;
}

void ncg_array_token(const ncg_array *array, char out[33])
{
    if (out)
        out[0] = '\0';
    if (!array || !out)
        return;
    nci_handle_assert(&array->handle, NCI_HANDLE_ARRAY, __func__);
    nci_token_text(array->node->token, out);
}
