/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_BASE_HASH_H
#define NCI_BASE_HASH_H
/* Content hashes (XXH3-128): a token names what was hashed. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct nci_token {
    uint64_t low, high;
} nci_token;

/* A hash under construction; plain value, no clean-up. Each piece is hashed
 * with its length, so that ("ab","c") and ("a","bc") differ. */
typedef struct nci_hash {
    nci_token state;
} nci_hash;

void nci_hash_init(nci_hash *hash, const char *domain);
void nci_hash_bytes(nci_hash *hash, const void *bytes, size_t nbytes);
void nci_hash_text(nci_hash *hash, const char *text);
void nci_hash_i64(nci_hash *hash, int64_t value);
void nci_hash_token(nci_hash *hash, nci_token token);
nci_token nci_hash_done(const nci_hash *hash);
/* nci_token_of hashes one block of bytes. */
nci_token nci_token_of(const void *bytes, size_t nbytes);
bool nci_token_equal(nci_token a, nci_token b);
/* nci_token_random gives a token that nobody else has, on any machine. */
nci_token nci_token_random(void);

#endif
