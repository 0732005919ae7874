/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Kept tiles lie one after the other in one reserved range of addresses, which
 * the system backs by memory as it is filled, by large pages where it can:
 *
 *     | tile | its bytes (64-aligned) | tile | its bytes | ...    free
 *     0                                                  used     room
 *
 * Each storage chunk of a source has a slot: 0 (not kept), 1 (a thread is
 * copying it) or where its tile lies, plus 2. A slot changes by compare and
 * swap and only upwards, so readers take no lock.
 *
 * Fresh memory has a price: 0.2 ms a megabyte on a plain machine, several times
 * that of decoding on a virtual one that must ask its host for each page. So
 * both are timed, and keeping ends where it does not pay.
 */
#include "engine/tile_cache.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/mem.h"

enum { ABSENT = 0, BUSY = 1, FIRST = 2 };
enum { ALIGNMENT = 64, LEAST = 4 << 20, LARGE_PAGE = 2 << 20 };
/* Of the memory that the limit leaves, this part stays free. */
enum { SPARE = 8 };
/* Tiles and bytes kept before keeping is judged: it pays while it takes at most
 * 2 / 3 of the time that reading takes. */
enum { TRIAL_TILES = 8, TRIAL_BYTES = 4 << 20 };

struct nci_kept {
    nci_tile_cache *cache;
    const nci_source *source;
    uint32_t id;
    int64_t *first; /* slot of each segment's first chunk */
    _Atomic int64_t *slots;
};

struct nci_tile_cache {
    const nci_source_table *sources;
    const nci_plan *plan;
    nci_kept *parts;
    size_t nparts;
    uint8_t *memory; /* NULL: none, or given back */
    int64_t room;
    _Atomic int64_t used; /* beyond `room`: it is full */
    int64_t tables;       /* bytes */
    int64_t left;         /* tasks that will read */
    _Atomic int64_t read_ns, keep_ns, nkept;
    _Atomic bool is_closed; /* no more is kept */
};

/* ---- what is worth keeping ------------------------------------------------
 */

static bool takes_work(const nci_var *var)
{
    return var->storage.layout == NCI_LAYOUT_LIBRARY ||
           (var->storage.layout == NCI_LAYOUT_CHUNKED &&
            var->storage.nfilters > 0);
}

static const nci_var *segment_var(const nci_source *source, size_t i)
{
    int var = source->spec->segments[i].var;
    return source->files[i] && var >= 0
               ? &nci_file_header(source->files[i])->vars[var]
               : NULL;
}

static int64_t count_chunks(const nci_source *source, size_t i)
{
    const nci_var *var = segment_var(source, i);
    int64_t shape[NCG_MAX_RANK], n = 1;
    if (!var)
        return 0;
    nci_var_shape(nci_file_header(source->files[i]), var, shape);
    for (int d = 0; d < var->rank; d++)
        if (!nci_mul_i64(n, (shape[d] - 1) / var->storage.chunk[d] + 1, &n))
            return 0;
    return n;
}

