/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_SOURCE_H
#define NCI_ENGINE_SOURCE_H
/*
 * Sources: where the graph's source ids become values, tile by tile. Their
 * kinds: variables of files (this header), memory, held chunks, functions and
 * generators (source_make.h). Any thread.
 */
#include "base/buf.h"
#include "base/source.h"
#include "engine/generate.h"
#include "io/io.h"

typedef struct nci_source nci_source;
struct nci_kept;

typedef struct nci_source_table nci_source_table;

ncg_status nci_source_table_create(nci_source_table **out, ncg_error *err);
void nci_source_table_free(nci_source_table **table);
/* nci_source_table_add takes the spec; files[segment.file] are retained. */
ncg_status nci_source_table_add(nci_source_table *table,
                                nci_source_spec *spec_take,
                                nci_file *const *files, uint32_t *id,
                                ncg_error *err);
/* nci_source_table_get: borrowed; lives as long as the table. */
const nci_source *nci_source_table_get(const nci_source_table *table,
                                       uint32_t id);

/* nci_source_table_held: bytes of all held chunks. */
int64_t nci_source_table_held(const nci_source_table *table);
/* nci_source_table_finds tells whether arrays are found by their tokens. */
bool nci_source_table_finds(const nci_source_table *table);
/* nci_source_table_on_disk: bytes of held chunks that are on disk. */
int64_t nci_source_table_on_disk(const nci_source_table *table);

/* nci_source_keep sets what keeps a source's tiles, while none is read. */
void nci_source_keep(const nci_source_table *table, uint32_t id,
                     struct nci_kept *kept);

/* nci_source_each_tile walks the tiles that a box of the source's positions
 * touches, in index order: segment by segment along the join axis, storage
 * chunks in row-major order, or parts of several where there are none
 * (nci_has_parts). The tile's box is given in the array's positions
 * (file positions shifted along the join axis); `wanted` is the part of it
 * inside `box`. A segment whose variable is absent gives one tile with
 * data == NULL and decode == NULL: all missing.
 * A failing visit ends the walk. Reads into `scratch`. */
typedef ncg_status (*nci_tile_fn)(void *ctx, const nci_tile *tile,
                                  const nci_decode *decode,
                                  const nci_box *wanted, ncg_error *err);
ncg_status nci_source_each_tile(const nci_source *source, const nci_box *box,
                                nci_scratch *scratch, nci_tile_fn visit,
                                void *ctx, ncg_error *err);
/* nci_source_each_tile_if asks before it reads: tiles for whose box `wants`
 * is false are passed over. wants == NULL: all are read. */
typedef bool (*nci_tile_want_fn)(void *ctx, const nci_box *box);
ncg_status nci_source_each_tile_if(const nci_source *source, const nci_box *box,
                                   nci_scratch *scratch, nci_tile_want_fn wants,
                                   nci_tile_fn visit, void *ctx,
                                   ncg_error *err);
/* nci_source_file_box turns a box of file positions in the array's axes into
 * one of the file's variable, which may lack the leading axis: files of one
 * step each, joined along a scalar coordinate. */
nci_box nci_source_file_box(const nci_var *var, const nci_box *box);
/* nci_source_chunk makes a box that lies in one chunk of a source whose values
 * are what people see: held chunks as they are, those of functions filled
 * without a tile between. *out stays NULL where the source cannot. */
ncg_status nci_source_chunk(const nci_source *source, const nci_box *box,
                            nci_buf **out, ncg_error *err);
/* nci_source_scratch bounds the bytes that reading any tile takes. */
int64_t nci_source_scratch(const nci_source *source);

/* What a kind of source does: walks its tiles. */
typedef struct nci_source_kind {
    const char *name;
    ncg_status (*each_tile)(const nci_source *source, const nci_box *box,
                            nci_scratch *scratch, nci_tile_want_fn wants,
                            nci_tile_fn visit, void *ctx, ncg_error *err);
    /* may be NULL; see nci_source_chunk */
    ncg_status (*make_chunk)(const nci_source *source, int64_t chunk,
                             const nci_box *box, nci_buf **out, ncg_error *err);
} nci_source_kind;

struct nci_source {
    const nci_source_kind *kind;
    nci_source_spec *spec; /* owned; has segments only where there are files */
    int64_t scratch; /* bytes that reading a tile takes, at most */
    int64_t tile_bytes; /* of the largest tile, decoded */

    nci_file **files;      /* one a segment, retained; NULL: all missing */
    struct nci_kept *kept; /* of tiles; NULL: they are not kept */
    _Atomic int64_t default_fills; /* that the last run met: engine/fills.h */
    _Atomic bool has_told_fills;

    nci_decode plain;    /* of values in memory */
    nci_buf **chunks;    /* retained; of a caller's array: one, the whole */
    int64_t nchunks, held;
    bool is_whole, is_found, is_remote;
    nci_token space; /* is_remote: name of the set of chunks */
    struct nci_extent **extents; /* of held chunks on disk, whose place in
                                    `chunks` is NULL; NULL: there are none */
    int64_t on_disk;             /* bytes of them */
    ncg_status (*fill)(void *payload, const int64_t *start,
                       const int64_t *count, void *out, ncg_error *err);
    void (*release)(void *payload);
    void *payload;
    nci_generator generator;

    nci_source_table *table; /* once added, and what follows: the table's */
    uint32_t id;
    nci_buf *handle; /* not counted; NULL: the table keeps the source */
    nci_source *next_found;
};

#endif
