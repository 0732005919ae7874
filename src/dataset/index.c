/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Indices: the values along a dimension as labels that can be compared and
 * ordered, whatever they are: numbers by their order-preserving bits, times as
 * microseconds in their calendar, text by its interned pointer. Joining sorts
 * the labels of all indices together once.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "dataset/combine.h"
#include "dataset/units.h"

/* ---- reading ------------------------------------------------------------- */

/* Bits of a double, ordered as the numbers are; both zeros are one. */
static nci_us number_label(double x)
{
    int64_t bits;
    x = x == 0 ? 0 : x;
    memcpy(&bits, &x, sizeof bits);
    return bits < 0 ? (nci_us)INT64_MIN - bits : bits;
}

static int find_index(const nci_model *model, int dim)
{
    int v = nci_model_find_var(model, model->dims[dim].name);
    const nci_variable *var = v < 0 ? NULL : &model->vars[v];
    if (!var || var->rank != 1 || var->dims[0] != dim || !var->array ||
        var->array->kind != NCI_NODE_CONST)
        return -1;
    ncg_dtype dtype = var->array->dtype;
    return nci_dtype_is_numeric(dtype) || dtype == NCG_DTYPE_STRING ? v : -1;
}

static void read_text(const nci_node *node, nci_index *out)
{
    const char *const *text = nci_buf_data(node->data);
    out->is_text = true;
    for (int64_t i = 0; i < out->count; i++)
        out->labels[i] = (nci_us)(uintptr_t)text[i];
}

static ncg_status read_numbers(const nci_variable *var, nci_index *out,
                               ncg_error *err)
{
    int64_t n;
    NCI_TRY(nci_variable_values(var, &out->values, &n, err));
    out->is_time = nci_variable_is_dates(var);
    if (out->is_time)
        NCI_TRY(nci_variable_time_units(var, &out->units, err));
    for (int64_t i = 0; i < n; i++) {
        bool moment = out->is_time && nci_time_is_number(out->values[i]);
        out->labels[i] = moment
                             ? nci_time_absolute_us(&out->units, out->values[i])
                             : number_label(out->values[i]);
    }
    return NCG_OK;
}

ncg_status nci_index_read(const nci_model *model, const char *name,
                          nci_index *out, ncg_error *err)
{
    nci_index index = {.var = -1, .dim = nci_model_find_dim(model, name)};
    ncg_status st = NCG_OK;
    if (index.dim < 0) {
        *out = index;
        return NCG_OK;
    }
    index.name = model->dims[index.dim].name;
    index.count = model->dims[index.dim].size;
    index.var = find_index(model, index.dim);
    if (index.var >= 0) {
        const nci_variable *var = &model->vars[index.var];
        index.unit_text = nci_attrs_text(&var->attrs, "units");
        index.labels =
            nci_alloc(((size_t)index.count + 1) * sizeof *index.labels);
        if (!index.labels)
            st = nci_fail(err, NCG_ENOMEM, "%s: out of memory", name);
        else if (var->array->dtype == NCG_DTYPE_STRING)
            read_text(var->array, &index);
        else
            st = read_numbers(var, &index, err);
    }
    if (st) {
        nci_index_fini(&index);
        return st;
    }
    *out = index;
    return NCG_OK;
}

void nci_index_fini(nci_index *index)
{
    nci_free(index->labels);
    nci_free(index->values);
    *index = (nci_index){.var = -1};
}

static const char *text_of(nci_us label)
{
    return (const char *)(uintptr_t)label;
}

char *nci_index_text(const nci_index *index, int64_t i,
                     char out[NCI_LABEL_TEXT])
{
    char date[NCI_DATE_TEXT];
    if (index->is_text) {
        snprintf(out, NCI_LABEL_TEXT, "\"%.60s\"", text_of(index->labels[i]));
    } else if (index->is_time && nci_time_is_number(index->values[i])) {
        nci_date d = nci_time_decode(&index->units, index->values[i]);
        snprintf(out, NCI_LABEL_TEXT, "%s",
                 nci_date_format(index->units.calendar, &d, date));
    } else {
        snprintf(out, NCI_LABEL_TEXT, "%.10g", index->values[i]);
    }
    return out;
}

double nci_index_value(const nci_index *from, int64_t i, const nci_index *to)
{
    double x = from->values[i];
    bool same = from->units.unit_us == to->units.unit_us &&
                from->units.epoch_day == to->units.epoch_day &&
                from->units.epoch_us == to->units.epoch_us;
    if (from == to || !from->is_time || same || !nci_time_is_number(x))
        return x;
    return nci_time_from_absolute(&to->units, from->labels[i]);
}

