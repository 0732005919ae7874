/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_IO_FILTER_H
#define NCI_IO_FILTER_H
/*
 * Undoing HDF5's filters on one chunk. Filters ran in the order of
 * storage.filters when the chunk was written; they are undone backwards, those
 * whose bit in the chunk's mask is set were skipped. A byte shuffle that would
 * be the last step is left to the kernels.
 */
#include "io/scratch.h"

typedef struct nci_decoded {
    const uint8_t *data;
    bool is_shuffled; /* byte b of element i is data[b * n + i] */
} nci_decoded;

/* nci_filter_decode turns `nbytes` stored bytes into the `chunk_bytes` bytes of
 * a chunk. `raw` is the scratch's RAW buffer or other memory; out->data is
 * `raw` itself or one of the other buffers.
 * Errors: ECORRUPT (checksum, stream, size), EUNSUPPORTED (id and name). */
ncg_status nci_filter_decode(const nci_storage *storage, uint32_t mask,
                             size_t chunk_bytes, bool verify,
                             nci_scratch *scratch, const uint8_t *raw,
                             size_t nbytes, nci_decoded *out, ncg_error *err);

/* nci_filter_is_built_in tells whether nci_filter_decode knows a filter. */
bool nci_filter_is_built_in(uint32_t id);
/* nci_filter_name returns the registered name, or "unknown". */
const char *nci_filter_name(uint32_t id);
/* nci_filter_missing fails with EUNSUPPORTED: name, id and what to install.
 * `where`: " to NetCDF-C", or "". */
ncg_status nci_filter_missing(uint32_t id, const char *where, ncg_error *err);
/* nci_filter_changes_nothing: quantising filters act on writing only. */
bool nci_filter_changes_nothing(uint32_t id);

/* What a codec undoes: `in` into `out`, which has room for `room` bytes; an
 * exact codec must fill it. *out_n receives what came out. */
typedef struct nci_codec_job {
    const nci_filter *filter;
    nci_scratch *scratch;
    const uint8_t *in;
    size_t n;
    uint8_t *out;
    size_t room;
    bool is_exact;
    size_t out_n;
} nci_codec_job;
typedef ncg_status (*nci_codec)(nci_codec_job *job, ncg_error *err);
/* nci_codec_find returns the decompressor of a filter, or NULL. */
nci_codec nci_codec_find(uint32_t id);

/* nci_fletcher32 is HDF5's checksum of the same name. */
uint32_t nci_fletcher32(const uint8_t *data, size_t nbytes);
/* nci_unshuffle puts the bytes of each element together again; bytes beyond
 * the last whole element are copied. */
void nci_unshuffle(const uint8_t *in, size_t nbytes, size_t elem_size,
                   uint8_t *out);

#endif
