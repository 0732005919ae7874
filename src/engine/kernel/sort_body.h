/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sorting keys of one size; block_sort.c includes this once a size. KEY, UKEY:
 * signed and unsigned; TOP: the sign bit; NAME(x).
 */

static void NAME(insert)(KEY *key, int64_t n)
{
    for (int64_t i = 1; i < n; i++) {
        KEY k = key[i];
        int64_t at = i;
        for (; at > 0 && key[at - 1] > k; at--)
            key[at] = key[at - 1];
        key[at] = k;
    }
}

/* By bytes, the lowest first; a byte that all keys share is left out. */
static void NAME(radix)(KEY *key, KEY *spare, int64_t n)
{
    static const size_t bytes = sizeof(KEY);
    int64_t count[sizeof(KEY)][256];
    KEY *from = key, *to = spare;
    memset(count, 0, sizeof count);
    for (int64_t i = 0; i < n; i++) {
        UKEY k = (UKEY)key[i] ^ TOP;
        for (size_t b = 0; b < bytes; b++)
            count[b][k >> 8 * b & 255]++;
    }
    for (size_t b = 0; b < bytes; b++) {
        int64_t *place = count[b], at = 0;
        if (place[((UKEY)from[0] ^ TOP) >> 8 * b & 255] == n)
            continue;
        for (int v = 0; v < 256; v++) {
            int64_t some = place[v];
            place[v] = at;
            at += some;
        }
        for (int64_t i = 0; i < n; i++)
            to[place[((UKEY)from[i] ^ TOP) >> 8 * b & 255]++] = from[i];
        KEY *other = from;
        from = to;
        to = other;
    }
    if (from != key)
        memcpy(key, from, (size_t)n * sizeof *key);
}

static void NAME(sort)(void *keys, void *spare, int64_t n)
{
    if (n <= FEW)
        NAME(insert)(keys, n);
    else
        NAME(radix)(keys, spare, n);
}
