/* SPDX-License-Identifier: BSD-3-Clause */
/* See ncid_cache.h. A handful of entries: a search is a walk over them. */
#include "io/ncid_cache.h"

#include <string.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "io/library.h"
#include "io/library_calls.h"

enum { MAX_ENTRIES = 16 };

typedef struct entry {
    char *path; /* NULL: free */
    int ncid;
    uint64_t used; /* the cache's clock at the last use */
} entry;

struct nci_ncid_cache {
    entry entries[MAX_ENTRIES];
    int capacity;
    uint64_t clock;
};

ncg_status nci_ncid_cache_create(nci_ncid_cache **out, ncg_error *err)
{
    struct rlimit limit;
    nci_ncid_cache *cache = nci_calloc(1, sizeof *cache);
    if (!cache)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    cache->capacity = MAX_ENTRIES;
    if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < 256)
        cache->capacity = limit.rlim_cur < 32 ? 1 : 4;
    *out = cache;
    return NCG_OK;
}

static void close_entry(entry *e)
{
    if (!e->path)
        return;
    nc_close(e->ncid);
    nci_free(e->path);
    *e = (entry){0};
}

void nci_ncid_cache_free(nci_ncid_cache **slot)
{
    nci_ncid_cache *cache = *slot;
    *slot = NULL;
    for (int i = 0; cache && i < MAX_ENTRIES; i++)
        close_entry(&cache->entries[i]);
    nci_free(cache);
}

static entry *find(nci_ncid_cache *cache, const char *path)
{
    for (int i = 0; i < cache->capacity; i++)
        if (cache->entries[i].path && !strcmp(cache->entries[i].path, path))
            return &cache->entries[i];
    return NULL;
}

/* The entry to fill next: a free one (used == 0), or the oldest. */
static entry *oldest(nci_ncid_cache *cache)
{
    entry *e = &cache->entries[0];
    for (int i = 1; i < cache->capacity; i++)
        if (cache->entries[i].used < e->used)
            e = &cache->entries[i];
    return e;
}

ncg_status nci_ncid_get(nci_ncid_cache *cache, const char *path, int *ncid,
                        ncg_error *err)
{
    entry *e = find(cache, path);
    if (!e) {
        int id;
        e = oldest(cache);
        close_entry(e);
        char *copy = nci_strdup(path);
        if (!copy)
            return nci_fail(err, NCG_ENOMEM, "out of memory");
        int code = nc_open(path, NC_NOWRITE, &id);
        if (code) {
            nci_free(copy);
            return nci_fail_netcdf(err, code, "NetCDF-C cannot open it");
        }
        *e = (entry){copy, id, 0};
    }
    e->used = ++cache->clock;
    *ncid = e->ncid;
    return NCG_OK;
}

void nci_ncid_drop(nci_ncid_cache *cache, const char *path)
{
    entry *e = find(cache, path);
    if (e)
        close_entry(e);
}
