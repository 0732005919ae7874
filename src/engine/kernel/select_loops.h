/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The loops of select.h for keys of one size, included by select_body.h once a
 * size. KEY, UKEY: signed and unsigned; LEAST, MISSED: limits; NAME(x).
 *
 * A row of keys is PARTS vectors, which stay in registers with the middles and
 * the counts, however long the columns are.
 */
typedef KEY NAME(vector) __attribute__((vector_size(32)));
typedef UKEY NAME(uvector) __attribute__((vector_size(32)));

enum {
    NAME(LANES) = 32 / sizeof(KEY),
    NAME(PARTS) = NCI_KEY_ROW / 32,
    NAME(COLUMNS) = NCI_KEY_ROW / sizeof(KEY)
};

typedef union NAME(row) {
    NAME(vector) part[NAME(PARTS)];
    KEY key[NAME(COLUMNS)];
} NAME(row);

static inline NAME(vector) NAME(either)(NAME(vector) mask, NAME(vector) yes,
                                        NAME(vector) no)
{
    return (yes & mask) | (no & ~mask);
}

static inline NAME(vector) NAME(all)(KEY x)
{
    return (NAME(vector)){0} + x;
}

static void NAME(column_ranges)(const void *keys, int64_t n, bool can_miss,
                                nci_key_range *range)
{
    const NAME(row) *row = keys;
    NAME(row) low, high, missed;
    NAME(vector) none = NAME(all)(MISSED);
    for (int p = 0; p < NAME(PARTS); p++) {
        low.part[p] = NAME(all)(MISSED);
        high.part[p] = NAME(all)(LEAST);
        missed.part[p] = NAME(all)(0);
    }
    for (int64_t r = 0; r < n; r++)
        for (int p = 0; p < NAME(PARTS); p++) {
            NAME(vector) k = row[r].part[p], h = high.part[p];
            NAME(vector) out = can_miss ? k == none : NAME(all)(0);
            low.part[p] = NAME(either)(k < low.part[p], k, low.part[p]);
            high.part[p] = NAME(either)((k > h) & ~out, k, h);
            missed.part[p] -= out;
        }
    for (int c = 0; c < NAME(COLUMNS); c++) {
        int64_t valid = n - missed.key[c];
        range[c] = valid ? (nci_key_range){low.key[c], high.key[c], valid}
                         : (nci_key_range){0, 0, 0};
    }
}

/* counts[c] = keys of column c above middle[c] */
static inline void NAME(count_above)(const NAME(row) *row, int64_t n,
                                     const NAME(row) *middle, NAME(row) *counts)
{
    NAME(vector) m0 = middle->part[0], m1 = middle->part[1];
    NAME(vector) m2 = middle->part[2], m3 = middle->part[3];
    NAME(vector) c0 = NAME(all)(0), c1 = c0, c2 = c0, c3 = c0;
    for (int64_t r = 0; r < n; r++) {
        c0 -= row[r].part[0] > m0;
        c1 -= row[r].part[1] > m1;
        c2 -= row[r].part[2] > m2;
        c3 -= row[r].part[3] > m3;
    }
    counts->part[0] = c0;
    counts->part[1] = c1;
    counts->part[2] = c2;
    counts->part[3] = c3;
}

/* The greatest key up to high, the least one above it, and how many there are
 * up to it. */
static void NAME(neighbours)(const NAME(row) *row, int64_t n,
                             const NAME(row) *high, NAME(row) *below,
                             NAME(row) *above, NAME(row) *counts)
{
    for (int p = 0; p < NAME(PARTS); p++) {
        NAME(vector) h = high->part[p], c = NAME(all)(0);
        NAME(vector) b = NAME(all)(LEAST), a = NAME(all)(MISSED);
        for (int64_t r = 0; r < n; r++) {
            NAME(vector) k = row[r].part[p], is_above = k > h;
            b = NAME(either)((k > b) & ~is_above, k, b);
            a = NAME(either)((k < a) & is_above, k, a);
            c += is_above + 1;
        }
        below->part[p] = b;
        above->part[p] = a;
        counts->part[p] = c;
    }
}

static inline KEY NAME(middle)(KEY low, KEY high)
{
    return (KEY)((UKEY)low + (((UKEY)high - (UKEY)low) >> 1));
}