bool nci_index_equal(const nci_index *a, const nci_index *b)
{
    return a->count == b->count &&
           !memcmp(a->labels, b->labels, (size_t)a->count * sizeof *a->labels);
}

/* ---- what can be compared ------------------------------------------------ */

static ncg_status check_kinds(const nci_index *a, size_t i, const nci_index *b,
                              size_t j, ncg_error *err)
{
    if (a->is_text != b->is_text || a->is_time != b->is_time)
        return nci_fail(err, NCG_EMISMATCH,
                        "data sets %zu and %zu: %s is %s in one and %s in the "
                        "other",
                        i + 1, j + 1, a->name,
                        a->is_text   ? "text"
                        : a->is_time ? "a time"
                                     : "a number",
                        b->is_text   ? "text"
                        : b->is_time ? "a time"
                                     : "a number");
    if (a->is_time && a->units.calendar != b->units.calendar)
        return nci_fail(err, NCG_EMISMATCH,
                        "data sets %zu and %zu: %s: calendars differ: %s and "
                        "%s",
                        i + 1, j + 1, a->name,
                        nci_calendar_name(a->units.calendar),
                        nci_calendar_name(b->units.calendar));
    if (!a->is_time && a->unit_text && b->unit_text &&
        !nci_units_equal(a->unit_text, b->unit_text))
        return nci_fail(err, NCG_EMISMATCH,
                        "data sets %zu and %zu: %s: units differ: %s and %s; "
                        "convert one of them",
                        i + 1, j + 1, a->name, a->unit_text, b->unit_text);
    return NCG_OK;
}

static ncg_status fail_sizes(const nci_index *a, size_t i, const nci_index *b,
                             size_t j, const char *why, ncg_error *err)
{
    return nci_fail(err, NCG_EMISMATCH,
                    "data sets %zu and %zu: dimension %s has %" PRId64
                    " and %" PRId64 " positions%s",
                    i + 1, j + 1, a->name, a->count, b->count, why);
}

static ncg_status fail_exact(const nci_index *a, size_t i, const nci_index *b,
                             size_t j, ncg_error *err)
{
    char x[NCI_LABEL_TEXT], y[NCI_LABEL_TEXT];
    static const char remedy[] = "join inner keeps what they share, outer "
                                 "fills with missing values";
    int64_t n = a->count < b->count ? a->count : b->count, at = 0;
    while (at < n && a->labels[at] == b->labels[at])
        at++;
    if (at == n)
        return nci_fail(err, NCG_EMISMATCH,
                        "data sets %zu and %zu: %s has %" PRId64 " and %" PRId64
                        " positions; %s",
                        i + 1, j + 1, a->name, a->count, b->count, remedy);
    return nci_fail(err, NCG_EMISMATCH,
                    "data sets %zu and %zu: %s differs at position %" PRId64
                    ": %s and %s; %s",
                    i + 1, j + 1, a->name, at, nci_index_text(a, at, x),
                    nci_index_text(b, at, y), remedy);
}

/* ---- joining ------------------------------------------------------------- */

/* A label, and where it stands. */
typedef struct place {
    nci_us label;
    size_t index;
    int64_t position;
} place;

static int compare_places(const void *a, const void *b, void *is_text)
{
    const place *p = a, *q = b;
    if (p->label != q->label) {
        int order = *(bool *)is_text
                        ? strcmp(text_of(p->label), text_of(q->label))
                        : (p->label > q->label) - (p->label < q->label);
        if (order)
            return order;
    }
    if (p->index != q->index)
        return p->index < q->index ? -1 : 1;
    return (p->position > q->position) - (p->position < q->position);
}

/* One join under way: the places of all labels, sorted. */
typedef struct joining {
    const nci_index *indices;
    size_t n;
    ncg_join join;
    place *places;
    size_t nplaces;
    int64_t *wanted; /* places that begin the labels of the result, in order */
    int64_t count;
} joining;

