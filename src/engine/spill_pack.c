/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/spill_pack.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/net/compress.h"

int64_t nci_spill_room(ncg_wire_compression how, int64_t nbytes)
{
    int64_t pieces = (nbytes + NCI_SPILL_PIECE - 1) / NCI_SPILL_PIECE;
    return how == NCG_WIRE_PLAIN
               ? nbytes
               : nbytes + pieces * (int64_t)sizeof(uint32_t);
}

/* Growing beyond the limit of file sizes would end the process by a signal. */
static bool may_end_at(int64_t end)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) || limit.rlim_cur == RLIM_INFINITY ||
           (uint64_t)end <= (uint64_t)limit.rlim_cur;
}

static int write_all(int fd, const char *data, int64_t nbytes, int64_t offset)
{
    int64_t done = 0;
    if (!may_end_at(offset + nbytes))
        return EFBIG;
    while (done < nbytes) {
        ssize_t n =
            pwrite(fd, data + done, (size_t)(nbytes - done), offset + done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : ENOSPC;
        done += n;
    }
    return 0;
}

static int read_all(int fd, char *data, int64_t nbytes, int64_t offset)
{
    int64_t done = 0;
    while (done < nbytes) {
        ssize_t n =
            pread(fd, data + done, (size_t)(nbytes - done), offset + done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : NCI_SPILL_SHORT;
        done += n;
    }
    return 0;
}

static int64_t piece_at(int64_t nbytes, int64_t at)
{
    return nbytes - at < NCI_SPILL_PIECE ? nbytes - at : NCI_SPILL_PIECE;
}

/* One number and one piece; returns errno. `scratch` begins with the number. */
static int put_piece(int fd, ncg_wire_compression how, const char *data,
                     int64_t nbytes, int64_t *offset, char *scratch)
{
    char *packed = scratch + sizeof(uint32_t);
    size_t n = nci_compress(how, 0, data, (size_t)nbytes, packed);
    if (!n) {
        n = (size_t)nbytes;
        memcpy(packed, data, n);
    }
    uint32_t length = (uint32_t)n;
    memcpy(scratch, &length, sizeof length);
    int64_t total = (int64_t)(sizeof length + n);
    int sys = write_all(fd, scratch, total, *offset);
    *offset += total;
    return sys;
}

static int get_piece(int fd, char *data, int64_t nbytes, int64_t *offset,
                     char *scratch)
{
    uint32_t length = 0;
    int sys = read_all(fd, (char *)&length, sizeof length, *offset);
    *offset += (int64_t)sizeof length;
    if (sys)
        return sys;
    if (length == 0 || length > nbytes)
        return NCI_SPILL_DAMAGED;
    bool is_plain = length == nbytes;
    sys = read_all(fd, is_plain ? data : scratch, length, *offset);
    *offset += length;
    if (!sys && !is_plain &&
        nci_decompress(scratch, length, data, (size_t)nbytes, NULL))
        sys = NCI_SPILL_DAMAGED;
    return sys;
}

int nci_spill_put(int fd, ncg_wire_compression how, const char *data,
                  int64_t nbytes, int64_t offset)
{
    int sys = 0;
    if (how == NCG_WIRE_PLAIN)
        return write_all(fd, data, nbytes, offset);
    char *scratch =
        nci_alloc(sizeof(uint32_t) + nci_compress_bound(NCI_SPILL_PIECE));
    if (!scratch)
        return ENOMEM;
    for (int64_t at = 0; !sys && at < nbytes; at += NCI_SPILL_PIECE)
        sys = put_piece(fd, how, data + at, piece_at(nbytes, at), &offset,
                        scratch);
    nci_free(scratch);
    return sys;
}

int nci_spill_get(int fd, ncg_wire_compression how, char *data, int64_t nbytes,
                  int64_t offset)
{
    int sys = 0;
    if (how == NCG_WIRE_PLAIN)
        return read_all(fd, data, nbytes, offset);
    char *scratch = nci_alloc(NCI_SPILL_PIECE);
    if (!scratch)
        return ENOMEM;
    for (int64_t at = 0; !sys && at < nbytes; at += NCI_SPILL_PIECE)
        sys = get_piece(fd, data + at, piece_at(nbytes, at), &offset, scratch);
    nci_free(scratch);
    return sys;
}
