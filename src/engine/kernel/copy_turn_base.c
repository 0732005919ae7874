/* SPDX-License-Identifier: BSD-3-Clause */
/* Transposed planes for what every machine of the architecture has. */
#include <stdint.h>
#include <string.h>

typedef uint32_t four32 __attribute__((vector_size(16)));
typedef uint64_t two64 __attribute__((vector_size(16)));
enum { WIDE32 = 4, WIDE64 = 2 };

static inline void square32(const uint8_t *from, int64_t from_step, uint8_t *to,
                            int64_t to_step)
{
    four32 a, b, c, d, e, f;
    memcpy(&a, from, sizeof a);
    memcpy(&b, from + from_step, sizeof b);
    memcpy(&c, from + 2 * from_step, sizeof c);
    memcpy(&d, from + 3 * from_step, sizeof d);
    e = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    f = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    a = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    c = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    b = __builtin_shufflevector(e, f, 0, 1, 4, 5);
    e = __builtin_shufflevector(e, f, 2, 3, 6, 7);
    d = __builtin_shufflevector(a, c, 0, 1, 4, 5);
    f = __builtin_shufflevector(a, c, 2, 3, 6, 7);
    memcpy(to, &b, sizeof b);
    memcpy(to + to_step, &e, sizeof e);
    memcpy(to + 2 * to_step, &d, sizeof d);
    memcpy(to + 3 * to_step, &f, sizeof f);
}

static inline void square64(const uint8_t *from, int64_t from_step, uint8_t *to,
                            int64_t to_step)
{
    two64 a, b, c;
    memcpy(&a, from, sizeof a);
    memcpy(&b, from + from_step, sizeof b);
    c = __builtin_shufflevector(a, b, 0, 2);
    a = __builtin_shufflevector(a, b, 1, 3);
    memcpy(to, &c, sizeof c);
    memcpy(to + to_step, &a, sizeof a);
}

#define NCI_TURN_TABLE nci_turn_base
#include "engine/kernel/copy_turn_body.h"

const nci_turn_loops *nci_turn_loops_of(const nci_isa *isa)
{
#if defined(__x86_64__)
    if (isa == &nci_isa_avx2)
        return &nci_turn_avx2;
#endif
    (void)isa;
    return &nci_turn_base;
}
