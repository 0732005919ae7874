/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_NET_WIRE_H
#define NCI_ENGINE_NET_WIRE_H
/*
 * The wire protocol; this header is its specification. All numbers are
 * little-endian; encoded and decoded field by field, nothing here touches a
 * socket. A connection carries frames and nothing else:
 *
 *     | frame, 32 bytes | head | payload | trailer |
 *
 * FRAME
 * OFFSET SIZE FIELD
 *      0    4 magic, "NCG1"
 *      4    1 version of the protocol; 0 in HELLO and ERROR, whose layout
 *             is the same in all versions
 *      5    1 type (table below)
 *      6    2 flags
 *      8    4 head length: bytes of fixed fields or records of the type
 *     12    4 request: an answer repeats that of its question
 *     16    8 payload length: bytes after the head
 *     24    4 attempt
 *     28    4 CRC32C of bytes 0 to 27 and of the head
 *
 * FLAGS
 *      1 PAYLOAD_CRC  a trailer of 4 bytes follows the payload: its CRC32C
 *      2 COMPRESSED   the payload is made by Blosc (compress.h)
 * Any other bit is an error.
 *
 * HELLO, first frame of whoever connected. HEAD 128 bytes
 *      0    1 lowest version spoken
 *      1    1 highest version spoken
 *      2    1 role asked for: 1 worker, 2 client, 3 dashboard
 *      3    1 purpose: 1 control, 2 data
 *      4    4 0
 *      8   16 cluster id
 *     24   32 nonce
 *     56    8 epoch of the scheduler that is expected, 0: any
 *     64   64 name of the process, for messages; padded with 0
 *
 * CHALLENGE, the answer. HEAD 104 bytes
 *      0    1 version chosen
 *      1    7 0
 *      8   16 cluster id
 *     24    8 epoch
 *     32   32 nonce
 *     64   32 proof of who listens: HMAC-SHA256 with the role's key over
 *             "listens", HELLO's head, bytes 0 to 63 of this head
 *     96    8 0
 *
 * PROOF, of who connected. HEAD 32 bytes
 *      0   32 HMAC-SHA256 with the role's key over "connects", HELLO's head,
 *             CHALLENGE's head
 *
 * Under TLS 1.3 (RFC 8446; both sides show certificates of one authority) all
 * of this is inside of it, and the HMACs cover 32 more bytes: its exporter
 * (RFC 8446, 7.5) with the label "EXPORTER-ncgraph-binding", no context.
 *
 * READY, of who listens: messages may follow. No head.
 *
 * ERROR, instead of any of these, then the connection closes; or the answer to
 * one request, then it stays open. HEAD 12 bytes, payload: the text
 *      0    4 status (ncg_status)
 *      4    4 errno or a library's code, signed
 *      8    4 rank where it happened, signed
 * Its request is 0 where it speaks of the connection.
 *
 * HEARTBEAT, when nothing else was sent for a while. No head.
 * GOODBYE, before a wanted end: what closes after it is no loss. No head.
 *
 * FETCH, on data connections. HEAD 32 bytes, then for a part of a chunk
 * 24 bytes an axis. Answered by CHUNK or ERROR with its request
 *      0   16 token of the layer or plan, low half first
 *     16    8 number of the chunk or task, signed
 *     24    2 rank; 0xffff: the whole chunk
 *     26    2 bytes of a value
 *     28    4 0
 *     32   24 for each axis: shape of the chunk, start and count of the part
 *
 * DROP, for the request of a FETCH: its answer is not wanted any more. One that
 * has not begun is not sent, ERROR (canceled) answers the request. No head.
 *
 * CHUNK, a piece of the answer; pieces follow each other from the first byte
 * to the last, each a frame. HEAD 24 bytes, payload: the piece
 *      0    8 bytes of the chunk or part
 *      8    8 where in it the piece begins
 *     16    8 bytes of the piece, before compression
 *
 * The other types carry the dialogue of scheduler, workers and clients, which
 * engine/cluster/dialogue.h specifies: heads of records of fixed size, or
 * payloads that graph/pack.h reads.
 */
#include "base/buf.h"
#include "base/grid.h"
#include "base/hash.h"

enum {
    NCI_WIRE_VERSION_LOW = 1,
    NCI_WIRE_VERSION = 1,
    NCI_FRAME_SIZE = 32,
    NCI_HELLO_SIZE = 128,
    NCI_CHALLENGE_SIZE = 104,
    NCI_PROOF_SIZE = 32,
    NCI_ERROR_SIZE = 12,
    NCI_FETCH_SIZE = 32,
    NCI_FETCH_AXIS_SIZE = 24,
    NCI_CHUNK_SIZE = 24,
    NCI_NONCE_SIZE = 32,
    NCI_CLUSTER_ID_SIZE = 16,
    NCI_NAME_SIZE = 64,
    NCI_MAC_SIZE = 32,
    NCI_TRAILER_SIZE = 4
};

