/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_TESTS_IO_FOLDER_H
#define NCG_TESTS_IO_FOLDER_H
/* A folder of its own for a test, made before it and removed empty after. */
#include "test.h"

#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/ncg_io_XXXXXX";

static inline int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static inline int drop_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

#endif
