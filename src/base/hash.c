/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/hash.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

nci_token nci_token_of(const void *bytes, size_t nbytes)
{
    XXH128_hash_t h = XXH3_128bits(bytes, nbytes);
    return (nci_token){h.low64, h.high64};
}

void nci_hash_init(nci_hash *hash, const char *domain)
{
    hash->state = nci_token_of(domain, strlen(domain));
}

/* Chained: state' = H(state, length, H(bytes)). */
void nci_hash_bytes(nci_hash *hash, const void *bytes, size_t nbytes)
{
    uint64_t link[5] = {hash->state.low, hash->state.high, nbytes, 0, 0};
    nci_token piece = nci_token_of(bytes, nbytes);
    link[3] = piece.low;
    link[4] = piece.high;
    hash->state = nci_token_of(link, sizeof link);
}

void nci_hash_text(nci_hash *hash, const char *text)
{
    nci_hash_bytes(hash, text ? text : "\0", text ? strlen(text) : 1);
}

void nci_hash_i64(nci_hash *hash, int64_t value)
{
    nci_hash_bytes(hash, &value, sizeof value);
}

void nci_hash_token(nci_hash *hash, nci_token token)
{
    nci_hash_bytes(hash, &token, sizeof token);
}

nci_token nci_hash_done(const nci_hash *hash)
{
    return hash->state;
}

bool nci_token_equal(nci_token a, nci_token b)
{
    return a.low == b.low && a.high == b.high;
}

/* Where the system has no random bytes yet, process and time have to do. */
nci_token nci_token_random(void)
{
    uint64_t random[2] = {0};
    struct timespec now;
    nci_hash hash;
    clock_gettime(CLOCK_REALTIME, &now);
    nci_hash_init(&hash, "ncgraph.random/1");
    if (getrandom(random, sizeof random, GRND_NONBLOCK) == sizeof random)
        nci_hash_bytes(&hash, random, sizeof random);
    nci_hash_i64(&hash, (int64_t)getpid());
    nci_hash_i64(&hash, (int64_t)now.tv_sec);
    nci_hash_i64(&hash, (int64_t)now.tv_nsec);
    return nci_hash_done(&hash);
}
