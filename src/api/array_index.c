/* SPDX-License-Identifier: BSD-3-Clause */
/* Selection by position: slices, positions, lists, masks, new axes. */
#include <string.h>

#include "api/arrays.h"
#include "base/mem.h"

/* Python's rules for start:stop:step. */
static int64_t clamp_index(int64_t i, int64_t n, int64_t step)
{
    if (i < 0)
        i += n;
    if (i < 0)
        return step > 0 ? 0 : -1;
    return i >= n ? (step > 0 ? n : n - 1) : i;
}

static ncg_status pick_slice(const ncg_index *index, int axis, int64_t n,
                             nci_pick *out, ncg_error *err)
{
    int64_t step = index->step == NCG_OMIT ? 1 : index->step;
    int64_t first = step > 0 ? 0 : n - 1, end = step > 0 ? n : -1;
    if (step == 0)
        return nci_fail(err, NCG_EINVAL, "step 0 along axis %d", axis);
    if (index->start != NCG_OMIT)
        first = clamp_index(index->start, n, step);
    if (index->stop != NCG_OMIT)
        end = clamp_index(index->stop, n, step);
    int64_t span = step > 0 ? end - first : first - end;
    int64_t stride = step > 0 ? step : -step;
    *out = (nci_pick){.step = 1};
    if (span <= 0)
        return NCG_OK; /* of nothing, as NumPy does it */
    if (stride > span)
        step = 1; /* one position, whatever the step */
    *out = (nci_pick){.count = (span - 1) / stride + 1,
                      .start = first,
                      .step = step};
    return NCG_OK;
}

static ncg_status position(int64_t at, int axis, int64_t n, int64_t *out,
                           ncg_error *err)
{
    if (at < -n || at >= n)
        return nci_fail(err, NCG_EINVAL,
                        "position %lld is outside axis %d, which has %lld",
                        (long long)at, axis, (long long)n);
    *out = at < 0 ? at + n : at;
    return NCG_OK;
}

static ncg_status pick_list(const ncg_index *index, int axis, int64_t n,
                            int64_t *room, nci_pick *out, ncg_error *err)
{
    for (size_t i = 0; i < index->count; i++)
        NCI_TRY(position(index->list[i], axis, n, &room[i], err));
    *out = (nci_pick){.count = (int64_t)index->count, .index = room};
    return NCG_OK;
}

static ncg_status pick_mask(const ncg_index *index, int axis, int64_t n,
                            int64_t *room, nci_pick *out, ncg_error *err)
{
    if ((int64_t)index->count != n)
        return nci_fail(err, NCG_EINVAL,
                        "a mask of %zu values for axis %d, which has %lld "
                        "positions",
                        index->count, axis, (long long)n);
    *out = (nci_pick){.index = room};
    for (int64_t i = 0; i < n; i++)
        if (index->mask[i])
            room[out->count++] = i;
    return NCG_OK;
}

/* What is being selected: picks of the input's axes, then a view that drops
 * some and adds others. */
typedef struct selection {
    const nci_node *input;
    int next; /* axis of the input */
    nci_pick picks[NCG_MAX_RANK];
    int64_t *rooms[NCG_MAX_RANK]; /* owned */
    int rank;
    int axis[NCG_MAX_RANK];
    int64_t shape[NCG_MAX_RANK];
    bool viewed;
} selection;

static ncg_status add_axis(selection *s, int from, ncg_error *err)
{
    if (s->rank == NCG_MAX_RANK)
        return nci_fail(err, NCG_EINVAL,
                        "the result has more than %d axes", NCG_MAX_RANK);
    s->axis[s->rank] = from;
    s->shape[s->rank++] = from < 0 ? 1 : s->picks[from].count;
    return NCG_OK;
}

