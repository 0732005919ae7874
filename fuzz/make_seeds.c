/* SPDX-License-Identifier: BSD-3-Clause */
/* make_seeds FOLDER writes the seeds of the HDF5 fuzzers there. */
#include "hdf5_seeds.h"

int main(int argc, char **argv)
{
    char path[4096];
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    for (int i = 0; i < HDF5_SEEDS; i++) {
        snprintf(path, sizeof path, "%s/hdf5_%d.h5", argv[1], i);
        seed_write(i, path);
    }
    return 0;
}
