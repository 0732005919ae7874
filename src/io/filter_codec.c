/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The decompressors behind HDF5's filters, one function each. Sizes that a
 * stream states about itself are checked against the room before decoding.
 * Framing that is HDF5's own:
 *
 *   szip  OFFSET SIZE FIELD      lz4  OFFSET SIZE FIELD (big-endian)
 *         0      4    bytes out       0      8    bytes out
 *         4      ...  stream          8      4    bytes out of a block
 *                                     12     4+n  size n and block, repeated
 */
#include <blosc.h>
#include <lz4.h>
#include <string.h>
#include <szlib.h>

#include "io/filter.h"

static ncg_status wrong_size(const nci_codec_job *job, uint64_t stated,
                             ncg_error *err)
{
    return nci_fail(err, NCG_ECORRUPT,
                    "%s stream holds %llu bytes where %s%zu are expected",
                    nci_filter_name(job->filter->id),
                    (unsigned long long)stated, job->is_exact ? "" : "at most ",
                    job->room);
}

static ncg_status damaged(const nci_codec_job *job, ncg_error *err)
{
    return nci_fail(err, NCG_ECORRUPT, "damaged %s stream (%zu stored bytes)",
                    nci_filter_name(job->filter->id), job->n);
}

static bool size_fits(const nci_codec_job *job, uint64_t stated)
{
    return job->is_exact ? stated == job->room : stated <= job->room;
}

static ncg_status undo_deflate(nci_codec_job *job, ncg_error *err)
{
    nci_scratch *scratch = job->scratch;
    if (!scratch->deflate)
        scratch->deflate = libdeflate_alloc_decompressor();
    if (!scratch->deflate)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    size_t got = job->room;
    switch (libdeflate_zlib_decompress(scratch->deflate, job->in, job->n,
                                       job->out, job->room,
                                       job->is_exact ? NULL : &got)) {
    case LIBDEFLATE_SUCCESS:
        job->out_n = got;
        return NCG_OK;
    case LIBDEFLATE_SHORT_OUTPUT:
        return nci_fail(err, NCG_ECORRUPT,
                        "deflate stream holds less than the %zu bytes of a "
                        "chunk",
                        job->room);
    case LIBDEFLATE_INSUFFICIENT_SPACE:
        return nci_fail(err, NCG_ECORRUPT,
                        "deflate stream holds more than the %zu bytes of a "
                        "chunk",
                        job->room);
    default:
        return damaged(job, err);
    }
}

static ncg_status undo_zstd(nci_codec_job *job, ncg_error *err)
{
    nci_scratch *scratch = job->scratch;
    unsigned long long stated = ZSTD_getFrameContentSize(job->in, job->n);
    if (stated == ZSTD_CONTENTSIZE_ERROR)
        return damaged(job, err);
    if (stated != ZSTD_CONTENTSIZE_UNKNOWN && !size_fits(job, stated))
        return wrong_size(job, stated, err);
    if (!scratch->zstd)
        scratch->zstd = ZSTD_createDCtx();
    if (!scratch->zstd)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    size_t got = ZSTD_decompressDCtx(scratch->zstd, job->out, job->room,
                                     job->in, job->n);
    if (ZSTD_isError(got))
        return nci_fail(err, NCG_ECORRUPT, "damaged zstd stream: %s",
                        ZSTD_getErrorName(got));
    job->out_n = got;
    return NCG_OK;
}

static ncg_status undo_blosc(nci_codec_job *job, ncg_error *err)
{
    size_t stated;
    if (blosc_cbuffer_validate(job->in, job->n, &stated) < 0)
        return damaged(job, err);
    if (!size_fits(job, stated))
        return wrong_size(job, stated, err);
    int got = blosc_decompress_ctx(job->in, job->out, job->room, 1);
    if (got < 0 || (size_t)got != stated)
        return damaged(job, err);
    job->out_n = stated;
    return NCG_OK;
}

static uint32_t load_be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
           (uint32_t)at[2] << 8 | at[3];
}

/* One block of an lz4 chunk; one that did not shrink is stored as it is. */
static bool undo_lz4_block(const uint8_t *in, size_t n, uint8_t *out,
                           size_t nbytes)
{
    if (n == nbytes) {
        memcpy(out, in, n);
        return true;
    }
    return n <= INT32_MAX && nbytes <= INT32_MAX &&
           LZ4_decompress_safe((const char *)in, (char *)out, (int)n,
                               (int)nbytes) == (int)nbytes;
}

static ncg_status undo_lz4(nci_codec_job *job, ncg_error *err)
{
    const uint8_t *in = job->in, *end = job->in + job->n;
    if (job->n < 12)
        return damaged(job, err);
    uint64_t total = (uint64_t)load_be32(in) << 32 | load_be32(in + 4);
    size_t block = load_be32(in + 8);
    if (!size_fits(job, total))
        return wrong_size(job, total, err);
    in += 12;
    for (size_t done = 0; done < total;) {
        size_t nbytes = total - done < block ? total - done : block;
        if (nbytes == 0 || end - in < 4)
            return damaged(job, err);
        size_t n = load_be32(in);
        in += 4;
        if (n > (size_t)(end - in) ||
            !undo_lz4_block(in, n, job->out + done, nbytes))
            return damaged(job, err);
        in += n;
        done += nbytes;
    }
    job->out_n = total;
    return NCG_OK;
}

static bool szip_params_ok(const SZ_com_t *szip)
{
    int bits = szip->bits_per_pixel, block = szip->pixels_per_block;
    bool bits_ok = (bits >= 1 && bits <= 32) || bits == 64;
    return bits_ok && block >= 2 && block <= 32 && block % 2 == 0 &&
           szip->pixels_per_scanline >= 1 &&
           szip->pixels_per_scanline <= 128 * block;
}

static ncg_status undo_szip(nci_codec_job *job, ncg_error *err)
{
    const nci_filter *filter = job->filter;
    if (filter->nparams < 4)
        return nci_fail(err, NCG_ECORRUPT, "szip filter without parameters");
    SZ_com_t szip = {(int)filter->params[0], (int)filter->params[2],
                     (int)filter->params[1], (int)filter->params[3]};
    if (!szip_params_ok(&szip))
        return nci_fail(err, NCG_ECORRUPT, "szip parameters out of range");
    if (job->n < 4)
        return damaged(job, err);
    uint32_t stated = job->in[0] | (uint32_t)job->in[1] << 8 |
                      (uint32_t)job->in[2] << 16 | (uint32_t)job->in[3] << 24;
    if (!size_fits(job, stated))
        return wrong_size(job, stated, err);
    size_t got = stated;
    if (SZ_BufftoBuffDecompress(job->out, &got, job->in + 4, job->n - 4,
                                &szip) != SZ_OK ||
        got != stated)
        return damaged(job, err);
    job->out_n = stated;
    return NCG_OK;
}

nci_codec nci_codec_find(uint32_t id)
{
    switch (id) {
    case NCI_FILTER_DEFLATE:
        return undo_deflate;
    case NCI_FILTER_SZIP:
        return undo_szip;
    case NCI_FILTER_BLOSC:
        return undo_blosc;
    case NCI_FILTER_LZ4:
        return undo_lz4;
    case NCI_FILTER_ZSTD:
        return undo_zstd;
    default:
        return NULL;
    }
}