static ncg_status take_listed(selection *s, const ncg_index *index,
                              ncg_error *err)
{
    int a = s->next;
    bool is_mask = index->kind == NCG_INDEX_MASK;
    const void *given = is_mask ? (const void *)index->mask : index->list;
    size_t nbytes;
    if (!given)
        return nci_array_null(is_mask ? "a mask" : "a list of positions", err);
    if (!nci_mul_size(index->count, sizeof(int64_t), &nbytes))
        return nci_fail(err, NCG_EINVAL, "a list of %zu positions",
                        index->count);
    s->rooms[a] = nci_alloc(nbytes);
    if (!s->rooms[a])
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    NCI_TRY((is_mask ? pick_mask : pick_list)(index, a, s->input->shape[a],
                                              s->rooms[a], &s->picks[a], err));
    return NCG_OK;
}

static ncg_status take(selection *s, const ncg_index *index, ncg_error *err)
{
    int a = s->next;
    if (index->kind == NCG_INDEX_NEWAXIS) {
        s->viewed = true;
        return add_axis(s, -1, err);
    }
    if (a >= s->input->rank)
        return nci_fail(err, NCG_EINVAL,
                        "more indices than the array has axes, which are %d",
                        s->input->rank);
    switch (index->kind) {
    case NCG_INDEX_SLICE:
        NCI_TRY(pick_slice(index, a, s->input->shape[a], &s->picks[a], err));
        break;
    case NCG_INDEX_AT:
        s->picks[a] = (nci_pick){.count = 1, .step = 1};
        s->viewed = true;
        s->next++;
        return position(index->start, a, s->input->shape[a],
                        &s->picks[a].start, err);
    case NCG_INDEX_LIST:
    case NCG_INDEX_MASK:
        NCI_TRY(take_listed(s, index, err));
        break;
    default:
        return nci_fail(err, NCG_EINVAL, "unknown kind of index %d",
                        (int)index->kind);
    }
    s->next++;
    return add_axis(s, a, err);
}

static ncg_status take_all(selection *s, const ncg_index *index, size_t nindex,
                           ncg_error *err)
{
    static const ncg_index whole = {.kind = NCG_INDEX_SLICE,
                                    .start = NCG_OMIT,
                                    .stop = NCG_OMIT,
                                    .step = 1};
    for (size_t i = 0; i < nindex; i++)
        NCI_TRY(take(s, &index[i], err));
    while (s->next < s->input->rank)
        NCI_TRY(take(s, &whole, err));
    return NCG_OK;
}

ncg_status ncg_array_index(ncg_array *array, const ncg_index *index,
                           size_t nindex, ncg_array **out, ncg_error *err)
{
    NCI_TRY(nci_array_check(array, err));
    if (!out || (nindex && !index))
        return nci_array_null(out ? "the list of indices"
                                  : "the place for the result",
                              err);
    selection s = {.input = array->node};
    nci_node *picked = NULL, *node = NULL;
    ncg_status st = take_all(&s, index, nindex, err);
    if (!st)
        st = nci_node_select(array->node, s.picks, &picked, err);
    if (!st && s.viewed)
        st = nci_ops_view(picked, s.rank, s.shape, s.axis, &node, err);
    else if (!st)
        node = nci_node_retain(picked);
    nci_node_release(&picked);
    for (int a = 0; a < NCG_MAX_RANK; a++)
        nci_free(s.rooms[a]);
    return nci_array_done(array->ctx, st, node, out, err);
}

ncg_status ncg_array_slice(ncg_array *array, int axis, int64_t start,
                           int64_t stop, int64_t step, ncg_array **out,
                           ncg_error *err)
{
    int d = 0;
    ncg_index index[NCG_MAX_RANK];
    NCI_TRY(nci_array_check(array, err));
    NCI_TRY(nci_array_axis(array->node->rank, axis, &d, err));
    for (int a = 0; a <= d; a++)
        index[a] = (ncg_index){.kind = NCG_INDEX_SLICE,
                               .start = NCG_OMIT,
                               .stop = NCG_OMIT,
                               .step = 1};
    index[d].start = start;
    index[d].stop = stop;
    index[d].step = step;
    return ncg_array_index(array, index, (size_t)d + 1, out, err);
}
