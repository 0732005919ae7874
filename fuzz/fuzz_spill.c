/* SPDX-License-Identifier: BSD-3-Clause */
/* What is found where a chunk was spilled: byte 0 says how it was compressed,
 * bytes 1 to 3 how long it was, the others are the file. */
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/spill_pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int open_file(const uint8_t *data, size_t size)
{
    int fd = memfd_create("spill", MFD_CLOEXEC);
    size_t done = 0;
    while (fd >= 0 && done < size) {
        ssize_t n = write(fd, data + done, size - done);
        if (n <= 0) {
            close(fd);
            return -1;
        }
        done += (size_t)n;
    }
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const ncg_wire_compression kinds[] = {NCG_WIRE_PLAIN, NCG_WIRE_LZ4,
                                                 NCG_WIRE_ZSTD};
    if (size < 4)
        return 0;
    ncg_wire_compression how = kinds[data[0] % 3];
    int64_t nbytes = data[1] | data[2] << 8 | (data[3] & 15) << 16;
    int fd = open_file(data + 4, size - 4);
    char *out = nci_alloc((size_t)nbytes + 1);
    int found = fd >= 0 && out ? nci_spill_get(fd, how, out, nbytes, 0) : 0;
    if (found < NCI_SPILL_DAMAGED)
        __builtin_trap();
    nci_free(out);
    if (fd >= 0)
        close(fd);
    return 0;
}
