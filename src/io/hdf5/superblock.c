/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where an HDF5 file begins and how it counts. The signature stands at 0 or,
 * after a user block, at 512, 1024, 2048, ...; addresses count from there.
 *
 *   version 0, 1                      version 2, 3
 *   8  version                        8  version
 *   13 bytes of an address            9  bytes of an address
 *   14 bytes of a length              10 bytes of a length
 *   24 (28) base, free space, end,    12 base, extension, end, root group,
 *      driver, entry of root group       checksum
 */
#include <string.h>

#include "io/hdf5/reader.h"

static const uint8_t signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 26, '\n'};

enum { HEAD = 128 }; /* holds a superblock of any version */

static ncg_status find(nci_bytes *bytes, uint64_t *out, ncg_error *err)
{
    uint64_t size = nci_bytes_size(bytes);
    uint8_t head[8];
    for (uint64_t at = 0; at + sizeof head <= size; at = at ? 2 * at : 512) {
        NCI_TRY(nci_bytes_read(bytes, at, sizeof head, head, err));
        if (!memcmp(head, signature, sizeof head)) {
            *out = at;
            return NCG_OK;
        }
    }
    return nci_fail(err, NCG_EUNSUPPORTED, "not an HDF5 file");
}

static bool is_size(int nbytes)
{
    return nbytes == 2 || nbytes == 4 || nbytes == 8;
}

/* Reads what follows the version byte of versions 0 and 1. */
static void read_old(nci_h5_cursor *at, int version, nci_h5 *h5, uint64_t *base,
                     uint64_t *end)
{
    nci_h5_skip(at, 4);
    h5->offset_size = (int)nci_h5_uint(at, 1);
    h5->length_size = (int)nci_h5_uint(at, 1);
    if (!is_size(h5->offset_size) || !is_size(h5->length_size))
        return;
    nci_h5_skip(at, version == 1 ? 13 : 9);
    *base = nci_h5_address(at, h5);
    nci_h5_address(at, h5);
    *end = nci_h5_address(at, h5);
    nci_h5_address(at, h5);
    nci_h5_address(at, h5); /* offset of the root group's empty name */
    h5->root = nci_h5_address(at, h5);
}

static ncg_status read_new(nci_h5_cursor *at, const uint8_t *head, nci_h5 *h5,
                           uint64_t *base, uint64_t *end, ncg_error *err)
{
    h5->offset_size = (int)nci_h5_uint(at, 1);
    h5->length_size = (int)nci_h5_uint(at, 1);
    if (!is_size(h5->offset_size) || !is_size(h5->length_size))
        return NCG_OK;
    nci_h5_skip(at, 1);
    *base = nci_h5_address(at, h5);
    nci_h5_address(at, h5);
    *end = nci_h5_address(at, h5);
    h5->root = nci_h5_address(at, h5);
    size_t nbytes = (size_t)(at->at - head);
    if (nci_h5_sum_differs(nci_h5_uint(at, 4), head, nbytes) && !at->failed)
        return nci_h5_corrupt(h5, 0, "superblock", "wrong checksum", err);
    return NCG_OK;
}

/* The end is an absolute position for a file that begins at `base`. A file put
 * behind another user block keeps the old values. */
static ncg_status check_end(const nci_h5 *h5, uint64_t base, uint64_t end,
                            ncg_error *err)
{
    if (base > end || end == NCI_NO_ADDRESS)
        return nci_h5_corrupt(h5, 0, "superblock",
                              "end of file before its beginning", err);
    if (end - base > h5->file_size - h5->base)
        return nci_fail(err, NCG_ECORRUPT,
                        "truncated: the superblock says %llu bytes, the file "
                        "has %llu",
                        (unsigned long long)(end - base + h5->base),
                        (unsigned long long)h5->file_size);
    return NCG_OK;
}

ncg_status nci_h5_open(nci_bytes *bytes, nci_h5 *out, ncg_error *err)
{
    uint64_t where = 0, base = NCI_NO_ADDRESS, end = NCI_NO_ADDRESS;
    uint8_t head[HEAD];
    size_t got = 0;
    nci_h5 h5;
    NCI_TRY(find(bytes, &where, err));
    nci_h5_attach(bytes, where, 8, 8, &h5);
    NCI_TRY(nci_h5_peek(&h5, 0, sizeof head, "superblock", head, &got, err));
    nci_h5_cursor at = nci_h5_cursor_of(head, got);
    nci_h5_skip(&at, sizeof signature);
    int version = (int)nci_h5_uint(&at, 1);
    if (at.failed)
        return nci_h5_corrupt(&h5, 0, "superblock", "truncated", err);
    if (version > 3)
        return nci_fail(err, NCG_EUNSUPPORTED, "HDF5 superblock version %d",
                        version);
    if (version < 2)
        read_old(&at, version, &h5, &base, &end);
    else
        NCI_TRY(read_new(&at, head, &h5, &base, &end, err));
    if (at.failed)
        return nci_h5_corrupt(&h5, 0, "superblock", "truncated", err);
    if (!is_size(h5.offset_size) || !is_size(h5.length_size))
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "HDF5 addresses of %d and lengths of %d bytes",
                        h5.offset_size, h5.length_size);
    NCI_TRY(check_end(&h5, base, end, err));
    *out = h5;
    return NCG_OK;
}