static ncg_status sort_places(joining *j, ncg_error *err)
{
    size_t total = 1;
    bool is_text = false;
    for (size_t k = 0; k < j->n; k++)
        total += j->indices[k].var >= 0 ? (size_t)j->indices[k].count : 0;
    j->places = nci_alloc(total * sizeof *j->places);
    j->wanted = nci_alloc(total * sizeof *j->wanted);
    if (!j->places || !j->wanted)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t k = 0; k < j->n; k++) {
        const nci_index *index = &j->indices[k];
        is_text = is_text || index->is_text;
        for (int64_t i = 0; index->var >= 0 && i < index->count; i++)
            j->places[j->nplaces++] = (place){index->labels[i], k, i};
    }
    qsort_r(j->places, j->nplaces, sizeof *j->places, compare_places, &is_text);
    return NCG_OK;
}

static ncg_status check_unique(const joining *j, ncg_error *err)
{
    char text[NCI_LABEL_TEXT];
    for (size_t i = 1; i < j->nplaces; i++) {
        const place *p = &j->places[i - 1], *q = &j->places[i];
        if (p->label == q->label && p->index == q->index) {
            const nci_index *index = &j->indices[p->index];
            return nci_fail(err, NCG_EMISMATCH,
                            "data set %zu: %s is %s at positions %" PRId64
                            " and %" PRId64
                            ": only an index without repetitions can be "
                            "aligned; select one of them",
                            p->index + 1, index->name,
                            nci_index_text(index, p->position, text),
                            p->position, q->position);
        }
    }
    return NCG_OK;
}

static size_t run_end(const joining *j, size_t begin)
{
    size_t end = begin + 1;
    while (end < j->nplaces && j->places[end].label == j->places[begin].label)
        end++;
    return end;
}

static bool run_has(const joining *j, size_t begin, size_t end, size_t index)
{
    for (size_t i = begin; i < end; i++)
        if (j->places[i].index == index)
            return true;
    return false;
}

static bool falls(const nci_index *index)
{
    for (int64_t i = 1; i < index->count; i++)
        if (index->is_text || index->labels[i] >= index->labels[i - 1])
            return false;
    return index->count > 1;
}

/* A union is sorted as pandas sorts it, but where all indices fall, as
 * latitudes from north to south and pressures upward do, it falls. */
static bool is_falling(const joining *j)
{
    bool any = false;
    for (size_t k = 0; k < j->n; k++) {
        if (j->indices[k].var < 0 || j->indices[k].count < 2)
            continue;
        if (!falls(&j->indices[k]))
            return false;
        any = true;
    }
    return any;
}

static int compare_first(const void *a, const void *b, void *arg)
{
    const joining *j = arg;
    int64_t p = j->places[*(const int64_t *)a].position;
    int64_t q = j->places[*(const int64_t *)b].position;
    return (p > q) - (p < q);
}

/* Chooses the labels of the result: runs of places, in order. */
static void choose(joining *j, size_t reference, size_t nindices)
{
    for (size_t i = 0; i < j->nplaces; i = run_end(j, i)) {
        size_t end = run_end(j, i);
        bool is_in = j->join == NCG_JOIN_INNER ? end - i == nindices
                     : j->join == NCG_JOIN_OUTER
                         ? true
                         : run_has(j, i, end, reference);
        size_t at = i;
        while (is_in && j->join != NCG_JOIN_OUTER &&
               j->places[at].index != reference)
            at++;
        if (is_in)
            j->wanted[j->count++] = (int64_t)at;
    }
    if (j->join != NCG_JOIN_OUTER)
        qsort_r(j->wanted, (size_t)j->count, sizeof *j->wanted, compare_first,
                j);
    else if (is_falling(j))
        for (int64_t a = 0, b = j->count - 1; a < b; a++, b--) {
            int64_t swap = j->wanted[a];
            j->wanted[a] = j->wanted[b];
            j->wanted[b] = swap;
        }
}

static ncg_status place_all(const joining *j, nci_joined *out, ncg_error *err)
{
    out->count = j->count;
    for (size_t k = 0; k < j->n; k++) {
        if (j->indices[k].var < 0)
            continue;
        out->positions[k] =
            nci_alloc(((size_t)j->count + 1) * sizeof **out->positions);
        if (!out->positions[k])
            return nci_fail(err, NCG_ENOMEM, "out of memory");
        for (int64_t i = 0; i < j->count; i++)
            out->positions[k][i] = -1;
    }
    for (int64_t i = 0; i < j->count; i++) {
        size_t at = (size_t)j->wanted[i];
        nci_us label = j->places[at].label;
        while (at > 0 && j->places[at - 1].label == label)
            at--;
        for (; at < j->nplaces && j->places[at].label == label; at++)
            out->positions[j->places[at].index][i] = j->places[at].position;
    }
    return NCG_OK;
}

