/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of sources. Those of files stay until the table ends; others are
 * counted by the arrays and plans that read them, through a buffer whose
 * release takes them out. Chunks that are views of a caller's array count, too,
 * and may outlive the plan and the table's owner, in a queue of the network for
 * instance: the table itself ends with the last of them. Places are used again.
 * All of it under one lock, which nobody holds while a source is read.
 */
#include "base/dtype.h"
#include "base/mem.h"
#include "engine/source_internal.h"

/* ---- life ---------------------------------------------------------------- */

ncg_status nci_source_table_create(nci_source_table **out, ncg_error *err)
{
    nci_source_table *table = nci_calloc(1, sizeof *table);
    if (!table)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    atomic_init(&table->refs, 1);
    pthread_mutex_init(&table->lock, NULL);
    *out = table;
    return NCG_OK;
}

void nci_source_free(nci_source **slot)
{
    nci_source *source = *slot;
    *slot = NULL;
    if (!source)
        return;
    size_t n = source->spec ? source->spec->nsegments : 0;
    for (size_t i = 0; source->files && i < n; i++)
        nci_file_release(&source->files[i]);
    for (int64_t i = 0; source->chunks && i < source->nchunks; i++)
        nci_buf_release(&source->chunks[i]);
    for (int64_t i = 0; source->extents && i < source->nchunks; i++)
        nci_spill_file_drop(source->table->spill, &source->extents[i]);
    nci_free(source->extents);
    if (source->release)
        source->release(source->payload);
    nci_free(source->files);
    nci_free(source->chunks);
    nci_source_spec_free(&source->spec);
    nci_free(source);
}

static void release_table(nci_source_table *table)
{
    if (atomic_fetch_sub_explicit(&table->refs, 1, memory_order_acq_rel) != 1)
        return;
    nci_free(table->places);
    nci_spill_file_free(&table->spill);
    pthread_mutex_destroy(&table->lock);
    nci_free(table);
}

/* The next that nobody counts, out of its place; NULL: no more are left. */
static nci_source *take_uncounted(nci_source_table *table, size_t *at)
{
    nci_source *source = NULL;
    pthread_mutex_lock(&table->lock);
    while (!source && *at < table->count) {
        nci_source_place *place = &table->places[(*at)++];
        if (!place->source || place->source->handle)
            continue;
        source = place->source;
        place->source = NULL;
    }
    pthread_mutex_unlock(&table->lock);
    return source;
}

void nci_source_table_free(nci_source_table **slot)
{
    nci_source_table *table = *slot;
    nci_source *source;
    size_t at = 0;
    *slot = NULL;
    if (!table)
        return;
    while ((source = take_uncounted(table, &at)))
        nci_source_free(&source);
    release_table(table);
}

/* ---- form ---------------------------------------------------------------- */

static ncg_status fill_spec(const nci_source_form *form, nci_source_spec *spec,
                            ncg_error *err)
{
    int64_t nbytes = (int64_t)ncg_dtype_size(form->dtype);
    bool is_empty = false;
    spec->rank = form->grid->rank;
    spec->join_axis = -1;
    spec->dtype = form->dtype;
    for (int d = 0; d < spec->rank; d++) {
        spec->shape[d] = nci_axis_size(&form->grid->axis[d]);
        is_empty = is_empty || !spec->shape[d];
    }
    for (int d = 0; !is_empty && d < spec->rank; d++)
        if (!nci_mul_i64(nbytes, spec->shape[d], &nbytes))
            return nci_fail(err, NCG_EINVAL, "array too large");
    if (!nci_dtype_is_numeric(form->dtype))
        return nci_fail(err, NCG_EINVAL, "dtype %s has no numbers",
                        ncg_dtype_name(form->dtype));
    if (form->missing && !nci_dtype_is_integer(form->dtype))
        return nci_fail(err, NCG_EINVAL,
                        "a missing value for dtype %s, which uses NaN",
                        ncg_dtype_name(form->dtype));
    spec->has_missing = form->missing != NULL;
    if (form->missing)
        memcpy(spec->missing, form->missing, ncg_dtype_size(form->dtype));
    spec->name = nci_strdup(form->name ? form->name : "array");
    if (!spec->name)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    return nci_grid_copy(form->grid, &spec->grid, err);
}

/* Values as they are: only the missing value is told apart. */
static nci_decode plain_decode(const nci_source_spec *spec)
{
    nci_decode decode = {.raw = spec->dtype, .out = spec->dtype};
    if (!spec->has_missing)
        return decode;
    decode.nmissing = 1;
    decode.missing[0] = nci_dtype_get(spec->dtype, spec->missing);
    decode.missing_i64[0] = nci_dtype_get_i64(spec->dtype, spec->missing);
    return decode;
}

ncg_status nci_source_create(const nci_source_form *form,
                             const nci_source_kind *kind, int64_t nchunks,
                             nci_source **out, ncg_error *err)
{
    nci_source *source = nci_calloc(1, sizeof *source);
    if (!source)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    source->kind = kind;
    source->nchunks = nchunks;
    source->spec = nci_calloc(1, sizeof *source->spec);
    source->chunks = nci_calloc((size_t)nchunks + 1, sizeof *source->chunks);
    ncg_status st = source->spec && source->chunks
                        ? fill_spec(form, source->spec, err)
                        : nci_fail(err, NCG_ENOMEM, "out of memory");
    if (st) {
        nci_source_free(&source);
        return st;
    }
    source->plain = plain_decode(source->spec);
    *out = source;
    return NCG_OK;
}

