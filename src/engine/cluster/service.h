/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_CLUSTER_SERVICE_H
#define NCI_ENGINE_CLUSTER_SERVICE_H
/*
 * What is said about calls and values that stay (sched/values.h): ASK and TELL
 * messages, whose payload is one or more services, each packed in the same way:
 *
 *     kind, id, key, attempt, bytes, space (2), status, text of the error,
 *     name, where, needs, data, count of inputs; of each: id, bytes, where
 *
 *     client                   scheduler                      worker
 *       | CALL (id: own number)  --> |                            |
 *       |                            | RUN (id: of the cluster) -> |
 *       |       (the worker fetches inputs from other workers)    |
 *       |                            | <------- ENDED, FAILED     |
 *       | <-- READY (where, key)     |                            |
 *       | fetches the value from the worker                       |
 *       | RELEASE, CANCEL ---------> | DROP, STOP --------------> |
 *       |                            | TAKE --------------------> |
 *       |                            | <------- TAKEN             |
 *       | RUN_ON ------------------> | DO ----------------------> |
 *       | <-- BEGUN, ANSWER          | <------- DID               |
 *       | HOLD, LET_GO ------------> | KEEP --------------------> |
 *       |                            | <------- KEPT              |
 *       | LOCATE ------------------> | <------- LOCATE            |
 *       | <--------- LOCATED         | LOCATED -----------------> |
 *       | PUBLISH, GET, NAMES, UNPUBLISH --> |
 *       | <-- BEGUN, ANSWER
 *
 * Any bytes are safe to decode. What is read is borrowed from the message.
 */
#include "engine/cluster/dialogue.h"

typedef enum nci_service_kind {
    NCI_SERVICE_CALL = 1, /* id, name: function, where: worker, bytes: retries,
                             needs: resources, data: argument, inputs: ids */
    NCI_SERVICE_RELEASE,  /* id */
    NCI_SERVICE_CANCEL,   /* id */
    NCI_SERVICE_RUN_ON,   /* id, name: function, where: worker, "*": all, "":
                             the scheduler; data */
    NCI_SERVICE_HOLD,      /* space: this client reads a set of chunks */
    NCI_SERVICE_LET_GO,    /* space: and no more */
    NCI_SERVICE_PUBLISH,   /* id, name, data (published.h), bytes: 1: in the
                              place of what has that name */
    NCI_SERVICE_GET,       /* id, name: its data; this client holds its sets */
    NCI_SERVICE_NAMES,     /* id: all of them, each ended by a zero byte */
    NCI_SERVICE_UNPUBLISH, /* id, name */

    NCI_SERVICE_RUN = 16, /* id, attempt, name, data, inputs */
    NCI_SERVICE_STOP,     /* id, attempt */
    NCI_SERVICE_TAKE,     /* space, key, id, attempt, bytes, where */
    NCI_SERVICE_DROP,     /* space, key */
    NCI_SERVICE_DO,       /* id, name, data */
    NCI_SERVICE_KEEP,     /* bytes: run, id: task, attempt: the worker keeps
                             what it left as chunk `key` of `space` */
    NCI_SERVICE_MEMO,     /* name, key: epoch, data: to be told to a scheduler of
                             a later epoch; without data: not any more. Workers
                             tell it so; without data: it is remembered */
    NCI_SERVICE_LOCATED,  /* id, bytes, where, error; to clients as well, empty
                             while the chunk is being made */

    NCI_SERVICE_ENDED = 32, /* id, attempt, bytes */
    NCI_SERVICE_FAILED,     /* id, attempt, error */
    NCI_SERVICE_MISSED,     /* id, attempt */
    NCI_SERVICE_TAKEN,      /* id, attempt, status */
    NCI_SERVICE_DID,        /* id, error, data */
    NCI_SERVICE_KEPT,       /* as KEEP, bytes: its size; error */
    NCI_SERVICE_HAVE,       /* space, key, bytes: a chunk is here from before */
    NCI_SERVICE_LOCATE,     /* id: own number, space, key: who has that chunk?
                               Clients ask, too */

    NCI_SERVICE_READY = 48, /* id, key, bytes, where: addresses */
    NCI_SERVICE_ERRED,      /* id, error */
    NCI_SERVICE_BEGUN,      /* id, error, bytes: how many answers come */
    NCI_SERVICE_ANSWER      /* id, where: who, error, data */
} nci_service_kind;

typedef struct nci_service {
    nci_service_kind kind;
    int64_t id, key;
    uint32_t attempt;
    int64_t bytes;
    nci_token space;
    ncg_error error;
    char name[NCI_WORD_SIZE];
    char where[NCI_NET_ADDRESSES];
    char needs[NCI_RESOURCES_TEXT];
    const void *data;
    size_t ndata;
    size_t ninputs;
} nci_service;

typedef struct nci_service_input {
    int64_t id, bytes;
    char where[NCI_NET_ADDRESSES];
} nci_service_input;

/* nci_service_pack is followed by nci_service_pack_input for each input. */
void nci_service_pack(nci_pack *pack, const nci_service *service);
void nci_service_pack_input(nci_pack *pack, const nci_service_input *input);
/* nci_service_unpack reads the next, then nci_service_unpack_input each of its
 * inputs. */
ncg_status nci_service_unpack(nci_unpack *in, nci_service *out,
                              ncg_error *err);
ncg_status nci_service_unpack_input(nci_unpack *in, nci_service_input *out,
                                    ncg_error *err);
static inline bool nci_service_is_end(const nci_unpack *in)
{
    return in->at >= in->size;
}
/* nci_service_send sends one service without inputs. */
ncg_status nci_service_send(nci_net *net, nci_conn_id conn, nci_wire_type type,
                            const nci_service *service, ncg_error *err);

/* nci_value_space names the values of calls among chunks. */
nci_token nci_value_space(void);

#endif