static int64_t align(int64_t nbytes)
{
    return (nbytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* Bytes for a tile of `var`, INT64_MAX where that is too many. */
static int64_t tile_bytes(const nci_var *var)
{
    int64_t n = var->storage.elem_size;
    for (int d = 0; d < var->rank; d++)
        if (!nci_mul_i64(n, var->storage.chunk[d], &n) || n > INT64_MAX / 4)
            return INT64_MAX;
    return align(sizeof(nci_tile)) + align(n);
}

static int64_t source_bytes(const nci_source *source)
{
    int64_t sum = 0;
    for (size_t i = 0; i < source->spec->nsegments; i++) {
        const nci_var *var = segment_var(source, i);
        int64_t n = var && takes_work(var) ? count_chunks(source, i) : 0, bytes;
        if (n && (!nci_mul_i64(n, tile_bytes(var), &bytes) ||
                  __builtin_add_overflow(sum, bytes, &sum)))
            return INT64_MAX;
    }
    return sum;
}

/* The id of the source that a layer reads, -1: none. */
static int64_t source_of(const nci_layer *layer)
{
    const nci_fused *f = &layer->fused;
    if (layer->kind != NCI_LAYER_FUSED || !f->noperands ||
        f->operands[0].kind != NCI_OPERAND_SOURCE)
        return -1;
    return f->operands[0].source;
}

/* Layer `i` is the first of several that read the same source. */
static bool is_first_of_several(const nci_plan *plan, int i)
{
    int64_t id = source_of(&plan->layers[i]);
    int n = 0;
    for (int j = 0; id >= 0 && j < plan->nlayers; j++) {
        if (source_of(&plan->layers[j]) != id)
            continue;
        if (j < i)
            return false;
        n++;
    }
    return n > 1;
}

int64_t nci_tile_cache_want(const nci_plan *plan,
                            const nci_source_table *sources)
{
    int64_t sum = 0;
    for (int i = 0; i < plan->nlayers; i++) {
        if (!is_first_of_several(plan, i))
            continue;
        const nci_source *source = nci_source_table_get(
            sources, (uint32_t)source_of(&plan->layers[i]));
        if (source &&
            __builtin_add_overflow(sum, source_bytes(source), &sum))
            return INT64_MAX;
    }
    return sum;
}

int64_t nci_tile_cache_room(int64_t want, int64_t limit, int64_t peak)
{
    int64_t room = limit > peak ? limit - peak : 0;
    room -= room / SPARE;
    /* Slots and the end of the last large page. */
    if (want < INT64_MAX / 2)
        want += want / 64 + LARGE_PAGE;
    room = want < room ? want : room;
    return want && room >= LEAST ? room : 0;
}

/* ---- life ----------------------------------------------------------------
 */

static bool part_init(nci_kept *part, nci_tile_cache *cache, uint32_t id)
{
    const nci_source *source = nci_source_table_get(cache->sources, id);
    size_t n = source->spec->nsegments, nbytes;
    int64_t slots = 0;
    *part = (nci_kept){.cache = cache, .source = source, .id = id};
    part->first = nci_calloc(n + 1, sizeof *part->first);
    for (size_t i = 0; part->first && i < n; i++) {
        part->first[i] = slots;
        slots += count_chunks(source, i);
    }
    nbytes = (size_t)slots * sizeof *part->slots;
    cache->tables += (int64_t)(nbytes + (n + 1) * sizeof *part->first);
    if (!part->first || cache->tables > cache->room / 4)
        return false;
    part->slots = nci_calloc((size_t)slots + 1, sizeof *part->slots);
    return part->slots;
}

static bool add_parts(nci_tile_cache *cache)
{
    const nci_plan *plan = cache->plan;
    cache->parts = nci_calloc((size_t)plan->nlayers + 1, sizeof *cache->parts);
    if (!cache->parts)
        return false;
    for (int i = 0; i < plan->nlayers; i++) {
        if (!is_first_of_several(plan, i))
            continue;
        int64_t id = source_of(&plan->layers[i]);
        nci_kept *part = &cache->parts[cache->nparts++];
        if (!part_init(part, cache, (uint32_t)id))
            return false;
        for (int j = i; j < plan->nlayers; j++)
            if (source_of(&plan->layers[j]) == id)
                cache->left += plan->layers[j].ntasks;
    }
    return true;
}

static bool reserve(nci_tile_cache *cache)
{
    cache->room -= cache->tables;
    void *memory =
        mmap(NULL, (size_t)cache->room, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    /* Only a hint: small pages cost more time to fill than decoding does. */
    (void)madvise(memory, (size_t)cache->room, MADV_HUGEPAGE);
    cache->memory = memory;
    return true;
}

void nci_tile_cache_create(const nci_plan *plan,
                           const nci_source_table *sources, int64_t nbytes,
                           nci_tile_cache **out)
{
    *out = NULL;
    if (nbytes < LEAST)
        return;
    nci_tile_cache *cache = nci_calloc(1, sizeof *cache);
    if (!cache)
        return;
    cache->plan = plan;
    cache->sources = sources;
    cache->room = nbytes;
    if (!add_parts(cache) || !cache->nparts || !reserve(cache)) {
        nci_tile_cache_free(&cache);
        return;
    }
    for (size_t i = 0; i < cache->nparts; i++)
        nci_source_keep(sources, cache->parts[i].id, &cache->parts[i]);
    *out = cache;
}

static void give_back(nci_tile_cache *cache)
{
    for (size_t i = 0; i < cache->nparts; i++)
        nci_source_keep(cache->sources, cache->parts[i].id, NULL);
    if (cache->memory)
        munmap(cache->memory, (size_t)cache->room);
    cache->memory = NULL;
}

void nci_tile_cache_free(nci_tile_cache **slot)
{
    nci_tile_cache *cache = *slot;
    *slot = NULL;
    if (!cache)
        return;
    give_back(cache);
    for (size_t i = 0; i < cache->nparts; i++) {
        nci_free(cache->parts[i].first);
        nci_free(cache->parts[i].slots);
    }
    nci_free(cache->parts);
    nci_free(cache);
}

void nci_tile_cache_task_done(nci_tile_cache *cache, const nci_layer *layer)
{
    int64_t id = cache ? source_of(layer) : -1;
    for (size_t i = 0; id >= 0 && i < cache->nparts; i++)
        if (cache->parts[i].id == (uint32_t)id && --cache->left == 0)
            give_back(cache);
}

int64_t nci_tile_cache_bytes(const nci_tile_cache *cache)
{
    if (!cache)
        return 0;
    int64_t used = atomic_load(&cache->used);
    return cache->tables + (used < cache->room ? used : cache->room);
}

/* ---- reading -------------------------------------------------------------
 */

static _Atomic int64_t *find_slot(nci_kept *kept, size_t segment,
                                  const int64_t *index)
{
    const nci_var *var = segment_var(kept->source, segment);
    int64_t shape[NCG_MAX_RANK], number = 0;
    if (!takes_work(var))
        return NULL;
    nci_var_shape(nci_file_header(kept->source->files[segment]), var, shape);
    for (int d = 0; d < var->rank; d++) {
        int64_t n = (shape[d] - 1) / var->storage.chunk[d] + 1;
        number = number * n + index[d];
    }
    return &kept->slots[kept->first[segment] + number];
}

/* A place for `nbytes`, -1: full. */
static int64_t take_place(nci_tile_cache *cache, int64_t nbytes)
{
    int64_t at = atomic_load_explicit(&cache->used, memory_order_relaxed);
    do {
        if (nbytes > cache->room - at)
            return -1;
    } while (!atomic_compare_exchange_weak(&cache->used, &at, at + nbytes));
    return at;
}

/* Copies a tile just read; a slot without a place stays busy: never kept. */
static void keep(nci_tile_cache *cache, _Atomic int64_t *slot,
                 const nci_tile *tile)
{
    int64_t expected = ABSENT;
    int64_t head = align(sizeof *tile);
    size_t nbytes = (size_t)nci_tile_size(tile) * tile->elem_size;
    if (!tile->data ||
        !atomic_compare_exchange_strong(slot, &expected, BUSY))
        return;
    int64_t at = take_place(cache, head + align((int64_t)nbytes));
    if (at < 0) {
        atomic_store(&cache->is_closed, true);
        return;
    }
    uint8_t *place = cache->memory + at;
    nci_tile copy = *tile;
    copy.data = place + head;
    memcpy(place, &copy, sizeof copy);
    memcpy(place + head, tile->data, nbytes);
    atomic_store_explicit(slot, at + FIRST, memory_order_release);
}

static int64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void judge(nci_tile_cache *cache, int64_t read_ns, int64_t keep_ns)
{
    read_ns += atomic_fetch_add(&cache->read_ns, read_ns);
    keep_ns += atomic_fetch_add(&cache->keep_ns, keep_ns);
    if (atomic_fetch_add(&cache->nkept, 1) >= TRIAL_TILES &&
        atomic_load(&cache->used) >= TRIAL_BYTES &&
        keep_ns > read_ns / 3 * 2)
        atomic_store(&cache->is_closed, true);
}

ncg_status nci_kept_read(nci_kept *kept, size_t segment, nci_file *file,
                         int var, const int64_t *index, nci_scratch *scratch,
                         nci_tile *out, ncg_error *err)
{
    _Atomic int64_t *slot = kept ? find_slot(kept, segment, index) : NULL;
    int64_t at =
        slot ? atomic_load_explicit(slot, memory_order_acquire) : ABSENT;
    if (at >= FIRST) {
        memcpy(out, kept->cache->memory + (at - FIRST), sizeof *out);
        return NCG_OK;
    }
    if (at == BUSY || !slot || atomic_load(&kept->cache->is_closed))
        return nci_file_read_tile(file, var, index, scratch, out, err);
    int64_t start = clock_ns();
    NCI_TRY(nci_file_read_tile(file, var, index, scratch, out, err));
    int64_t middle = clock_ns();
    keep(kept->cache, slot, out);
    judge(kept->cache, middle - start, clock_ns() - middle);
    return NCG_OK;
}
