/* SPDX-License-Identifier: BSD-3-Clause */
/* What clients ask of the scheduler, and what workers tell it, beside runs:
 * each is handed to the part that it is about. */
#include <string.h>

#include "engine/cluster/scheduler_kept.h"

/* Who has a chunk of a set. Clients get it as an answer. */
static void locate(nci_scheduler *s, nci_conn_id conn, const nci_service *ask,
                   bool is_client)
{
    const nci_roll *holder = NULL;
    nci_service said = {.kind = NCI_SERVICE_LOCATED, .id = ask->id};
    nci_error_clear(&said.error);
    if (!nci_kept_locate(s, ask->space, ask->key, &holder, &said.bytes,
                         &said.error))
        memcpy(said.where, holder->who.addresses, sizeof said.where);
    if (is_client && said.error.status == NCG_ENET &&
        nci_kept_is_coming(s, ask->space))
        nci_error_clear(&said.error); /* it asks again */
    if (is_client) {
        nci_service begun = {
            .kind = NCI_SERVICE_BEGUN, .id = ask->id, .bytes = 1};
        said.kind = NCI_SERVICE_ANSWER;
        nci_service_send(s->net, conn, NCI_WIRE_TELL, &begun, NULL);
    }
    nci_service_send(s->net, conn, is_client ? NCI_WIRE_TELL : NCI_WIRE_ASK,
                     &said, NULL);
}

ncg_status nci_scheduler_ask(nci_scheduler *s, nci_conn_id conn,
                             const nci_message *m, ncg_error *err)
{
    nci_unpack in = nci_dialogue_open(m);
    ncg_status st = NCG_OK;
    while (!st && !nci_service_is_end(&in)) {
        nci_service ask;
        NCI_TRY(nci_service_unpack(&in, &ask, err));
        switch (ask.kind) {
        case NCI_SERVICE_CALL:
            st = nci_calls_take(s, conn, &ask, &in, m->body, err);
            break;
        case NCI_SERVICE_RELEASE:
        case NCI_SERVICE_CANCEL:
            nci_calls_let_go(s, conn, &ask);
            break;
        case NCI_SERVICE_RUN_ON:
            nci_doings_begin(s, conn, &ask, m->body);
            break;
        case NCI_SERVICE_HOLD:
            nci_kept_hold(s, conn, ask.space);
            break;
        case NCI_SERVICE_LET_GO:
            nci_kept_let_go(s, conn, ask.space);
            break;
        case NCI_SERVICE_LOCATE:
            locate(s, conn, &ask, true);
            break;
        case NCI_SERVICE_PUBLISH:
        case NCI_SERVICE_GET:
        case NCI_SERVICE_NAMES:
        case NCI_SERVICE_UNPUBLISH:
            nci_names_ask(s, conn, &ask);
            break;
        default:
            st = nci_fail(err, NCG_ENET, "a client asks for %d", ask.kind);
        }
    }
    return st;
}

ncg_status nci_scheduler_told(nci_scheduler *s, const nci_roll *roll,
                              const nci_message *m, ncg_error *err)
{
    nci_unpack in = nci_dialogue_open(m);
    uint32_t number = roll->number;
    while (!nci_service_is_end(&in)) {
        nci_service told;
        NCI_TRY(nci_service_unpack(&in, &told, err));
        roll = nci_scheduler_roll(s, number);
        if (!roll)
            return NCG_OK;
        if (told.kind == NCI_SERVICE_DID)
            nci_doings_did(s, roll, &told);
        else if (told.kind == NCI_SERVICE_KEPT)
            nci_kept_answer(s, roll, &told);
        else if (told.kind == NCI_SERVICE_MEMO)
            nci_names_memo(s, &told);
        else if (told.kind == NCI_SERVICE_HAVE)
            nci_kept_have(s, roll, &told);
        else if (told.kind == NCI_SERVICE_LOCATE)
            locate(s, roll->conn, &told, false);
        else if (told.kind >= NCI_SERVICE_ENDED &&
                 told.kind <= NCI_SERVICE_TAKEN)
            nci_calls_ended(s, roll, &told);
        else
            return nci_fail(err, NCG_ENET, "a worker tells %d", told.kind);
    }
    return NCG_OK;
}
