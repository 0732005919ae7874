/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_IO_WRITE_QUICK_H
#define NCI_IO_WRITE_QUICK_H
/*
 * Deflate at its quickest level, for planes of shuffled numbers. Such planes
 * are either nearly constant, which takes the time of a comparison, or near
 * noise, where repeats of three bytes are most of what can be saved: two things
 * at which general encoders are slow or do not look. Blocks end where planes
 * end, so that each has a code of its own.
 */
#include <stddef.h>
#include <stdint.h>

typedef struct nci_quick nci_quick;

/* nci_quick_create returns NULL where memory is out. One thread at a time. */
nci_quick *nci_quick_create(void);
void nci_quick_free(nci_quick **quick);
/* nci_quick_bound bounds what n bytes in `count` planes become. */
size_t nci_quick_bound(size_t n, size_t count);
/* nci_quick_deflate writes `count` planes of `n` bytes as raw deflate with a
 * final block; `out` has room for nci_quick_bound. n * count is below 4 GiB.
 * Returns the size. */
size_t nci_quick_deflate(nci_quick *quick, const uint8_t *data, size_t n,
                         size_t count, uint8_t *out);

#endif