/* ---- adding and taking out ----------------------------------------------- */

static ncg_status add_locked(nci_source_table *table, nci_source *source,
                             uint32_t *id, ncg_error *err)
{
    uint32_t at = table->free;
    if (at) {
        table->free = table->places[at - 1].next_free;
    } else {
        if (table->count >= UINT32_MAX - 1 ||
            !nci_grow(&table->places, &table->capacity, table->count + 1,
                      sizeof *table->places))
            return nci_fail(err, NCG_ENOMEM, "out of memory");
        at = (uint32_t)++table->count;
    }
    table->places[at - 1] = (nci_source_place){.source = source};
    source->table = table;
    source->id = *id = at - 1;
    table->held += source->held;
    if (source->is_found) {
        source->next_found = table->found;
        table->found = source;
    }
    return NCG_OK;
}

ncg_status nci_source_table_put(nci_source_table *table, nci_source *source,
                                uint32_t *id, ncg_error *err)
{
    pthread_mutex_lock(&table->lock);
    ncg_status st = add_locked(table, source, id, err);
    pthread_mutex_unlock(&table->lock);
    return st;
}

static void take_out(nci_source *source)
{
    nci_source_table *table = source->table;
    pthread_mutex_lock(&table->lock);
    nci_source **link = &table->found;
    while (*link && *link != source)
        link = &(*link)->next_found;
    if (*link)
        *link = source->next_found;
    table->held -= source->held;
    table->on_disk -= source->on_disk;
    table->places[source->id] = (nci_source_place){.next_free = table->free};
    table->free = source->id + 1;
    pthread_mutex_unlock(&table->lock);
}

/* Runs when the last array or plan that reads the source lets it go. */
static void drop_source(void *memory, void *payload)
{
    nci_source *source = payload;
    nci_source_table *table = source->handle ? source->table : NULL;
    (void)memory;
    if (table)
        take_out(source);
    nci_source_free(&source);
    if (table)
        release_table(table);
}

static ncg_status make_node(nci_source *source, nci_node **out, ncg_error *err)
{
    nci_node *node = NULL;
    NCI_TRY(nci_node_source(source->id, source->spec, &node, err));
    node->data = nci_buf_retain(source->handle);
    *out = node;
    return NCG_OK;
}

ncg_status nci_source_table_node(nci_source_table *table,
                                 nci_source *source_take, nci_node **out,
                                 ncg_error *err)
{
    uint32_t id;
    nci_source *source = source_take;
    nci_buf *handle = NULL;
    /* The handle of a caller's array is its values, too. */
    nci_buf *values = source->is_whole ? source->chunks[0] : NULL;
    ncg_status st = nci_buf_wrap(nci_buf_data(values), nci_buf_size(values),
                                 drop_source, source, &handle, err);
    if (st) {
        nci_source_free(&source);
        return st;
    }
    source->handle = handle;
    st = nci_source_table_put(table, source, &id, err);
    if (st) {
        source->handle = NULL; /* it has no place to be taken out of */
    } else {
        atomic_fetch_add_explicit(&table->refs, 1, memory_order_relaxed);
        st = make_node(source, out, err);
    }
    nci_buf_release(&handle);
    return st;
}

/* ---- looking up ---------------------------------------------------------- */

const nci_source *nci_source_table_get(const nci_source_table *table,
                                       uint32_t id)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)&table->lock;
    pthread_mutex_lock(lock);
    const nci_source *source =
        id < table->count ? table->places[id].source : NULL;
    pthread_mutex_unlock(lock);
    return source;
}

void nci_source_keep(const nci_source_table *table, uint32_t id,
                     struct nci_kept *kept)
{
    nci_source *source = (nci_source *)nci_source_table_get(table, id);
    if (source)
        source->kept = kept;
}

ncg_status nci_source_table_find(nci_source_table *table, nci_token token,
                                 nci_node **out, ncg_error *err)
{
    nci_buf *handle = NULL;
    nci_source *source;
    pthread_mutex_lock(&table->lock);
    for (source = table->found; source; source = source->next_found)
        if (nci_token_equal(source->spec->token, token) &&
            nci_buf_retain_live(source->handle))
            break;
    handle = source ? source->handle : NULL;
    pthread_mutex_unlock(&table->lock);
    *out = NULL;
    if (!source)
        return NCG_OK;
    ncg_status st = make_node(source, out, err);
    nci_buf_release(&handle);
    return st;
}

bool nci_source_table_finds(const nci_source_table *table)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)&table->lock;
    pthread_mutex_lock(lock);
    bool finds = table->found != NULL;
    pthread_mutex_unlock(lock);
    return finds;
}

int64_t nci_source_table_on_disk(const nci_source_table *table)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)&table->lock;
    pthread_mutex_lock(lock);
    int64_t on_disk = table->on_disk;
    pthread_mutex_unlock(lock);
    return on_disk;
}

int64_t nci_source_table_held(const nci_source_table *table)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)&table->lock;
    pthread_mutex_lock(lock);
    int64_t held = table->held;
    pthread_mutex_unlock(lock);
    return held;
}
