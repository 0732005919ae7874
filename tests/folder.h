/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_TESTS_FOLDER_H
#define NCG_TESTS_FOLDER_H
/* A folder of its own for a test: make_folder before it, then drop_folder,
 * which fails where something is left in it, or clear_folder. */
#include "test.h"

#include <stdlib.h>
#include <unistd.h>

static char folder[64];

static inline int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/ncgraph-test-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static inline int drop_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static inline int clear_folder(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

/* Good until the fourth call from here. */
static inline const char *in_folder(const char *name)
{
    static char path[4][256];
    static int next;
    char *out = path[next++ % 4];
    snprintf(out, 256, "%s/%s", folder, name);
    return out;
}

/* How many files are in it, -1: that cannot be told. */
static inline int count_in_folder(void)
{
    char command[128];
    int count = -1;
    snprintf(command, sizeof command, "ls -A %s | wc -l", folder);
    FILE *pipe = popen(command, "r");
    if (!pipe || fscanf(pipe, "%d", &count) != 1)
        count = -1;
    if (pipe)
        pclose(pipe);
    return count;
}

#endif
