/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames and the fixed parts of the handshake's and the data plane's messages,
 * as the tables of wire.h say. Every length is checked before it is used. */
#include "engine/net/wire.h"

#include <string.h>

#include "engine/net/crc32c.h"

static const uint8_t MAGIC[4] = {'N', 'C', 'G', '1'};
enum { RANK_WHOLE = 0xffff };

void nci_put_u16(void *at, uint16_t value)
{
    uint8_t *p = at;
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

void nci_put_u32(void *at, uint32_t value)
{
    uint8_t *p = at;
    nci_put_u16(p, (uint16_t)value);
    nci_put_u16(p + 2, (uint16_t)(value >> 16));
}

void nci_put_u64(void *at, uint64_t value)
{
    uint8_t *p = at;
    nci_put_u32(p, (uint32_t)value);
    nci_put_u32(p + 4, (uint32_t)(value >> 32));
}

uint16_t nci_get_u16(const void *at)
{
    const uint8_t *p = at;
    return (uint16_t)(p[0] | p[1] << 8);
}

uint32_t nci_get_u32(const void *at)
{
    const uint8_t *p = at;
    return nci_get_u16(p) | (uint32_t)nci_get_u16(p + 2) << 16;
}

uint64_t nci_get_u64(const void *at)
{
    const uint8_t *p = at;
    return nci_get_u32(p) | (uint64_t)nci_get_u32(p + 4) << 32;
}

const char *nci_wire_type_name(int type)
{
    switch (type) {
#define NAME_CASE(name, value, may)                                            \
    case value:                                                                \
        return #name;
        NCI_WIRE_MAP(NAME_CASE)
#undef NAME_CASE
    }
    return NULL;
}

bool nci_wire_may(int type, nci_peer_role role, bool listens)
{
    int who = listens ? NCI_MAY_LISTENS : 1 << role;
    switch (type) {
#define MAY_CASE(name, value, may)                                             \
    case value:                                                                \
        return (NCI_MAY_##may & who) != 0;
        NCI_WIRE_MAP(MAY_CASE)
#undef MAY_CASE
    }
    return false;
}

/* Bytes of a head that never vary, -1: any. */
static int64_t fixed_head(int type)
{
    switch (type) {
    case NCI_WIRE_HELLO:
        return NCI_HELLO_SIZE;
    case NCI_WIRE_CHALLENGE:
        return NCI_CHALLENGE_SIZE;
    case NCI_WIRE_PROOF:
        return NCI_PROOF_SIZE;
    case NCI_WIRE_ERROR:
        return NCI_ERROR_SIZE;
    case NCI_WIRE_CHUNK:
        return NCI_CHUNK_SIZE;
    case NCI_WIRE_READY:
    case NCI_WIRE_HEARTBEAT:
    case NCI_WIRE_GOODBYE:
    case NCI_WIRE_DROP:
        return 0;
    default:
        return -1;
    }
}

/* The version a frame of this type has. */
static uint8_t version_of(int type)
{
    bool always = type == NCI_WIRE_HELLO || type == NCI_WIRE_ERROR;
    return always ? 0 : NCI_WIRE_VERSION;
}

void nci_frame_encode(const nci_frame *frame, const void *head, uint8_t *out)
{
    memcpy(out, MAGIC, sizeof MAGIC);
    out[4] = version_of(frame->type);
    out[5] = frame->type;
    nci_put_u16(out + 6, frame->flags);
    nci_put_u32(out + 8, frame->head);
    nci_put_u32(out + 12, frame->request);
    nci_put_u64(out + 16, frame->payload);
    nci_put_u32(out + 24, frame->attempt);
    uint32_t crc = nci_crc32c(0, out, 28);
    nci_put_u32(out + 28, nci_crc32c(crc, head, frame->head));
}

static ncg_status check_lengths(const nci_frame *frame,
                                const nci_frame_limits *limits, ncg_error *err)
{
    const char *name = nci_wire_type_name(frame->type);
    int64_t fixed = fixed_head(frame->type);
    if (fixed >= 0 && frame->head != (uint64_t)fixed)
        return nci_fail(err, NCG_ENET,
                        "%s has a head of %lu bytes, not %lld; the peer is "
                        "damaged or no ncgraph",
                        name, (unsigned long)frame->head, (long long)fixed);
    if (frame->head > limits->head)
        return nci_fail(err, NCG_ENET,
                        "%s has a head of %lu bytes; at most %lu are accepted",
                        name, (unsigned long)frame->head,
                        (unsigned long)limits->head);
    if (frame->payload > limits->payload)
        return nci_fail(err, NCG_ENET,
                        "%s has a payload of %llu bytes; at most %llu are "
                        "accepted",
                        name, (unsigned long long)frame->payload,
                        (unsigned long long)limits->payload);
    return NCG_OK;
}

ncg_status nci_frame_decode(const uint8_t *bytes,
                            const nci_frame_limits *limits, nci_frame *out,
                            ncg_error *err)
{
    if (memcmp(bytes, MAGIC, sizeof MAGIC))
        return nci_fail(err, NCG_ENET,
                        "the peer does not speak ncgraph's protocol (its bytes "
                        "begin with %02x %02x %02x %02x)",
                        bytes[0], bytes[1], bytes[2], bytes[3]);
    nci_frame frame = {.version = bytes[4],
                       .type = bytes[5],
                       .flags = nci_get_u16(bytes + 6),
                       .head = nci_get_u32(bytes + 8),
                       .request = nci_get_u32(bytes + 12),
                       .payload = nci_get_u64(bytes + 16),
                       .attempt = nci_get_u32(bytes + 24),
                       .crc = nci_get_u32(bytes + 28)};
    if (!nci_wire_type_name(frame.type))
        return nci_fail(err, NCG_ENET, "a frame of unknown type %d",
                        frame.type);
    if (frame.version != version_of(frame.type))
        return nci_fail(err, NCG_ENET,
                        "a frame of version %d of the protocol; this is %d",
                        frame.version, NCI_WIRE_VERSION);
    if (frame.flags & ~NCI_FLAG_KNOWN)
        return nci_fail(err, NCG_ENET, "a frame with unknown flags 0x%x",
                        frame.flags);
    NCI_TRY(check_lengths(&frame, limits, err));
    *out = frame;
    return NCG_OK;
}

ncg_status nci_frame_check(const nci_frame *frame, const uint8_t *bytes,
                           const void *head, ncg_error *err)
{
    uint32_t crc = nci_crc32c(0, bytes, 28);
    if (nci_crc32c(crc, head, frame->head) == frame->crc)
        return NCG_OK;
    return nci_fail(err, NCG_ENET,
                    "%s arrived damaged: its checksum does not fit",
                    nci_wire_type_name(frame->type));
}

void nci_hello_encode(const nci_hello *hello, uint8_t out[NCI_HELLO_SIZE])
{
    memset(out, 0, NCI_HELLO_SIZE);
    out[0] = hello->low;
    out[1] = hello->high;
    out[2] = hello->role;
    out[3] = hello->purpose;
    memcpy(out + 8, hello->cluster, NCI_CLUSTER_ID_SIZE);
    memcpy(out + 24, hello->nonce, NCI_NONCE_SIZE);
    nci_put_u64(out + 56, hello->epoch);
    memcpy(out + 64, hello->name, strnlen(hello->name, NCI_NAME_SIZE));
}

/* A text of at most `nbytes` from outside: what cannot be printed is '?'. */
static void take_text(const void *bytes, size_t nbytes, char *out)
{
    size_t length = nbytes ? strnlen(bytes, nbytes) : 0;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = ((const unsigned char *)bytes)[i];
        out[i] = c < 32 || c == 127 ? '?' : (char)c;
    }
    out[length] = '\0';
}

ncg_status nci_hello_decode(const void *head, size_t nbytes, nci_hello *out,
                            ncg_error *err)
{
    const uint8_t *p = head;
    if (nbytes != NCI_HELLO_SIZE)
        return nci_fail(err, NCG_ENET, "HELLO has %zu bytes, not %d", nbytes,
                        NCI_HELLO_SIZE);
    if (p[0] > p[1] || p[2] < NCI_PEER_WORKER || p[2] > NCI_PEER_DASHBOARD ||
        p[3] < NCI_PURPOSE_CONTROL || p[3] > NCI_PURPOSE_DATA)
        return nci_fail(err, NCG_ENET,
                        "HELLO asks for versions %d to %d, role %d, purpose %d",
                        p[0], p[1], p[2], p[3]);
    out->low = p[0];
    out->high = p[1];
    out->role = p[2];
    out->purpose = p[3];
    memcpy(out->cluster, p + 8, NCI_CLUSTER_ID_SIZE);
    memcpy(out->nonce, p + 24, NCI_NONCE_SIZE);
    out->epoch = nci_get_u64(p + 56);
    take_text(p + 64, NCI_NAME_SIZE, out->name);
    return NCG_OK;
}

void nci_challenge_encode(const nci_challenge *challenge,
                          uint8_t out[NCI_CHALLENGE_SIZE])
{
    memset(out, 0, NCI_CHALLENGE_SIZE);
    out[0] = challenge->version;
    memcpy(out + 8, challenge->cluster, NCI_CLUSTER_ID_SIZE);
    nci_put_u64(out + 24, challenge->epoch);
    memcpy(out + 32, challenge->nonce, NCI_NONCE_SIZE);
    memcpy(out + 64, challenge->proof, NCI_MAC_SIZE);
}

ncg_status nci_challenge_decode(const void *head, size_t nbytes,
                                nci_challenge *out, ncg_error *err)
{
    const uint8_t *p = head;
    if (nbytes != NCI_CHALLENGE_SIZE)
        return nci_fail(err, NCG_ENET, "CHALLENGE has %zu bytes, not %d",
                        nbytes, NCI_CHALLENGE_SIZE);
    out->version = p[0];
    memcpy(out->cluster, p + 8, NCI_CLUSTER_ID_SIZE);
    out->epoch = nci_get_u64(p + 24);
    memcpy(out->nonce, p + 32, NCI_NONCE_SIZE);
    memcpy(out->proof, p + 64, NCI_MAC_SIZE);
    return NCG_OK;
}

void nci_error_encode(const ncg_error *error, uint8_t out[NCI_ERROR_SIZE])
{
    nci_put_u32(out, (uint32_t)error->status);
    nci_put_u32(out + 4, (uint32_t)error->sys);
    nci_put_u32(out + 8, (uint32_t)error->rank);
}

ncg_status nci_error_decode(const void *head, size_t nhead, const void *text,
                            size_t ntext, ncg_error *out, ncg_error *err)
{
    if (nhead != NCI_ERROR_SIZE)
        return nci_fail(err, NCG_ENET, "ERROR has %zu bytes, not %d", nhead,
                        NCI_ERROR_SIZE);
    uint32_t status = nci_get_u32(head);
    if (status == NCG_OK || status > NCG_EBUG)
        return nci_fail(err, NCG_ENET, "ERROR with unknown status %lu",
                        (unsigned long)status);
    out->status = (ncg_status)status;
    out->sys = (int)nci_get_u32((const uint8_t *)head + 4);
    out->rank = (int)nci_get_u32((const uint8_t *)head + 8);
    size_t room = sizeof out->message - 1;
    take_text(text, ntext < room ? ntext : room, out->message);
    return NCG_OK;
}

size_t nci_fetch_encode(const nci_fetch_request *fetch,
                        uint8_t out[NCI_FETCH_MAX_SIZE])
{
    const nci_part *part = &fetch->part;
    bool whole = !part->itemsize;
    int rank = whole ? 0 : part->box.rank;
    nci_put_u64(out, fetch->key.space.low);
    nci_put_u64(out + 8, fetch->key.space.high);
    nci_put_u64(out + 16, (uint64_t)fetch->key.chunk);
    nci_put_u16(out + 24, whole ? RANK_WHOLE : (uint16_t)rank);
    nci_put_u16(out + 26, (uint16_t)part->itemsize);
    nci_put_u32(out + 28, 0);
    uint8_t *at = out + NCI_FETCH_SIZE;
    for (int a = 0; a < rank; a++, at += NCI_FETCH_AXIS_SIZE) {
        nci_put_u64(at, (uint64_t)part->shape[a]);
        nci_put_u64(at + 8, (uint64_t)part->box.start[a]);
        nci_put_u64(at + 16, (uint64_t)part->box.count[a]);
    }
    return (size_t)(at - out);
}

/* One axis: 1 <= count, 0 <= start, start + count <= shape. */
static bool take_axis(const uint8_t *at, int axis, nci_part *out)
{
    int64_t shape = (int64_t)nci_get_u64(at);
    int64_t start = (int64_t)nci_get_u64(at + 8);
    int64_t count = (int64_t)nci_get_u64(at + 16);
    out->shape[axis] = shape;
    out->box.start[axis] = start;
    out->box.count[axis] = count;
    return shape >= 1 && start >= 0 && count >= 1 && start <= shape &&
           count <= shape - start;
}

static bool take_part(const uint8_t *p, size_t nbytes, nci_part *out)
{
    int rank = nci_get_u16(p + 24);
    int64_t total = nci_get_u16(p + 26);
    *out = (nci_part){.itemsize = (int)total};
    if (rank == RANK_WHOLE)
        return total == 0 && nbytes == NCI_FETCH_SIZE;
    if (rank > NCG_MAX_RANK || total == 0 ||
        nbytes != NCI_FETCH_SIZE + (size_t)rank * NCI_FETCH_AXIS_SIZE)
        return false;
    out->box.rank = rank;
    for (int a = 0; a < rank; a++) {
        const uint8_t *at = p + NCI_FETCH_SIZE + a * NCI_FETCH_AXIS_SIZE;
        if (!take_axis(at, a, out) ||
            __builtin_mul_overflow(total, out->shape[a], &total))
            return false;
    }
    return true;
}

ncg_status nci_fetch_decode(const void *head, size_t nbytes,
                            nci_fetch_request *out, ncg_error *err)
{
    const uint8_t *p = head;
    nci_fetch_request fetch = {0};
    if (nbytes < NCI_FETCH_SIZE || nbytes > NCI_FETCH_MAX_SIZE ||
        !take_part(p, nbytes, &fetch.part))
        return nci_fail(err, NCG_ENET,
                        "FETCH asks for a part that is none (%zu bytes)",
                        nbytes);
    fetch.key.space.low = nci_get_u64(p);
    fetch.key.space.high = nci_get_u64(p + 8);
    fetch.key.chunk = (int64_t)nci_get_u64(p + 16);
    *out = fetch;
    return NCG_OK;
}

void nci_piece_encode(const nci_piece *piece, uint8_t out[NCI_CHUNK_SIZE])
{
    nci_put_u64(out, piece->total);
    nci_put_u64(out + 8, piece->offset);
    nci_put_u64(out + 16, piece->nbytes);
}

ncg_status nci_piece_decode(const void *head, size_t nbytes, nci_piece *out,
                            ncg_error *err)
{
    const uint8_t *p = head;
    if (nbytes != NCI_CHUNK_SIZE)
        return nci_fail(err, NCG_ENET, "CHUNK has a head of %zu bytes, not %d",
                        nbytes, NCI_CHUNK_SIZE);
    nci_piece piece = {nci_get_u64(p), nci_get_u64(p + 8), nci_get_u64(p + 16)};
    if (piece.offset > piece.total || piece.nbytes > piece.total - piece.offset)
        return nci_fail(
            err, NCG_ENET, "CHUNK brings %llu bytes at %llu of %llu",
            (unsigned long long)piece.nbytes, (unsigned long long)piece.offset,
            (unsigned long long)piece.total);
    *out = piece;
    return NCG_OK;
}

int64_t nci_part_bytes(const nci_part *part)
{
    return part->itemsize * nci_box_size(&part->box);
}

int64_t nci_part_chunk_bytes(const nci_part *part)
{
    int64_t total = part->itemsize;
    for (int a = 0; a < part->box.rank; a++)
        total *= part->shape[a];
    return total;
}

nci_part nci_part_of(const nci_part *part)
{
    bool is_whole = nci_part_bytes(part) == nci_part_chunk_bytes(part);
    return is_whole ? (nci_part){0} : *part;
}
