/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_GRAPH_PACK_H
#define NCI_GRAPH_PACK_H
/*
 * Values as bytes that another process reads: a flat sequence of MessagePack
 * integers, texts and byte strings, nothing nested, so that no length in it
 * makes a reader allocate more than there is. Numbers in lists are
 * little-endian. A reader that meets anything else fails and stays failed;
 * look once at the end.
 */
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

typedef struct nci_pack {
    nci_text text; /* nci_text_take, nci_text_fini; check text.failed */
} nci_pack;

void nci_pack_i64(nci_pack *pack, int64_t value);
void nci_pack_bytes(nci_pack *pack, const void *bytes, size_t nbytes);
void nci_pack_text(nci_pack *pack, const char *text); /* NULL: as "" */
void nci_pack_i64s(nci_pack *pack, const int64_t *values, int64_t count);
void nci_pack_f64(nci_pack *pack, double value);

/* What goes to another process in one piece has this many bytes at most. */
#define NCI_SENT_BYTES (INT64_C(2) << 30)
/* nci_pack_room: EUNSUPPORTED where the values of array `name`, of `nbytes`
 * bytes, do not fit beside what is packed already. */
ncg_status nci_pack_room(const nci_pack *pack, size_t nbytes, const char *name,
                         ncg_error *err);

typedef struct nci_unpack {
    const char *data; /* borrowed */
    size_t size, at;
    bool failed; /* not what was asked for, or cut short */
    bool starved; /* memory ran out */
} nci_unpack;

/* nci_unpack_i64 returns a number within [low, high]; `low` on failure. */
int64_t nci_unpack_i64(nci_unpack *in, int64_t low, int64_t high);
double nci_unpack_f64(nci_unpack *in); /* any bits */
/* nci_unpack_bytes returns bytes inside the input, NULL on failure. */
const void *nci_unpack_bytes(nci_unpack *in, size_t *nbytes);
/* nci_unpack_exactly copies exactly `nbytes` bytes. */
void nci_unpack_exactly(nci_unpack *in, void *out, size_t nbytes);
/* nci_pack_string and nci_unpack_string: a text as bytes, into `size` bytes. Not
 * interned: peers may send any number of different ones. */
void nci_pack_string(nci_pack *pack, const char *text);
void nci_unpack_string(nci_unpack *in, char *out, size_t size);
/* nci_unpack_text returns an interned text, NULL on failure. */
const char *nci_unpack_text(nci_unpack *in);
/* nci_unpack_i64s returns a list that the caller frees with nci_free, NULL on
 * failure. */
int64_t *nci_unpack_i64s(nci_unpack *in, int64_t *count);
/* nci_unpack_status turns the state of a reader into an error;
 * nci_unpack_damaged is that of one that has met what cannot be. */
ncg_status nci_unpack_status(const nci_unpack *in, ncg_error *err);
ncg_status nci_unpack_damaged(nci_unpack *in, ncg_error *err);

#endif
