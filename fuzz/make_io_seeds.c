/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * make_io_seeds FOLDER writes the seeds of the classic and filter fuzzers to
 * FOLDER/classic and FOLDER/filter.
 */
#include <sys/stat.h>

#include "io_seeds.h"

static const char *seed_path(const char *folder, const char *kind, int number)
{
    static char path[4096];
    mkdir(folder, 0777);
    snprintf(path, sizeof path, "%s/%s", folder, kind);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/%d", folder, kind, number);
    return path;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    for (int i = 0; i < CLASSIC_SEEDS; i++)
        seed_classic(i, seed_path(argv[1], "classic", i));
    for (int i = 0; i < FILTER_SEEDS; i++) {
        uint8_t bytes[SEED_HEAD + SEED_ROOM];
        size_t size = seed_filter(i, bytes);
        FILE *out = fopen(seed_path(argv[1], "filter", i), "wb");
        if (!out || fwrite(bytes, 1, size, out) < size || fclose(out)) {
            perror(argv[1]);
            return 1;
        }
    }
    return 0;
}