static ncg_status fail_disjoint(const nci_index *a, size_t i,
                                const nci_index *b, size_t k, ncg_error *err)
{
    char w[NCI_LABEL_TEXT], x[NCI_LABEL_TEXT], y[NCI_LABEL_TEXT],
        z[NCI_LABEL_TEXT];
    if (!a->count || !b->count)
        return nci_fail(err, NCG_EMISMATCH, "dimension %s is empty", a->name);
    return nci_fail(err, NCG_EMISMATCH,
                    "data sets %zu and %zu share no value of %s: %s to %s and "
                    "%s to %s",
                    i + 1, k + 1, a->name, nci_index_text(a, 0, w),
                    nci_index_text(a, a->count - 1, x), nci_index_text(b, 0, y),
                    nci_index_text(b, b->count - 1, z));
}

static ncg_status join_labels(joining *j, size_t first, size_t last,
                              size_t nindices, nci_joined *out, ncg_error *err)
{
    size_t reference = j->join == NCG_JOIN_RIGHT ? last : first;
    NCI_TRY(sort_places(j, err));
    NCI_TRY(check_unique(j, err));
    choose(j, reference, nindices);
    if (!j->count)
        return fail_disjoint(&j->indices[first], first, &j->indices[last], last,
                             err);
    out->reference = (int)reference;
    return place_all(j, out, err);
}

/* Dimensions without an index must have one size, that of the others. */
static ncg_status check_bare(const nci_index *indices, size_t n,
                             const nci_joined *joined, ncg_error *err)
{
    size_t first = n;
    for (size_t k = 0; k < n; k++) {
        if (!indices[k].name)
            continue;
        if (first == n)
            first = k;
        if (indices[k].var < 0 && !joined->is_same)
            return nci_fail(err, NCG_EMISMATCH,
                            "data set %zu: dimension %s has no coordinate to "
                            "align it by; assign one, or cut the others to its "
                            "positions",
                            k + 1, indices[k].name);
        if (joined->is_same && indices[k].count != indices[first].count)
            return fail_sizes(&indices[first], first, &indices[k], k,
                              ", and not all have a coordinate to align by",
                              err);
    }
    return NCG_OK;
}

static ncg_status join_pairs(const nci_index *indices, size_t n, ncg_join join,
                             size_t first, bool *is_same, ncg_error *err)
{
    const nci_index *a = &indices[first];
    *is_same = true;
    for (size_t k = first + 1; k < n; k++) {
        const nci_index *b = &indices[k];
        if (b->var < 0)
            continue;
        if (join == NCG_JOIN_OVERRIDE) {
            if (a->count != b->count)
                return fail_sizes(a, first, b, k,
                                  ": join override needs equal sizes", err);
            continue;
        }
        NCI_TRY(check_kinds(a, first, b, k, err));
        if (nci_index_equal(a, b))
            continue;
        if (join == NCG_JOIN_EXACT)
            return fail_exact(a, first, b, k, err);
        *is_same = false;
    }
    return NCG_OK;
}

ncg_status nci_index_join(const nci_index *indices, size_t n, ncg_join join,
                          nci_joined *out, ncg_error *err)
{
    size_t first = n, last = 0, nindices = 0;
    for (size_t k = 0; k < n; k++)
        if (indices[k].var >= 0) {
            first = first == n ? k : first;
            last = k;
            nindices++;
        }
    nci_joined joined = {.is_same = true, .reference = -1, .n = n};
    if (nindices) {
        joined.reference = (int)(join == NCG_JOIN_RIGHT ? last : first);
        NCI_TRY(join_pairs(indices, n, join, first, &joined.is_same, err));
    }
    joining j = {.indices = indices, .n = n, .join = join};
    joined.positions = nci_calloc(n + 1, sizeof *joined.positions);
    ncg_status st = joined.positions
                        ? check_bare(indices, n, &joined, err)
                        : nci_fail(err, NCG_ENOMEM, "out of memory");
    if (!st && !joined.is_same)
        st = join_labels(&j, first, last, nindices, &joined, err);
    nci_free(j.places);
    nci_free(j.wanted);
    if (st)
        nci_joined_fini(&joined);
    else
        *out = joined;
    return st;
}

void nci_joined_fini(nci_joined *joined)
{
    for (size_t k = 0; joined->positions && k < joined->n; k++)
        nci_free(joined->positions[k]);
    nci_free(joined->positions);
    *joined = (nci_joined){0};
}
