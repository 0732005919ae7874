/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_CLUSTER_DIALOGUE_H
#define NCI_ENGINE_CLUSTER_DIALOGUE_H
/*
 * What scheduler, workers and clients say to each other, on top of the frames
 * of net/wire.h. The frame's `request` is the number of the run that a message
 * is about, 0: none; between a client and the scheduler it is the client's own
 * number of the run. Numbers are little-endian; "packed" is a flat sequence
 * (graph/pack.h) in the payload. Any bytes are safe to decode.
 *
 *     worker                    scheduler                     client
 *       | JOIN, run 0 ------------> |                            |
 *       | <----------- WELCOME      |  (again when others come)  |
 *       |                           | <------------------- PLAN  |
 *       | <-------------- PLAN      | SUBMITTED ---------------> |
 *       | JOIN, run n ------------> |  the plan is open here     |
 *       | <------------ ORDERS      |                            |
 *       | DONE -------------------> | PUT ---------------------> |
 *       |                 (the client fetches the chunk)         |
 *       | <------------ ORDERS      | <--------------- PUT_DONE  |
 *       | <------------ FORGET      | FINISHED ----------------> |
 *
 * ORDERS: records of 40 bytes, in the order in which they are to be obeyed
 *      0    4 kind (nci_action_kind)
 *      4    4 attempt
 *      8    8 task, signed
 *     16    4 threads
 *     20    4 from: number of a worker
 *     24    8 bytes, signed
 *     32    4 status
 *     36    4 0
 *
 * DONE, PUT_DONE: records of 40 bytes
 *      0    4 kind (nci_event_kind)
 *      4    4 attempt
 *      8    8 task, signed
 *     16    8 bytes, signed
 *     24    8 spent, ns, signed
 *     32    4 status
 *     36    4 default fills that the task met, 2^32 - 1: so many or more
 *
 * The worker's number is not in a record: the connection tells it.
 */
#include "engine/net/net.h"
#include "engine/sched/resources.h"
#include "engine/sched/sched.h"
#include "graph/pack.h"
#include "io/io.h"
#include "io/write/encode.h"

enum { NCI_RECORD_SIZE = 40, NCI_HOST_SIZE = 256 };

void nci_order_encode(const nci_action *order, uint8_t out[NCI_RECORD_SIZE]);
/* nci_order_decode: ENET where no worker may be told so. */
ncg_status nci_order_decode(const uint8_t *record, nci_action *out,
                            ncg_error *err);
void nci_event_encode(const nci_event *event, uint8_t out[NCI_RECORD_SIZE]);
/* nci_event_decode: ENET where no worker or client may say so. */
ncg_status nci_event_decode(const uint8_t *record, bool is_client,
                            nci_event *out, ncg_error *err);

/* Records that wait to be sent in one message. Zero-initialise. */
typedef struct nci_batch {
    uint8_t *data;
    size_t nbytes, capacity;
    bool failed; /* memory ran out */
} nci_batch;

void nci_batch_order(nci_batch *records, const nci_action *order);
void nci_batch_event(nci_batch *records, const nci_event *event);
/* nci_batch_send sends what waits, if anything, and empties the list. */
ncg_status nci_batch_send(nci_batch *records, nci_net *net,
                            nci_conn_id conn, nci_wire_type type, uint32_t run,
                            ncg_error *err);
void nci_batch_fini(nci_batch *records);

enum { NCI_FOLDER_SIZE = 512 };

/* JOIN, run 0. */
typedef struct nci_joining {
    char name[NCI_NAME_SIZE + 1];
    char addresses[NCI_NET_ADDRESSES]; /* where its chunks are served */
    char host[NCI_HOST_SIZE];
    int threads;
    int64_t limit;
    int64_t pid;
    int64_t left;      /* ns until it must end, -1: open */
    int64_t bandwidth; /* bytes a second, 0: not known */
    char checkpoint[NCI_FOLDER_SIZE]; /* its directory for checkpoints, empty:
                                         none */
    char resources[NCI_RESOURCES_TEXT]; /* as sched/resources.h reads them */
} nci_joining;

/* WELCOME: everybody who may be fetched from. */
typedef struct nci_roster_entry {
    uint32_t number;
    char addresses[NCI_NET_ADDRESSES];
} nci_roster_entry;
typedef struct nci_roster {
    uint32_t number; /* of the worker that is told */
    char checkpoint[NCI_FOLDER_SIZE]; /* the directory of all, empty: none */
    nci_roster_entry *entries;
    size_t count, capacity;
} nci_roster;

/* PLAN. */
typedef struct nci_plan_message {
    nci_token hash;
    int retries;
    int nforms; /* 0: chunks are put as they are */
    nci_encoding *forms; /* one an output, owned */
    int nkeeps;          /* 0, or one an output: */
    nci_token *keeps;    /* the set of chunks that it becomes on the workers;
                            zeros: it is put. Owned */
    int nneeds;
    nci_token *needs;    /* the sets that they are made of; owned */
    const char *bytes;   /* of the outputs (graph/codec_output.h): borrowed */
    size_t nbytes;
} nci_plan_message;

