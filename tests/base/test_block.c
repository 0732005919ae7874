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
    void *memory = nci_block_take(3500 << 10);
    if (!memory) {
        print_message("skipped: nothing is kept in sanitizer builds\n");
        skip();
    }
    assert_null(nci_block_take(3500 << 10));
    nci_block_give(memory);
}

NCG_TESTS(NCG_TEST(block_is_large_enough_and_aligned),
          NCG_TEST(block_fits_the_request))