/* Who may send a type: bits of the role that the connection was opened with,
 * and LISTENS for the side that accepted it. */
enum {
    NCI_MAY_WORKER = 1 << 1,
    NCI_MAY_CLIENT = 1 << 2,
    NCI_MAY_DASHBOARD = 1 << 3,
    NCI_MAY_LISTENS = 1 << 4,
    NCI_MAY_ALL = 30,
    NCI_MAY_PEERS = NCI_MAY_WORKER | NCI_MAY_LISTENS,
    NCI_MAY_USERS = NCI_MAY_CLIENT | NCI_MAY_LISTENS,
    NCI_MAY_WORK = NCI_MAY_WORKER | NCI_MAY_CLIENT | NCI_MAY_LISTENS,
    NCI_MAY_FETCH = NCI_MAY_WORKER | NCI_MAY_CLIENT
};

/* name, value, who may send it. Values never change. */
#define NCI_WIRE_MAP(X)                                                        \
    X(HELLO, 1, ALL)                                                           \
    X(CHALLENGE, 2, LISTENS)                                                   \
    X(PROOF, 3, ALL)                                                           \
    X(READY, 4, LISTENS)                                                       \
    X(ERROR, 5, ALL)                                                           \
    X(HEARTBEAT, 6, ALL)                                                       \
    X(GOODBYE, 7, ALL)                                                         \
    X(FETCH, 16, FETCH)                                                        \
    X(CHUNK, 17, LISTENS)                                                      \
    X(DROP, 18, FETCH)                                                         \
    /* a worker to the scheduler */                                            \
    X(JOIN, 32, WORKER)   /* packed: what it has and holds */                  \
    X(DONE, 33, PEERS)    /* records: tasks that ended */                      \
    X(FAILED, 35, PEERS)  /* packed: a task's error */                         \
    X(LEAVING, 36, PEERS) /* packed: drain now, end time */                    \
    X(READS, 37, PEERS)   /* packed: what it read of files since the last */   \
    /* the scheduler to a worker */                                            \
    X(WELCOME, 48, LISTENS) /* packed: number, epoch */                        \
    X(PLAN, 49, WORK)       /* packed: a plan; a client's as well */           \
    X(ORDERS, 51, LISTENS)  /* records: run, fetch, release, move */           \
    X(FORGET, 52, LISTENS)  /* packed: a plan is over */                       \
    X(STOP, 53, USERS)      /* packed: end the process or cluster */           \
    /* a client and the scheduler */                                           \
    X(SUBMITTED, 80, LISTENS) /* packed */                                     \
    X(PROGRESS, 81, LISTENS)  /* packed */                                     \
    X(PUT, 82, USERS)         /* packed: a stored chunk, where it is */        \
    X(PUT_DONE, 83, USERS)    /* records */                                    \
    X(FINISHED, 84, LISTENS)  /* packed: end of a run */                       \
    X(CANCEL, 85, USERS)      /* packed */                                     \
    X(CALL, 87, WORK)         /* packed: a service; and the answer */          \
    X(STATUS, 88, ALL)        /* packed: state of the cluster */               \
    /* calls and values that stay: cluster/service.h */                        \
    X(ASK, 96, WORK)                                                           \
    X(TELL, 97, WORK)

typedef enum nci_wire_type {
#define NCI_WIRE_ENUM(name, value, may) NCI_WIRE_##name = value,
    NCI_WIRE_MAP(NCI_WIRE_ENUM)
#undef NCI_WIRE_ENUM
} nci_wire_type;

enum { NCI_FLAG_PAYLOAD_CRC = 1, NCI_FLAG_COMPRESSED = 2, NCI_FLAG_KNOWN = 3 };

typedef enum nci_peer_role {
    NCI_PEER_WORKER = 1,   /* all that the cluster does */
    NCI_PEER_CLIENT = 2,   /* submits work, fetches results */
    NCI_PEER_DASHBOARD = 3 /* looks on */
} nci_peer_role;

typedef enum nci_purpose {
    NCI_PURPOSE_CONTROL = 1,
    NCI_PURPOSE_DATA = 2
} nci_purpose;

typedef struct nci_frame {
    uint8_t version, type;
    uint16_t flags;
    uint32_t head;    /* bytes */
    uint64_t payload; /* bytes */
    uint32_t request, attempt;
    uint32_t crc; /* as it came; nci_frame_check compares */
} nci_frame;

/* What is accepted of a peer; checked before anything is allocated. */
typedef struct nci_frame_limits {
    uint32_t head;
    uint64_t payload;
} nci_frame_limits;

typedef struct nci_hello {
    uint8_t low, high, role, purpose;
    uint8_t cluster[NCI_CLUSTER_ID_SIZE];
    uint8_t nonce[NCI_NONCE_SIZE];
    uint64_t epoch;
    char name[NCI_NAME_SIZE + 1];
} nci_hello;

