/* SPDX-License-Identifier: BSD-3-Clause */
/* The one file that knows MessagePack. */
#include "graph/pack.h"

#include <msgpack.h>
#include <string.h>

#include "base/mem.h"

/* ---- writing
 * ------------------------------------------------------------------ */

static int append(void *data, const char *bytes, size_t nbytes)
{
    nci_pack *pack = data;
    nci_text_add_bytes(&pack->text, bytes, nbytes);
    return pack->text.failed ? -1 : 0;
}

static msgpack_packer packer_of(nci_pack *pack)
{
    msgpack_packer packer;
    msgpack_packer_init(&packer, pack, append);
    return packer;
}

void nci_pack_i64(nci_pack *pack, int64_t value)
{
    msgpack_packer packer = packer_of(pack);
    msgpack_pack_int64(&packer, value);
}

void nci_pack_bytes(nci_pack *pack, const void *bytes, size_t nbytes)
{
    msgpack_packer packer = packer_of(pack);
    if (nbytes > UINT32_MAX) { /* longer than MessagePack has them */
        pack->text.failed = true;
        return;
    }
    msgpack_pack_bin(&packer, nbytes);
    if (nbytes)
        msgpack_pack_bin_body(&packer, bytes, nbytes);
}

void nci_pack_text(nci_pack *pack, const char *text)
{
    msgpack_packer packer = packer_of(pack);
    size_t length = text ? strlen(text) : 0;
    msgpack_pack_str(&packer, length);
    if (length)
        msgpack_pack_str_body(&packer, text, length);
}

void nci_pack_i64s(nci_pack *pack, const int64_t *values, int64_t count)
{
    size_t nbytes = (size_t)count * 8;
    uint8_t *bytes = nci_alloc(nbytes);
    if (!bytes) {
        pack->text.failed = true;
        return;
    }
    for (size_t i = 0; i < nbytes; i++)
        bytes[i] = (uint8_t)((uint64_t)values[i / 8] >> 8 * (i % 8));
    nci_pack_bytes(pack, bytes, nbytes);
    nci_free(bytes);
}

void nci_pack_f64(nci_pack *pack, double value)
{
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    nci_pack_i64(pack, bits);
}

ncg_status nci_pack_room(const nci_pack *pack, size_t nbytes, const char *name,
                         ncg_error *err)
{
    size_t limit = (size_t)NCI_SENT_BYTES;
    if (nbytes <= limit && pack->text.length <= limit - nbytes)
        return NCG_OK;
    return nci_fail(err, NCG_EUNSUPPORTED,
                    "array %.100s holds %.1f GB in the memory of this program; "
                    "no more than 2 GB go with a graph: save it to a file and "
                    "open that",
                    name && *name ? name : "without a name",
                    (double)nbytes * 1e-9);
}

/* ---- reading
 * ------------------------------------------------------------------ */

/* Arrays, maps and extensions state lengths that a reader would believe. */
static bool is_flat(uint8_t first)
{
    bool is_fixed_nested = first >= 0x80 && first <= 0x9f;
    bool is_extension =
        (first >= 0xc7 && first <= 0xc9) || (first >= 0xd4 && first <= 0xd8);
    bool is_nested = first >= 0xdc && first <= 0xdf;
    return !is_fixed_nested && !is_extension && !is_nested;
}

static bool next(nci_unpack *in, msgpack_object *out)
{
    if (in->failed || in->at >= in->size ||
        !is_flat((uint8_t)in->data[in->at])) {
        in->failed = true;
        return false;
    }
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    msgpack_unpack_return r =
        msgpack_unpack_next(&unpacked, in->data, in->size, &in->at);
    *out = unpacked.data; /* texts and bytes lie in the input */
    msgpack_unpacked_destroy(&unpacked);
    in->failed = r != MSGPACK_UNPACK_SUCCESS && r != MSGPACK_UNPACK_EXTRA_BYTES;
    in->starved = r == MSGPACK_UNPACK_NOMEM_ERROR;
    return !in->failed;
}

int64_t nci_unpack_i64(nci_unpack *in, int64_t low, int64_t high)
{
    msgpack_object object;
    int64_t value = low;
    if (!next(in, &object))
        return low;
    if (object.type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
        value = object.via.i64;
    else if (object.type == MSGPACK_OBJECT_POSITIVE_INTEGER &&
             object.via.u64 <= INT64_MAX)
        value = (int64_t)object.via.u64;
    else
        in->failed = true;
    if (value < low || value > high)
        in->failed = true;
    return in->failed ? low : value;
}

double nci_unpack_f64(nci_unpack *in)
{
    int64_t bits = nci_unpack_i64(in, INT64_MIN, INT64_MAX);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

const void *nci_unpack_bytes(nci_unpack *in, size_t *nbytes)
{
    msgpack_object object;
    *nbytes = 0;
    if (!next(in, &object))
        return NULL;
    in->failed = object.type != MSGPACK_OBJECT_BIN;
    if (in->failed)
        return NULL;
    *nbytes = object.via.bin.size;
    return object.via.bin.ptr;
}

void nci_unpack_exactly(nci_unpack *in, void *out, size_t nbytes)
{
    size_t found = 0;
    const void *bytes = nci_unpack_bytes(in, &found);
    if (!bytes || found != nbytes)
        in->failed = true;
    else if (nbytes)
        memcpy(out, bytes, nbytes);
}

void nci_pack_string(nci_pack *pack, const char *text)
{
    nci_pack_bytes(pack, text, strlen(text));
}

void nci_unpack_string(nci_unpack *in, char *out, size_t size)
{
    size_t n = 0;
    const char *text = nci_unpack_bytes(in, &n);
    out[0] = '\0';
    if (!text || n >= size || memchr(text, '\0', n)) {
        in->failed = true;
        return;
    }
    memcpy(out, text, n);
    out[n] = '\0';
}

const char *nci_unpack_text(nci_unpack *in)
{
    msgpack_object object;
    if (!next(in, &object))
        return NULL;
    in->failed = object.type != MSGPACK_OBJECT_STR ||
                 (object.via.str.size &&
                  memchr(object.via.str.ptr, 0, object.via.str.size));
    if (in->failed)
        return NULL;
    size_t length = object.via.str.size;
    char *copy = nci_strndup(length ? object.via.str.ptr : "", length);
    const char *text = copy ? nci_intern(copy) : NULL;
    nci_free(copy);
    in->failed = in->starved = !text;
    return text;
}

int64_t *nci_unpack_i64s(nci_unpack *in, int64_t *count)
{
    size_t nbytes = 0;
    const uint8_t *bytes = nci_unpack_bytes(in, &nbytes);
    *count = 0;
    if (in->failed || nbytes % 8) {
        in->failed = true;
        return NULL;
    }
    int64_t *values = nci_calloc(nbytes / 8 + 1, sizeof *values);
    if (!values) {
        in->failed = in->starved = true;
        return NULL;
    }
    for (size_t i = 0; i < nbytes; i++)
        values[i / 8] = (int64_t)((uint64_t)values[i / 8] | (uint64_t)bytes[i]
                                                                << 8 * (i % 8));
    *count = (int64_t)(nbytes / 8);
    return values;
}

ncg_status nci_unpack_status(const nci_unpack *in, ncg_error *err)
{
    if (in->starved)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    if (in->failed)
        return nci_fail(err, NCG_ECORRUPT,
                        "the bytes of a graph are damaged at offset %zu",
                        in->at);
    return NCG_OK;
}

ncg_status nci_unpack_damaged(nci_unpack *in, ncg_error *err)
{
    in->failed = true;
    return nci_unpack_status(in, err);
}
