/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_BASE_MEM_H
#define NCI_BASE_MEM_H
/*
 * All allocation goes through here, so that tests can make the n-th one fail.
 * Any thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* nci_alloc, nci_calloc and nci_realloc return NULL when memory is out. A size
 * of 0 gives a pointer that can be freed. */
void *nci_alloc(size_t nbytes);
void *nci_calloc(size_t count, size_t size);
void *nci_realloc(void *old, size_t nbytes);
/* nci_alloc_aligned aligns to 64 bytes; released by nci_free as well. */
void *nci_alloc_aligned(size_t nbytes);
char *nci_strdup(const char *text);
char *nci_strndup(const char *text, size_t length);
void nci_free(void *memory);

/* nci_mul_size stores a * b, returns false on overflow. */
bool nci_mul_size(size_t a, size_t b, size_t *out);
/* nci_mul_i64 stores a * b, returns false on overflow or where one is < 0. */
bool nci_mul_i64(int64_t a, int64_t b, int64_t *out);

/* nci_mem_fail_at makes the n-th allocation from now on fail (1: the next);
 * 0 switches it off. For tests. */
void nci_mem_fail_at(int64_t n);

/* nci_grow makes room for `need` items of `size` bytes in *items, whose
 * capacity is *capacity; doubles. Returns false when memory is out. */
bool nci_grow(void *items, size_t *capacity, size_t need, size_t size);

#endif