/* PUT. */
typedef struct nci_put_message {
    int64_t task;
    uint32_t attempt;
    int64_t bytes;
    nci_token space; /* of the chunk's key */
    char addresses[NCI_NET_ADDRESSES];
} nci_put_message;

/* PROGRESS. */
typedef struct nci_progress_message {
    int64_t done, managed;
    int64_t workers;
    nci_io_stats reads; /* of all workers, for this run */
    char waits_for[64]; /* "": work goes on */
} nci_progress_message;

/* FINISHED. */
typedef struct nci_finished_message {
    ncg_error error; /* status OK: all outputs were put */
    int64_t tasks, peak, spilled, failed;
    int64_t fetched, recomputed, moved;
    nci_io_stats reads;
    int64_t *fills; /* one a layer of the plan: default fills that were met.
                       Owned where it was unpacked; NULL: none */
    int64_t nfills;
} nci_finished_message;

/* nci_dialogue_send sends a packed message; takes what `pack` holds. */
ncg_status nci_dialogue_send(nci_net *net, nci_conn_id conn,
                             nci_wire_type type, uint32_t run, nci_pack *pack,
                             ncg_error *err);
/* nci_dialogue_seal makes the payload alone, to be sent to several. */
ncg_status nci_dialogue_seal(nci_pack *pack, nci_buf **out, ncg_error *err);
/* nci_dialogue_open starts reading a message's payload. */
nci_unpack nci_dialogue_open(const nci_message *message);

void nci_joining_pack(nci_pack *pack, const nci_joining *what);
ncg_status nci_joining_unpack(nci_unpack *in, nci_joining *out, ncg_error *err);
void nci_roster_pack(nci_pack *pack, const nci_roster *what);
/* nci_roster_unpack replaces the entries. */
ncg_status nci_roster_unpack(nci_unpack *in, nci_roster *out, ncg_error *err);
void nci_plan_message_pack(nci_pack *pack, const nci_plan_message *what);
ncg_status nci_plan_message_unpack(nci_unpack *in, nci_plan_message *out,
                                   ncg_error *err);
void nci_plan_message_fini(nci_plan_message *what);
/* nci_plan_keep gives the set that an output becomes; false: it is put. */
bool nci_plan_keep(const nci_plan_message *what, int output, nci_token *out);
/* JOIN, run n: the plan is open; bytes that the run may take here. */
void nci_opened_pack(nci_pack *pack, nci_token hash, int64_t limit);
ncg_status nci_opened_unpack(nci_unpack *in, int64_t *limit, ncg_error *err);
/* READS: storage chunks and bytes; headers are not counted. */
void nci_reads_pack(nci_pack *pack, const nci_io_stats *reads);
ncg_status nci_reads_unpack(nci_unpack *in, nci_io_stats *out, ncg_error *err);
void nci_reads_add(nci_io_stats *to, const nci_io_stats *more);
/* nci_reads_since gives what came after `before`. */
nci_io_stats nci_reads_since(const nci_io_stats *now,
                             const nci_io_stats *before);
void nci_put_pack(nci_pack *pack, const nci_put_message *what);
ncg_status nci_put_unpack(nci_unpack *in, nci_put_message *out, ncg_error *err);
void nci_progress_pack(nci_pack *pack, const nci_progress_message *what);
ncg_status nci_progress_unpack(nci_unpack *in, nci_progress_message *out,
                               ncg_error *err);
void nci_finished_pack(nci_pack *pack, const nci_finished_message *what);
/* nci_finished_unpack: nci_finished_message_fini, also after a failure. */
ncg_status nci_finished_unpack(nci_unpack *in, nci_finished_message *out,
                               ncg_error *err);
void nci_finished_message_fini(nci_finished_message *what);
/* An error, and the task that it is about (-1: none). */
void nci_failure_pack(nci_pack *pack, int64_t task, const ncg_error *error);
ncg_status nci_failure_unpack(nci_unpack *in, int64_t *task, ncg_error *out,
                              ncg_error *err);

/* CALL: a word and what it is about; the answer: how it went, and a text. */
enum { NCI_WORD_SIZE = 128 };
void nci_call_pack(nci_pack *pack, const char *word, const char *argument);
ncg_status nci_call_unpack(nci_unpack *in, char word[NCI_WORD_SIZE],
                           char argument[NCI_WORD_SIZE], ncg_error *err);
void nci_answer_pack(nci_pack *pack, const ncg_error *error, const char *text);
/* nci_answer_unpack replaces *text (nci_free). */
ncg_status nci_answer_unpack(nci_unpack *in, ncg_error *out, char **text,
                             ncg_error *err);

/* nci_run_space names the chunks of one run. */
nci_token nci_run_space(nci_token plan, uint32_t run);

#endif