/* One step of every column's bisection; false when all have ended. */
static bool NAME(narrow)(NAME(row) *low, NAME(row) *high,
                         const NAME(row) *middle, const NAME(row) *above,
                         const int64_t *rank, int64_t n)
{
    bool goes_on = false;
    for (int c = 0; c < NAME(COLUMNS); c++) {
        int64_t more = n - above->key[c] - (rank[c] + 1);
        if (low->key[c] >= high->key[c])
            continue;
        if (more >= 0)
            high->key[c] = middle->key[c];
        else
            low->key[c] = middle->key[c] + 1;
        if (more == 0)
            low->key[c] = middle->key[c];
        goes_on |= low->key[c] < high->key[c];
    }
    return goes_on;
}

static void NAME(columns_at)(const void *keys, int64_t n,
                             const nci_key_range *range, const int64_t *rank,
                             int64_t *pairs)
{
    const NAME(row) *row = keys;
    NAME(row) low, high, middle, counts, below, above;
    bool goes_on = false;
    for (int c = 0; c < NAME(COLUMNS); c++) {
        low.key[c] = (KEY)range[c].low;
        high.key[c] = (KEY)range[c].high;
        goes_on |= low.key[c] < high.key[c];
    }
    while (goes_on) {
        for (int c = 0; c < NAME(COLUMNS); c++)
            middle.key[c] = NAME(middle)(low.key[c], high.key[c]);
        NAME(count_above)(row, n, &middle, &counts);
        goes_on = NAME(narrow)(&low, &high, &middle, &counts, rank, n);
    }
    NAME(neighbours)(row, n, &high, &below, &above, &counts);
    for (int c = 0; c < NAME(COLUMNS); c++) {
        pairs[2 * c] = below.key[c];
        pairs[2 * c + 1] =
            counts.key[c] > rank[c] + 1 ? below.key[c] : above.key[c];
    }
}

/* ---- one line ----------------------------------------------------------------- */

static nci_key_range NAME(line_range)(const void *keys, int64_t n,
                                      bool can_miss)
{
    const KEY *key = keys;
    KEY low = MISSED, high = LEAST;
    int64_t missed = 0;
    for (int64_t i = 0; i < n; i++) {
        KEY k = key[i];
        bool out = can_miss && k == MISSED;
        low = k < low ? k : low;
        high = !out && k > high ? k : high;
        missed += out;
    }
    return n > missed ? (nci_key_range){low, high, n - missed}
                      : (nci_key_range){0, 0, 0};
}

static int64_t NAME(line_above)(const KEY *key, int64_t n, KEY middle)
{
    int64_t count = 0;
    for (int64_t at = 0; at < n;) {
        int64_t end = n - at > 1 << 20 ? at + (1 << 20) : n;
        KEY some = 0;
        for (; at < end; at++)
            some += key[at] > middle;
        count += some;
    }
    return count;
}

/* Keeps the keys low..high. *next: the least key above them so far. */
static int64_t NAME(keep)(const KEY *key, int64_t n, KEY low, KEY high, KEY *to,
                          KEY *next)
{
    int64_t kept = 0;
    KEY least = *next;
    for (int64_t i = 0; i < n; i++) {
        KEY k = key[i];
        to[kept] = k;
        kept += k >= low && k <= high;
        least = k > high && k < least ? k : least;
    }
    *next = least;
    return kept;
}

/* Keys that can no longer be the one are thrown out once they are more than
 * half. `dropped` of them lie below. */
static void NAME(line_at)(const void *keys, int64_t n,
                          const nci_key_range *range, int64_t rank,
                          void *scratch, int64_t *pair)
{
    const KEY *key = keys;
    KEY low = (KEY)range->low, high = (KEY)range->high, next = MISSED;
    int64_t dropped = 0, under = 0, upto = n;
    while (low < high) {
        KEY middle = NAME(middle)(low, high);
        int64_t count = n - NAME(line_above)(key, n, middle);
        int64_t more = dropped + count - (rank + 1);
        if (more >= 0) {
            high = middle;
            upto = count;
        } else {
            low = middle + 1;
            under = count;
        }
        if (more == 0)
            low = high;
        if (low < high && (upto - under) * 2 < n) {
            n = NAME(keep)(key, n, low, high, scratch, &next);
            key = scratch;
            dropped += under;
            under = 0;
            upto = n;
        }
    }
    KEY below = LEAST;
    int64_t count = dropped;
    for (int64_t i = 0; i < n; i++) {
        KEY k = key[i];
        below = k <= high && k > below ? k : below;
        next = k > high && k < next ? k : next;
        count += k <= high;
    }
    pair[0] = below;
    pair[1] = count > rank + 1 ? below : next;
}
