/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lengths come from Huffman's tree, built over the sorted counts with two
 * queues; codes that are too long are shortened by lengthening the cheapest
 * shorter ones until Kraft's sum is whole again.
 */
#include "io/write/huffman.h"

#include <stdlib.h>

/* A symbol below its count, so that equal counts have an order. */
static int compare_words(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int sort_used(const uint32_t *count, int n, uint64_t *used)
{
    int nused = 0;
    for (int s = 0; s < n; s++)
        if (count[s])
            used[nused++] = (uint64_t)count[s] << 16 | (unsigned)s;
    for (int s = 0; nused < 2; s++)
        if (!count[s])
            used[nused++] = UINT64_C(1) << 16 | (unsigned)s;
    qsort(used, (size_t)nused, sizeof *used, compare_words);
    return nused;
}

/* Counts the leaves of each depth of the tree over the sorted counts: leaves
 * and finished nodes are two queues that both rise. */
static void count_depths(const uint64_t *used, int n,
                         int depths[NCI_CODE_SYMBOLS])
{
    uint64_t weight[NCI_CODE_SYMBOLS];
    int parent[2 * NCI_CODE_SYMBOLS], depth[2 * NCI_CODE_SYMBOLS];
    int leaf = 0, node = 0;
    for (int made = 0; made < n - 1; made++) {
        weight[made] = 0;
        for (int child = 0; child < 2; child++) {
            bool is_leaf =
                leaf < n && (node == made || used[leaf] >> 16 <= weight[node]);
            weight[made] += is_leaf ? used[leaf] >> 16 : weight[node];
            parent[is_leaf ? leaf++ : n + node++] = n + made;
        }
    }
    memset(depths, 0, NCI_CODE_SYMBOLS * sizeof *depths);
    depth[n + n - 2] = 0;
    for (int i = n + n - 3; i >= 0; i--) {
        depth[i] = depth[parent[i]] + 1;
        if (i < n)
            depths[depth[i]]++;
    }
}

static void shorten(int depths[NCI_CODE_SYMBOLS], int n, int longest)
{
    int64_t sum = 0;
    for (int d = longest + 1; d < n; d++) {
        depths[longest] += depths[d];
        depths[d] = 0;
    }
    for (int d = 1; d <= longest; d++)
        sum += (int64_t)depths[d] << (longest - d);
    for (; sum > INT64_C(1) << longest; sum--) {
        int d = longest - 1;
        while (!depths[d])
            d--;
        depths[d]--;
        depths[d + 1] += 2; /* it, and one of the longest */
        depths[longest]--;
    }
}

static uint16_t reverse(unsigned code, int length)
{
    unsigned out = 0;
    for (int i = 0; i < length; i++)
        out |= (code >> i & 1) << (length - 1 - i);
    return (uint16_t)out;
}

static void assign(nci_code *code, int n, const int *depths, int longest)
{
    unsigned next[NCI_CODE_LONGEST + 1] = {0};
    for (int d = 1; d <= longest; d++)
        next[d] = (next[d - 1] + (d > 1 ? (unsigned)depths[d - 1] : 0)) << 1;
    for (int s = 0; s < n; s++)
        if (code->length[s])
            code->bits[s] = reverse(next[code->length[s]]++, code->length[s]);
}

void nci_code_make(nci_code *code, const uint32_t *count, int n, int longest)
{
    uint64_t used[NCI_CODE_SYMBOLS + 2];
    int depths[NCI_CODE_SYMBOLS];
    int nused = sort_used(count, n, used);
    memset(code, 0, sizeof *code);
    count_depths(used, nused, depths);
    shorten(depths, nused, longest);
    /* The rarest symbols come first and get the longest codes. */
    for (int d = longest, at = 0; d > 0; d--)
        for (int i = 0; i < depths[d]; i++)
            code->length[used[at++] & 0xffff] = (uint8_t)d;
    assign(code, n, depths, longest);
}
