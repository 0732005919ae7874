/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_TESTS_MUTATE_H
#define NCI_TESTS_MUTATE_H
/*
 * Changes of bytes, drawn from a fixed sequence: the entries of fuzzers over
 * their seeds run alike with every compiler and every time.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t random_state;

static uint64_t draw(uint64_t below)
{
    random_state = random_state * 6364136223846793005ULL + 1442695040888963407U;
    return (random_state >> 33) % below;
}

/* Numbers that break parsers. */
static void put_number(uint8_t *at, size_t room)
{
    static const uint64_t numbers[] = {0,
                                       1,
                                       2,
                                       7,
                                       0x7f,
                                       0x80,
                                       0xff,
                                       0x7fff,
                                       0xffff,
                                       0x10000,
                                       0x7fffffff,
                                       0xffffffff,
                                       0x100000000,
                                       INT64_MAX,
                                       (uint64_t)INT64_MAX + 1,
                                       UINT64_MAX - 7,
                                       UINT64_MAX};
    uint64_t number = numbers[draw(sizeof numbers / sizeof *numbers)];
    size_t width = (size_t)1 << draw(4);
    for (size_t i = 0; i < width && i < room; i++)
        at[i] = (uint8_t)(number >> (8 * i));
}

/* Changes where something is written: the rest of a file is mostly zeros. */
static size_t pick(const uint8_t *data, size_t size)
{
    size_t at = draw(size);
    for (int i = 0; i < 16 && !data[at]; i++)
        at = draw(size);
    return at;
}

static size_t mutate(uint8_t *data, size_t size)
{
    for (uint64_t n = 1 + draw(4); n > 0; n--) {
        size_t at = pick(data, size), from = pick(data, size);
        size_t length = 1 + draw(40);
        switch (draw(5)) {
        case 0:
            data[at] ^= (uint8_t)(1 << draw(8));
            break;
        case 1:
            put_number(data + at, size - at);
            break;
        case 2:
            data[at] = (uint8_t)draw(256);
            break;
        case 3: /* one place of the file in another */
            if (at + length <= size && from + length <= size)
                memmove(data + at, data + from, length);
            break;
        default:
            if (!draw(8))
                size = 1 + draw(size);
        }
    }
    return size;
}

/* The bytes of a seed that is written as a file, at most `most`; 0: none. */
static inline size_t seed_bytes(void (*write_seed)(int, const char *),
                                int number, uint8_t *out, size_t most)
{
    char path[] = "/tmp/ncg_seed_XXXXXX";
    close(mkstemp(path));
    write_seed(number, path);
    FILE *file = fopen(path, "rb");
    size_t size = file ? fread(out, 1, most, file) : 0;
    if (file)
        fclose(file);
    unlink(path);
    return size;
}

/* Runs the entry over a seed as it is and changed `rounds` times, each time in
 * a block of the exact size, for the address sanitizer. */
static inline void mutate_and_run(int (*entry)(const uint8_t *, size_t),
                                  const uint8_t *seed, size_t size, int rounds)
{
    for (int i = 0; i <= rounds; i++) {
        uint8_t *copy = malloc(size);
        memcpy(copy, seed, size);
        size_t less = i ? mutate(copy, size) : size;
        uint8_t *exact = realloc(copy, less);
        entry(exact, less);
        free(exact);
    }
}

#endif
