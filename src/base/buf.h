/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_BASE_BUF_H
#define NCI_BASE_BUF_H
/*
 * A counted block of bytes with its own deallocator, so that heap memory, a
 * mapping and a caller's memory look alike. Counting is atomic; the bytes may
 * be changed only by the owner of the single reference.
 */
#include "base/error.h"

typedef struct nci_buf nci_buf;

/* nci_buf_create allocates `nbytes` (aligned to 64, not cleared). */
ncg_status nci_buf_create(size_t nbytes, nci_buf **out, ncg_error *err);
/* nci_buf_wrap takes foreign memory; `release(memory, payload)` runs once. */
ncg_status nci_buf_wrap(void *memory, size_t nbytes,
                        void (*release)(void *memory, void *payload),
                        void *payload, nci_buf **out, ncg_error *err);
/* nci_buf_view makes a buffer of bytes that lie in `of`, which it retains:
 * read only, and nothing to be handed out as somebody's own. */
ncg_status nci_buf_view(const nci_buf *of, const void *data, size_t nbytes,
                        nci_buf **out, ncg_error *err);
bool nci_buf_is_view(const nci_buf *buf);
nci_buf *nci_buf_retain(nci_buf *buf);
/* nci_buf_retain_live retains only what has a reference; for tables that point
 * to buffers without counting, and are locked while `release` changes them. */
bool nci_buf_retain_live(nci_buf *buf);
/* nci_buf_release drops one reference and sets *buf to NULL. */
void nci_buf_release(nci_buf **buf);
void *nci_buf_data(const nci_buf *buf);
size_t nci_buf_size(const nci_buf *buf);
/* nci_buf_is_unique tells whether the caller's reference is the only one. */
bool nci_buf_is_unique(const nci_buf *buf);

#endif