typedef struct nci_challenge {
    uint8_t version;
    uint8_t cluster[NCI_CLUSTER_ID_SIZE];
    uint64_t epoch;
    uint8_t nonce[NCI_NONCE_SIZE];
    uint8_t proof[NCI_MAC_SIZE];
} nci_challenge;

/* Which chunk, on all workers the same: a plan's hash or a layer's token, and
 * the number of the task or chunk in it. */
typedef struct nci_chunk_key {
    nci_token space;
    int64_t chunk;
} nci_chunk_key;

/* A part of a chunk: `box` of values of `itemsize` bytes in a chunk of `shape`,
 * row-major. itemsize 0: the whole chunk. */
typedef struct nci_part {
    int itemsize;
    nci_box box;
    int64_t shape[NCG_MAX_RANK];
} nci_part;

/* What a CHUNK frame brings. */
typedef struct nci_piece {
    uint64_t total, offset, nbytes;
} nci_piece;

typedef struct nci_fetch_request {
    nci_chunk_key key;
    nci_part part;
} nci_fetch_request;

enum {
    NCI_FETCH_MAX_SIZE = NCI_FETCH_SIZE + NCG_MAX_RANK * NCI_FETCH_AXIS_SIZE
};

/* nci_wire_type_name returns "HELLO" and so on, NULL where there is no such. */
const char *nci_wire_type_name(int type);
/* nci_wire_may tells whether a peer of `role` may send the type; `listens`: it
 * is the side that accepted the connection. */
bool nci_wire_may(int type, nci_peer_role role, bool listens);

/* Little-endian fields. */
void nci_put_u16(void *at, uint16_t value);
void nci_put_u32(void *at, uint32_t value);
void nci_put_u64(void *at, uint64_t value);
uint16_t nci_get_u16(const void *at);
uint32_t nci_get_u32(const void *at);
uint64_t nci_get_u64(const void *at);

/* nci_frame_encode writes NCI_FRAME_SIZE bytes; `head` are frame->head bytes
 * that will follow and go into the checksum. */
void nci_frame_encode(const nci_frame *frame, const void *head, uint8_t *out);
/* nci_frame_decode reads NCI_FRAME_SIZE bytes: ENET on a wrong magic, unknown
 * version, type or flags, a length above the limit. */
ncg_status nci_frame_decode(const uint8_t *bytes,
                            const nci_frame_limits *limits, nci_frame *out,
                            ncg_error *err);
/* nci_frame_check compares the checksum once the head is there. `bytes` are
 * those that were decoded. */
ncg_status nci_frame_check(const nci_frame *frame, const uint8_t *bytes,
                           const void *head, ncg_error *err);

void nci_hello_encode(const nci_hello *hello, uint8_t out[NCI_HELLO_SIZE]);
ncg_status nci_hello_decode(const void *head, size_t nbytes, nci_hello *out,
                            ncg_error *err);
void nci_challenge_encode(const nci_challenge *challenge,
                          uint8_t out[NCI_CHALLENGE_SIZE]);
ncg_status nci_challenge_decode(const void *head, size_t nbytes,
                                nci_challenge *out, ncg_error *err);

/* nci_error_encode writes the head; the text, at most 499 bytes of
 * error->message, is the payload. */
void nci_error_encode(const ncg_error *error, uint8_t out[NCI_ERROR_SIZE]);
/* nci_error_decode makes *out the peer's error; unprintable bytes of the text
 * become '?'. ENET where the bytes are none. */
ncg_status nci_error_decode(const void *head, size_t nhead, const void *text,
                            size_t ntext, ncg_error *out, ncg_error *err);

/* nci_fetch_encode returns the bytes written. */
size_t nci_fetch_encode(const nci_fetch_request *fetch,
                        uint8_t out[NCI_FETCH_MAX_SIZE]);
/* nci_fetch_decode: the part lies in the shape, its bytes do not overflow. */
ncg_status nci_fetch_decode(const void *head, size_t nbytes,
                            nci_fetch_request *out, ncg_error *err);
void nci_piece_encode(const nci_piece *piece, uint8_t out[NCI_CHUNK_SIZE]);
/* nci_piece_decode: the piece lies in the chunk. */
ncg_status nci_piece_decode(const void *head, size_t nbytes, nci_piece *out,
                            ncg_error *err);
/* nci_part_bytes returns the bytes of the part, 0 for a whole chunk;
 * nci_part_chunk_bytes those of the chunk that it lies in. */
int64_t nci_part_bytes(const nci_part *part);
int64_t nci_part_chunk_bytes(const nci_part *part);
/* nci_part_of gives the part to be asked for: where `part` is all of its chunk,
 * that of a whole chunk. */
nci_part nci_part_of(const nci_part *part);

#endif
