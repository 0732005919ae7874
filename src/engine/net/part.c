/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/net/part.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Axes [axis, rank) of the part are one run of `bytes`. */
typedef struct runs {
    int axis;
    int64_t bytes;
} runs;

static runs runs_of(const nci_part *part)
{
    runs r = {part->box.rank, part->itemsize};
    while (r.axis > 0) {
        r.axis--;
        r.bytes *= part->box.count[r.axis];
        if (part->box.count[r.axis] != part->shape[r.axis])
            break;
    }
    return r;
}

/* Where run number `run` begins in the chunk. */
static int64_t run_begin(const nci_part *part, const runs *r, int64_t run)
{
    int64_t stride = part->itemsize, begin = 0;
    for (int a = part->box.rank - 1; a >= 0; a--) {
        int64_t index = part->box.start[a];
        if (a < r->axis) {
            index += run % part->box.count[a];
            run /= part->box.count[a];
        }
        begin += index * stride;
        stride *= part->shape[a];
    }
    return begin;
}

bool nci_part_is_run(const nci_part *part, int64_t *offset)
{
    runs r = runs_of(part);
    for (int a = 0; a < r.axis; a++)
        if (part->box.count[a] != 1)
            return false;
    *offset = run_begin(part, &r, 0);
    return true;
}

ncg_status nci_bytes_copy(const nci_bytes_from *from, int64_t at,
                          int64_t nbytes, uint8_t *out, ncg_error *err)
{
    if (from->memory) {
        memcpy(out, from->memory + at, (size_t)nbytes);
        return NCG_OK;
    }
    while (nbytes) {
        ssize_t n = pread(from->file, out, (size_t)nbytes, from->offset + at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return nci_fail_sys(err, NCG_EIO, n < 0 ? errno : 0,
                                "cannot read a spilled chunk: %s",
                                n < 0 ? strerror(errno) : "the file is short");
        out += n;
        at += n;
        nbytes -= n;
    }
    return NCG_OK;
}

ncg_status nci_part_copy(const nci_part *part, const nci_bytes_from *from,
                         int64_t at, int64_t nbytes, uint8_t *out,
                         ncg_error *err)
{
    runs r = runs_of(part);
    while (nbytes) {
        int64_t within = at % r.bytes, left = r.bytes - within;
        int64_t n = left < nbytes ? left : nbytes;
        int64_t begin = run_begin(part, &r, at / r.bytes) + within;
        NCI_TRY(nci_bytes_copy(from, begin, n, out, err));
        out += n;
        at += n;
        nbytes -= n;
    }
    return NCG_OK;
}
