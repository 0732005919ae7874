/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Greedy matching by two tables of last places, of four bytes and of three.
 * Three bytes from far away cost nearly as much as three literals: they are
 * taken where the block before had expensive literals. A block's symbols are
 * kept until its code is known; what a code would not shorten is stored.
 */
#include "io/write/quick.h"

#include <stdbool.h>

#include "base/mem.h"
#include "io/write/huffman.h"

enum {
    WINDOW = 32768,
    MATCH_MIN = 3,
    MATCH_MAX = 258,
    NEAR = 4096,           /* a distance that three bytes are worth */
    BLOCK_SYMBOLS = 16384, /* few enough to follow changing statistics */
    STORED_MAX = 65535,
    FOUR_BITS = 15, /* slots of the tables, as powers of two */
    THREE_BITS = 15,
    NLITERALS = 286,
    NDISTANCES = 30,
    NLENGTHS = 19, /* of the code of codes' lengths */
    END = 256
};
static const uint32_t IS_MATCH = UINT32_C(1) << 31;

/* Of a place its lower 16 bits are kept: what they name in the window before
 * another place may be anything, and is compared. */
struct nci_quick {
    uint16_t four[1 << FOUR_BITS], three[1 << THREE_BITS];
    /* a literal, or IS_MATCH | (length - 3) << 16 | (distance - 1) */
    uint32_t symbols[BLOCK_SYMBOLS];
    size_t nsymbols;
    uint32_t literals[NLITERALS], distances[NDISTANCES]; /* how often */
    bool takes_far;
    uint8_t length_code[MATCH_MAX + 1 - MATCH_MIN];
    uint8_t near_code[256], far_code[256]; /* of distance - 1, and >> 7 of it */
};

