/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Functions that a client has called at once: here, on a thread of their own,
 * or on certain workers. Whatever becomes of a worker, each call has an answer.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "engine/cluster/functions.h"
#include "engine/cluster/scheduler_internal.h"

typedef struct nci_doing {
    nci_scheduler *scheduler;
    int64_t id;
    nci_conn_id client;
    int64_t request; /* the client's */
    uint32_t worker; /* NCI_NO_WORKER: here */
    char name[NCI_WORD_SIZE];
    nci_buf *body; /* of the message that has the argument; here */
    const void *argument;
    size_t nargument;
    char *status;
    struct nci_doing *next;
} nci_doing;

static void answer(nci_scheduler *s, const nci_doing *d, const char *who,
                   const ncg_error *error, const void *data, size_t ndata)
{
    nci_service service = {.kind = NCI_SERVICE_ANSWER,
                           .id = d->request,
                           .error = *error,
                           .data = data,
                           .ndata = ndata};
    snprintf(service.where, sizeof service.where, "%s", who);
    nci_service_send(s->net, d->client, NCI_WIRE_TELL, &service, NULL);
}

static void doing_free(nci_doing *d)
{
    nci_buf_release(&d->body);
    nci_free(d->status);
    nci_free(d);
}

/* ---- here */

static nci_doing *make_doing(nci_scheduler *s, nci_conn_id conn,
                             const nci_service *ask)
{
    nci_doing *d = nci_calloc(1, sizeof *d);
    if (!d)
        return NULL;
    *d = (nci_doing){.scheduler = s,
                     .id = ++s->doings_made,
                     .client = conn,
                     .request = ask->id,
                     .worker = NCI_NO_WORKER,
                     .argument = ask->data,
                     .nargument = ask->ndata};
    memcpy(d->name, ask->name, sizeof d->name);
    return d;
}

/* On the side thread of services; no lock held. */
static void do_here(void *ctx)
{
    nci_doing *d = ctx;
    ncg_error err;
    nci_buf *value = NULL;
    nci_function_frame frame = {
        .call = {.argument = {d->argument, d->nargument},
                 .process = "scheduler",
                 .status = d->status}};
    nci_error_clear(&err);
    nci_function_run(d->name, &frame, &value, &err);
    answer(d->scheduler, d, "scheduler", &err, nci_buf_data(value),
           nci_buf_size(value));
    nci_buf_release(&value);
    doing_free(d);
}

static ncg_status begin_here(nci_scheduler *s, nci_conn_id conn,
                             const nci_service *ask, nci_buf *body,
                             ncg_error *err)
{
    nci_text text = {0};
    nci_doing *d = make_doing(s, conn, ask);
    nci_scheduler_describe(s, &text);
    if (d)
        d->status = nci_text_take(&text);
    nci_text_fini(&text);
    if (!d || !d->status) {
        nci_free(d);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    d->body = nci_buf_retain(body);
    ncg_status st = nci_errands_add(s->services, do_here, d, err);
    if (st)
        doing_free(d);
    return st;
}

/* ---- on workers */

static void begin_there(nci_scheduler *s, nci_conn_id conn,
                        const nci_service *ask, const nci_roll *roll)
{
    nci_doing *d = make_doing(s, conn, ask);
    nci_service service = *ask;
    ncg_error err;
    if (!d) {
        nci_doing none = {.client = conn, .request = ask->id};
        nci_fail(&err, NCG_ENOMEM, "the scheduler is out of memory");
        answer(s, &none, roll->who.name, &err, NULL, 0);
        return;
    }
    d->worker = roll->number;
    d->next = s->doings;
    s->doings = d;
    service.kind = NCI_SERVICE_DO;
    service.id = d->id;
    service.where[0] = '\0';
    nci_service_send(s->net, roll->conn, NCI_WIRE_ASK, &service, NULL);
}

void nci_doings_begin(nci_scheduler *s, nci_conn_id conn,
                      const nci_service *ask, nci_buf *body)
{
    nci_service begun = {.kind = NCI_SERVICE_BEGUN, .id = ask->id};
    bool is_here = !*ask->where, is_all = !strcmp(ask->where, "*");
    ncg_error err;
    nci_error_clear(&err);
    for (size_t i = 0; !is_here && i < s->nrolls; i++)
        begun.bytes += is_all || !strcmp(s->rolls[i].who.name, ask->where);
    if (is_here && !begin_here(s, conn, ask, body, &err))
        begun.bytes = 1;
    if (!is_here && !is_all && !begun.bytes)
        nci_fail(&err, NCG_ENOTFOUND, "the cluster has no worker '%.100s'",
                 ask->where);
    begun.error = err;
    nci_service_send(s->net, conn, NCI_WIRE_TELL, &begun, NULL);
    for (size_t i = 0; !is_here && i < s->nrolls; i++)
        if (is_all || !strcmp(s->rolls[i].who.name, ask->where))
            begin_there(s, conn, ask, &s->rolls[i]);
}

static void end_doing(nci_scheduler *s, const nci_roll *roll, int64_t id,
                      const nci_service *did)
{
    nci_doing **at = &s->doings;
    ncg_error gone;
    while (*at && ((*at)->worker != roll->number || (did && (*at)->id != id)))
        at = &(*at)->next;
    nci_doing *d = *at;
    if (!d)
        return;
    *at = d->next;
    nci_fail(&gone, NCG_ENET, "worker %.100s left before it answered",
             roll->who.name);
    answer(s, d, roll->who.name, did ? &did->error : &gone,
           did ? did->data : NULL, did ? did->ndata : 0);
    doing_free(d);
}

void nci_doings_did(nci_scheduler *s, const nci_roll *roll,
                    const nci_service *did)
{
    end_doing(s, roll, did->id, did);
}

void nci_doings_left(nci_scheduler *s, const nci_roll *roll)
{
    size_t n = 0;
    for (const nci_doing *d = s->doings; d; d = d->next)
        n += d->worker == roll->number;
    while (n--)
        end_doing(s, roll, 0, NULL);
}

void nci_doings_free(nci_scheduler *s)
{
    while (s->doings) {
        nci_doing *next = s->doings->next;
        doing_free(s->doings);
        s->doings = next;
    }
}
