/* SPDX-License-Identifier: BSD-3-Clause */
/* Kept blocks: aligned, of about the size asked for, bounded in sum. */
#include "base/block.h"
#include "base/mem.h"
#include "test.h"

static void block_is_large_enough_and_aligned(void **state)
{
    (void)state;
    for (size_t n = 1 << 10; n < (64 << 20); n += n / 3) {
        for (int i = 0; i < 3; i++) {
            uint8_t *memory = nci_alloc_aligned(n);
            assert_non_null(memory);
            assert_int_equal((uintptr_t)memory % 64, 0);
            memory[0] = memory[n - 1] = 1;
            nci_free(memory);
        }
    }
}

static void block_fits_the_request(void **state)
{
    (void)state;
    nci_free(nci_alloc_aligned(4 << 20));
    assert_null(nci_block_take(5 << 20));
    assert_null(nci_block_take(1000));
    void *memory = nci_block_take(4000 << 10);
    if (!memory) {
        print_message("skipped: nothing is kept in sanitizer builds\n");
        skip();
    }
    assert_null(nci_block_take(4000 << 10));
    nci_block_give(memory);
}

/* During a run what was in use may stay, after it only a little. */
static void runs_keep_what_they_have_had(void **state)
{
    enum { N = 6, SIZE = 20 << 20 };
    void *blocks[N + 1];
    int n = 0;
    (void)state;
    nci_free(nci_alloc_aligned(SIZE));
    void *taken = nci_block_take(SIZE);
    if (!taken) {
        print_message("skipped: nothing is kept in sanitizer builds\n");
        skip();
    }
    nci_block_give(taken);
    nci_block_run_begins();
    for (int i = 0; i < N; i++)
        assert_non_null(blocks[i] = nci_alloc_aligned(SIZE));
    for (int i = 0; i < N; i++)
        nci_free(blocks[i]);
    while (n <= N && (blocks[n] = nci_block_take(SIZE)))
        n++;
    assert_int_equal(n, N);
    while (n)
        nci_block_give(blocks[--n]);
    nci_block_run_ends();
    while (n <= N && (blocks[n] = nci_block_take(SIZE)))
        n++;
    assert_int_equal(n, NCI_BLOCK_KEPT / SIZE);
    while (n)
        nci_block_give(blocks[--n]);
}

static size_t resident(void)
{
    size_t all = 0, here = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%zu %zu", &all, &here), 2);
    fclose(f);
    return here * (size_t)sysconf(_SC_PAGESIZE);
}

/* A block of its own grows and shrinks like others. */
static void mapped_blocks_are_resized(void **state)
{
    (void)state;
    for (size_t n = 16; n < (size_t)16 << 20; n *= 7) {
        uint8_t *memory = nci_alloc_aligned(2 << 20);
        assert_non_null(memory);
        memset(memory, 7, 2 << 20);
        memory = nci_realloc(memory, n);
        assert_non_null(memory);
        for (size_t i = 0; i < n && i < (2 << 20); i++)
            assert_int_equal(memory[i], 7);
        memset(memory, 1, n);
        nci_free(memory);
    }
}

/* Every other block is freed: the heap cannot shrink, but its pages go; large
 * blocks have pages of their own. */
static void blocks_leave_the_process(int n, size_t size)
{
    void **blocks = calloc((size_t)n, sizeof *blocks);
    void *own = nci_block_map(NCI_BLOCK_OWN);
    if (!own) {
        free(blocks);
        print_message("skipped: nothing is kept in sanitizer builds\n");
        skip();
    }
    nci_block_give(own);
    nci_block_bound(16 << 20);
    for (int i = 0; i < n; i++) {
        blocks[i] = nci_alloc_aligned(size);
        assert_non_null(blocks[i]);
        memset(blocks[i], 1, size);
    }
    size_t before = resident();
    for (int i = 0; i < n; i += 2)
        nci_free(blocks[i]);
    size_t after = resident();
    assert_true(before >= after + (size_t)n / 2 * size - (16 << 20));
    for (int i = 1; i < n; i += 2)
        nci_free(blocks[i]);
    nci_block_bound(SIZE_MAX);
    free(blocks);
}

static void freed_blocks_leave_the_process(void **state)
{
    (void)state;
    blocks_leave_the_process(256, NCI_BLOCK_OWN / 2);
    blocks_leave_the_process(128, NCI_BLOCK_OWN);
}

NCG_TESTS(NCG_TEST(block_is_large_enough_and_aligned),
          NCG_TEST(block_fits_the_request),
          NCG_TEST(runs_keep_what_they_have_had),
          NCG_TEST(mapped_blocks_are_resized),
          NCG_TEST(freed_blocks_leave_the_process))