static const uint16_t length_base[29] = {
    3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
    31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
static const uint8_t length_extra[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1,
                                         1, 1, 2, 2, 2, 2, 3, 3, 3, 3,
                                         4, 4, 4, 4, 5, 5, 5, 5, 0};
static const uint16_t distance_base[30] = {
    1,    2,    3,    4,    5,    7,    9,    13,    17,    25,
    33,   49,   65,   97,   129,  193,  257,  385,   513,   769,
    1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
static const uint8_t distance_extra[30] = {
    0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
    6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13};

nci_quick *nci_quick_create(void)
{
    nci_quick *quick = nci_calloc(1, sizeof *quick);
    if (!quick)
        return NULL;
    for (int code = 0; code < 29; code++)
        for (int i = length_base[code]; i <= MATCH_MAX; i++)
            quick->length_code[i - MATCH_MIN] = (uint8_t)code;
    for (int code = 0; code < 30; code++)
        for (int d = distance_base[code] - 1; d < WINDOW; d++) {
            if (d < 256)
                quick->near_code[d] = (uint8_t)code;
            if (d % 128 == 0)
                quick->far_code[d / 128] = (uint8_t)code;
        }
    return quick;
}

void nci_quick_free(nci_quick **quick)
{
    nci_free(*quick);
    *quick = NULL;
}

/* No block is longer than its bytes stored: five bytes and some bits a piece.
 * The bits are written eight bytes at a time. */
size_t nci_quick_bound(size_t n, size_t count)
{
    return n * count + 12 * (n * count / BLOCK_SYMBOLS + count + 1) + 16;
}

/* ---- writing a block ----------------------------------------------------- */

static unsigned distance_code(const nci_quick *quick, uint32_t below)
{
    return below < 256 ? quick->near_code[below] : quick->far_code[below >> 7];
}

/* The lengths of both codes as symbols: 0-15 a length, 16 the last one again,
 * 17 and 18 zeros; what they carry is in the upper byte. */
typedef struct lengths {
    uint16_t symbols[NLITERALS + NDISTANCES];
    size_t n;
    int nliterals, ndistances, norder; /* that are written */
    uint32_t counts[NLENGTHS];
    nci_code code;
} lengths;

static const uint8_t length_order[NLENGTHS] = {
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
static const uint8_t carried_bits[3] = {2, 3, 7};

static void add_length(lengths *to, unsigned symbol, size_t carried)
{
    to->symbols[to->n++] = (uint16_t)(carried << 8 | symbol);
    to->counts[symbol]++;
}

/* A run of one length; returns how much of it the next symbol takes. */
static size_t add_run(lengths *to, unsigned length, size_t run, bool is_again)
{
    if (!length && run >= 11) {
        run = run > 138 ? 138 : run;
        add_length(to, 18, run - 11);
    } else if (!length && run >= 3) {
        add_length(to, 17, run - 3);
    } else if (is_again && run >= 3) {
        run = run > 6 ? 6 : run;
        add_length(to, 16, run - 3);
    } else {
        run = 1;
        add_length(to, length, 0);
    }
    return run;
}

static int count_used(const nci_code *code, int n, int least)
{
    while (n > least && !code->length[n - 1])
        n--;
    return n;
}

static void find_lengths(const nci_code *literals, const nci_code *distances,
                         lengths *to)
{
    uint8_t all[NLITERALS + NDISTANCES];
    memset(to, 0, sizeof *to);
    to->nliterals = count_used(literals, NLITERALS, 257);
    to->ndistances = count_used(distances, NDISTANCES, 1);
    size_t n = (size_t)(to->nliterals + to->ndistances);
    memcpy(all, literals->length, (size_t)to->nliterals);
    memcpy(all + to->nliterals, distances->length, (size_t)to->ndistances);
    for (size_t i = 0, next; i < n; i = next) {
        for (next = i + 1; next < n && all[next] == all[i]; next++)
            ;
        for (size_t at = i; at < next;)
            at += add_run(to, all[i], next - at, at > i);
    }
    nci_code_make(&to->code, to->counts, NLENGTHS, 7);
    to->norder = NLENGTHS;
    while (to->norder > 4 && !to->code.length[length_order[to->norder - 1]])
        to->norder--;
}

static uint64_t count_bits(const nci_quick *quick, const nci_code *literals,
                           const nci_code *distances, const lengths *codes)
{
    uint64_t bits = 3 + 14 + 3 * (uint64_t)codes->norder;
    for (int s = 0; s < NLENGTHS; s++)
        bits += (uint64_t)codes->counts[s] *
                (codes->code.length[s] + (s < 16 ? 0u : carried_bits[s - 16]));
    for (int s = 0; s < NLITERALS; s++)
        bits += (uint64_t)quick->literals[s] *
                (literals->length[s] + (s > END ? length_extra[s - 257] : 0u));
    for (int s = 0; s < NDISTANCES; s++)
        bits += (uint64_t)quick->distances[s] *
                (unsigned)(distances->length[s] + distance_extra[s]);
    return bits;
}

static void put_lengths(nci_bits *to, const lengths *codes)
{
    nci_bits_put(to, (uint64_t)codes->nliterals - 257, 5);
    nci_bits_put(to, (uint64_t)codes->ndistances - 1, 5);
    nci_bits_put(to, (uint64_t)codes->norder - 4, 4);
    for (int i = 0; i < codes->norder; i++)
        nci_bits_put(to, codes->code.length[length_order[i]], 3);
    for (size_t i = 0; i < codes->n; i++) {
        unsigned s = codes->symbols[i] & 0xff;
        nci_bits_put(to, codes->code.bits[s], codes->code.length[s]);
        if (s >= 16)
            nci_bits_put(to, codes->symbols[i] >> 8, carried_bits[s - 16]);
    }
}

static void put_match(const nci_quick *quick, const nci_code *literals,
                      const nci_code *distances, uint32_t symbol, nci_bits *to)
{
    unsigned length = symbol >> 16 & 0xff, below = symbol & 0xffff;
    unsigned code = quick->length_code[length];
    uint64_t bits = literals->bits[257 + code];
    unsigned n = literals->length[257 + code];
    bits |= (uint64_t)(length + MATCH_MIN - length_base[code]) << n;
    n += length_extra[code];
    code = distance_code(quick, below);
    bits |= (uint64_t)distances->bits[code] << n;
    n += distances->length[code];
    bits |= (uint64_t)(below + 1 - distance_base[code]) << n;
    nci_bits_put(to, bits, n + distance_extra[code]);
}

static void put_symbols(const nci_quick *quick, const nci_code *literals,
                        const nci_code *distances, nci_bits *to)
{
    for (size_t i = 0; i < quick->nsymbols; i++) {
        uint32_t symbol = quick->symbols[i];
        if (symbol & IS_MATCH)
            put_match(quick, literals, distances, symbol, to);
        else
            nci_bits_put(to, literals->bits[symbol], literals->length[symbol]);
    }
    nci_bits_put(to, literals->bits[END], literals->length[END]);
}

static void put_stored(nci_bits *to, const uint8_t *data, size_t n,
                       bool is_final)
{
    while (n) {
        size_t size = n < STORED_MAX ? n : STORED_MAX;
        nci_bits_put(to, is_final && size == n, 3);
        nci_bits_align(to);
        nci_bits_put(to, size | (~size & 0xffff) << 16, 32);
        memcpy(to->out, data, size);
        to->out += size;
        data += size;
        n -= size;
    }
}

/* Whether the literals of this block took more than seven bits on average. */
static bool has_dear_literals(const nci_quick *quick, const nci_code *literals)
{
    uint64_t count = 0, bits = 0;
    for (int s = 0; s < 256; s++) {
        count += quick->literals[s];
        bits += (uint64_t)quick->literals[s] * literals->length[s];
    }
    return bits > 7 * count;
}

static void put_block(nci_quick *quick, const uint8_t *data, size_t n,
                      bool is_final, nci_bits *to)
{
    nci_code literals, distances;
    lengths codes;
    quick->literals[END] = 1;
    nci_code_make(&literals, quick->literals, NLITERALS, NCI_CODE_LONGEST);
    nci_code_make(&distances, quick->distances, NDISTANCES, NCI_CODE_LONGEST);
    find_lengths(&literals, &distances, &codes);
    quick->takes_far = has_dear_literals(quick, &literals);
    if (count_bits(quick, &literals, &distances, &codes) / 8 >=
        n + 5 * (n / STORED_MAX)) {
        put_stored(to, data, n, is_final);
    } else {
        nci_bits_put(to, (is_final ? 1u : 0u) | 2u << 1, 3);
        put_lengths(to, &codes);
        put_symbols(quick, &literals, &distances, to);
    }
    quick->nsymbols = 0;
    memset(quick->literals, 0, sizeof quick->literals);
    memset(quick->distances, 0, sizeof quick->distances);
}

/* ---- matching ------------------------------------------------------------ */

static uint32_t load4(const uint8_t *at)
{
    uint32_t x;
    memcpy(&x, at, sizeof x);
    return le32toh(x);
}

static uint64_t load8(const uint8_t *at)
{
    uint64_t x;
    memcpy(&x, at, sizeof x);
    return le64toh(x);
}

static uint32_t three_of(uint32_t four)
{
    return four << 8;
}

static uint16_t *four_slot(nci_quick *quick, uint32_t four)
{
    return &quick->four[four * UINT32_C(2654435761) >> (32 - FOUR_BITS)];
}

static uint16_t *three_slot(nci_quick *quick, uint32_t four)
{
    return &quick->three[three_of(four) * UINT32_C(2654435761) >>
                         (32 - THREE_BITS)];
}

/* How far two places are equal, up to `most`, which ends within the data. */
static size_t match_length(const uint8_t *a, const uint8_t *b, size_t most)
{
    size_t n = 0;
    for (; n + 8 <= most; n += 8) {
        uint64_t differ = load8(a + n) ^ load8(b + n);
        if (differ)
            return n + (size_t)__builtin_ctzll(differ) / 8;
    }
    while (n < most && a[n] == b[n])
        n++;
    return n;
}

static void enter(nci_quick *quick, const uint8_t *data, size_t at)
{
    uint32_t four = load4(data + at);
    *four_slot(quick, four) = *three_slot(quick, four) = (uint16_t)at;
}

/* The distance - 1 to what a slot names. Every answer is in the window, so that
 * stale slots cost a comparison and no branch. */
static uint32_t look(const uint16_t *slot, size_t at)
{
    return (uint32_t)(at - *slot - 1) & (WINDOW - 1);
}

/* Looks a place up and enters it; the length of the match or 0. */
static size_t find_match(nci_quick *quick, const uint8_t *data, size_t at,
                         size_t most, uint32_t *below)
{
    uint32_t four = load4(data + at);
    uint16_t *four_at = four_slot(quick, four);
    uint16_t *three_at = three_slot(quick, four);
    uint32_t far = look(four_at, at), near = look(three_at, at);
    *four_at = *three_at = (uint16_t)at;
    if (far < at && load4(data + at - far - 1) == four) {
        *below = far;
        return 4 +
               match_length(data + at + 4, data + at - far - 1 + 4, most - 4);
    }
    *below = near;
    if (near < at && three_of(load4(data + at - near - 1)) == three_of(four) &&
        (quick->takes_far || near < NEAR))
        return MATCH_MIN;
    return 0;
}

static void add_match(nci_quick *quick, size_t length, uint32_t below)
{
    quick->symbols[quick->nsymbols++] =
        IS_MATCH | (uint32_t)(length - MATCH_MIN) << 16 | below;
    quick->literals[257 + quick->length_code[length - MATCH_MIN]]++;
    quick->distances[distance_code(quick, below)]++;
}

/* Takes symbols from `at` on until a block is full or the plane ends. The last
 * bytes, which cannot be loaded as four, are literals. */
static size_t fill_block(nci_quick *quick, const uint8_t *data, size_t at,
                         size_t end)
{
    while (at < end && quick->nsymbols < BLOCK_SYMBOLS) {
        uint32_t below;
        size_t most = end - at < MATCH_MAX ? end - at : MATCH_MAX;
        size_t length =
            most < 4 ? 0 : find_match(quick, data, at, most, &below);
        if (!length) {
            quick->symbols[quick->nsymbols++] = data[at];
            quick->literals[data[at++]]++;
            continue;
        }
        add_match(quick, length, below);
        /* Of long matches the ends are enough to go on from. */
        size_t skip = length > 16 ? length - 4 : 1;
        for (size_t i = skip; i < length && at + i + 4 <= end; i++)
            enter(quick, data, at + i);
        at += length;
    }
    return at;
}

size_t nci_quick_deflate(nci_quick *quick, const uint8_t *data, size_t n,
                         size_t count, uint8_t *out)
{
    nci_bits to = {0, 0, out};
    memset(quick->four, 0, sizeof quick->four);
    memset(quick->three, 0, sizeof quick->three);
    for (size_t plane = 0; plane < count; plane++) {
        size_t end = (plane + 1) * n;
        quick->takes_far = true;
        for (size_t at = plane * n, next; at < end; at = next) {
            next = fill_block(quick, data, at, end);
            put_block(quick, data + at, next - at, next == n * count, &to);
        }
    }
    nci_bits_align(&to);
    return (size_t)(to.out - out);
}
