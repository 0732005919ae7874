/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_TESTS_ENGINE_ISA_TABLES_H
#define NCG_TESTS_ENGINE_ISA_TABLES_H
/* The tables of loops that this machine runs, and numbers to try them with. */
#include "engine/kernel/isa.h"

static uint64_t seed = 42;

static uint32_t random32(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 32);
}

static const nci_isa *tables[2];
static int ntables;

/* A group's set-up. */
static int find_tables(void **state)
{
    (void)state;
    tables[ntables++] = &nci_isa_base;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        tables[ntables++] = &nci_isa_avx2;
#endif
    return 0;
}

#endif
