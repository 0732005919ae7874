/* SPDX-License-Identifier: BSD-3-Clause */
/* Records, and sending. What is packed: dialogue_pack.c. */
#include "engine/cluster/dialogue.h"

#include <string.h>

#include "base/mem.h"

/* ---- records ------------------------------------------------------------- */

void nci_order_encode(const nci_action *a, uint8_t out[NCI_RECORD_SIZE])
{
    nci_put_u32(out, (uint32_t)a->kind);
    nci_put_u32(out + 4, a->attempt);
    nci_put_u64(out + 8, (uint64_t)a->task);
    nci_put_u32(out + 16, (uint32_t)a->threads);
    nci_put_u32(out + 20, a->from);
    nci_put_u64(out + 24, (uint64_t)a->bytes);
    nci_put_u32(out + 32, (uint32_t)a->status);
    nci_put_u32(out + 36, 0);
}

static bool is_order(uint32_t kind)
{
    switch (kind) {
    case NCI_ACTION_RUN:
    case NCI_ACTION_RELEASE:
    case NCI_ACTION_SPILL:
    case NCI_ACTION_FORGET:
    case NCI_ACTION_LOAD:
    case NCI_ACTION_DONE:
    case NCI_ACTION_FAILED:
    case NCI_ACTION_FETCH:
    case NCI_ACTION_RECALL:
    case NCI_ACTION_CHECKPOINT:
    case NCI_ACTION_DROP_CHECKPOINT:
    case NCI_ACTION_LEAVE:
        return true;
    default:
        return false;
    }
}

ncg_status nci_order_decode(const uint8_t *record, nci_action *out,
                            ncg_error *err)
{
    uint32_t kind = nci_get_u32(record), threads = nci_get_u32(record + 16);
    uint32_t status = nci_get_u32(record + 32);
    if (!is_order(kind) || threads > 1 << 20 || status > NCG_EBUG)
        return nci_fail(err, NCG_ENET, "an order of kind %u", kind);
    *out = (nci_action){.kind = (nci_action_kind)kind,
                        .attempt = nci_get_u32(record + 4),
                        .task = (int64_t)nci_get_u64(record + 8),
                        .threads = (int)threads,
                        .from = nci_get_u32(record + 20),
                        .bytes = (int64_t)nci_get_u64(record + 24),
                        .status = (ncg_status)status};
    return NCG_OK;
}

void nci_event_encode(const nci_event *e, uint8_t out[NCI_RECORD_SIZE])
{
    nci_put_u32(out, (uint32_t)e->kind);
    nci_put_u32(out + 4, e->attempt);
    nci_put_u64(out + 8, (uint64_t)e->task);
    nci_put_u64(out + 16, (uint64_t)e->bytes);
    nci_put_u64(out + 24, (uint64_t)e->spent);
    nci_put_u32(out + 32, (uint32_t)e->status);
    nci_put_u32(out + 36, e->fills < UINT32_MAX ? (uint32_t)e->fills
                                                : UINT32_MAX);
}

static bool may_worker_say(uint32_t kind)
{
    switch (kind) {
    case NCI_EVENT_TASK_DONE:
    case NCI_EVENT_TASK_FAILED:
    case NCI_EVENT_SPILLED:
    case NCI_EVENT_LOADED:
    case NCI_EVENT_SPILL_FAILED:
    case NCI_EVENT_FETCHED:
    case NCI_EVENT_FETCH_FAILED:
    case NCI_EVENT_RECALLED:
    case NCI_EVENT_CHECKPOINTED:
    case NCI_EVENT_CHECKPOINT_FAILED:
        return true;
    default:
        return false;
    }
}

static bool may_client_say(uint32_t kind)
{
    return kind == NCI_EVENT_PUT_DONE || kind == NCI_EVENT_PUT_LOST ||
           kind == NCI_EVENT_TASK_FAILED;
}

ncg_status nci_event_decode(const uint8_t *record, bool is_client,
                            nci_event *out, ncg_error *err)
{
    uint32_t kind = nci_get_u32(record), status = nci_get_u32(record + 32);
    if (!(is_client ? may_client_say(kind) : may_worker_say(kind)) ||
        status > NCG_EBUG)
        return nci_fail(err, NCG_ENET, "an event of kind %u", kind);
    *out = (nci_event){.kind = (nci_event_kind)kind,
                       .attempt = nci_get_u32(record + 4),
                       .task = (int64_t)nci_get_u64(record + 8),
                       .bytes = (int64_t)nci_get_u64(record + 16),
                       .spent = (int64_t)nci_get_u64(record + 24),
                       .status = (ncg_status)status,
                       .fills = nci_get_u32(record + 36)};
    return NCG_OK;
}

/* Room for one more record; NULL without memory. */
static uint8_t *next_record(nci_batch *r)
{
    size_t need = r->nbytes + NCI_RECORD_SIZE;
    if (r->failed || !nci_grow(&r->data, &r->capacity, need, 1)) {
        r->failed = true;
        return NULL;
    }
    uint8_t *at = r->data + r->nbytes;
    r->nbytes = need;
    return at;
}

void nci_batch_order(nci_batch *records, const nci_action *order)
{
    uint8_t *at = next_record(records);
    if (at)
        nci_order_encode(order, at);
}

void nci_batch_event(nci_batch *records, const nci_event *event)
{
    uint8_t *at = next_record(records);
    if (at)
        nci_event_encode(event, at);
}

ncg_status nci_batch_send(nci_batch *r, nci_net *net, nci_conn_id conn,
                            nci_wire_type type, uint32_t run, ncg_error *err)
{
    if (r->failed)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    nci_message message = {.type = type, .request = run};
    ncg_status st = NCG_OK;
    enum { MOST = NCI_RECORD_SIZE * 1024 }; /* of one frame */
    for (size_t at = 0; !st && at < r->nbytes; at += message.nhead) {
        message.head = r->data + at;
        message.nhead = r->nbytes - at < MOST ? r->nbytes - at : MOST;
        st = nci_net_send(net, conn, &message, err);
    }
    r->nbytes = 0;
    return st;
}

void nci_batch_fini(nci_batch *records)
{
    nci_free(records->data);
    *records = (nci_batch){0};
}

/* ---- packed messages ----------------------------------------------------- */

static void free_text(void *memory, void *payload)
{
    (void)payload;
    nci_free(memory);
}

ncg_status nci_dialogue_seal(nci_pack *pack, nci_buf **out, ncg_error *err)
{
    size_t nbytes = pack->text.length;
    char *text = pack->text.failed ? NULL : nci_text_take(&pack->text);
    nci_text_fini(&pack->text);
    if (!text)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    ncg_status st = nci_buf_wrap(text, nbytes, free_text, NULL, out, err);
    if (st)
        nci_free(text);
    return st;
}

ncg_status nci_dialogue_send(nci_net *net, nci_conn_id conn, nci_wire_type type,
                             uint32_t run, nci_pack *pack, ncg_error *err)
{
    nci_message message = {.type = type, .request = run};
    NCI_TRY(nci_dialogue_seal(pack, &message.body, err));
    ncg_status st = nci_net_send(net, conn, &message, err);
    nci_buf_release(&message.body);
    return st;
}

nci_unpack nci_dialogue_open(const nci_message *message)
{
    return (nci_unpack){.data = nci_buf_data(message->body),
                        .size = nci_buf_size(message->body)};
}

nci_token nci_run_space(nci_token plan, uint32_t run)
{
    nci_hash hash;
    nci_hash_init(&hash, "run");
    nci_hash_token(&hash, plan);
    nci_hash_i64(&hash, run);
    return nci_hash_done(&hash);
}
