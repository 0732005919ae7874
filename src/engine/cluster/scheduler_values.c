/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls and the values that they leave, on the scheduler: clients say what they
 * want, the machine (sched/values.h) says who is to do it.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "engine/cluster/scheduler_kept.h"

/* A call that somebody may still ask about. */
typedef struct nci_service_call {
    int64_t id;
    nci_conn_id client; /* 0: gone, or let go */
    uint32_t number;    /* the client's */
    nci_buf *body;      /* of the client's message, where these lie: */
    const void *argument;
    size_t nargument;
    char *name; /* of the function */
    int64_t *inputs;
    size_t ninputs;
    ncg_error error; /* what the last attempt said */
} service_call;

/* ---- who is who ---------------------------------------------------------- */

static uint32_t serial_of(nci_scheduler *s, nci_conn_id conn)
{
    for (size_t i = 0; i < s->nclients; i++)
        if (s->clients[i].conn == conn)
            return s->clients[i].serial;
    if (!nci_grow(&s->clients, &s->clients_capacity, s->nclients + 1,
                  sizeof *s->clients))
        return 0;
    uint32_t serial = ++s->serials & INT32_MAX;
    s->clients[s->nclients++] = (nci_known_client){conn, serial};
    return serial;
}

static int64_t id_of(uint32_t serial, int64_t number)
{
    return (int64_t)serial << 32 | (number & UINT32_MAX);
}

static service_call *call_of(const nci_scheduler *s, int64_t id)
{
    return id < 0 ? NULL : nci_task_map_get(&s->calls, id);
}

static void call_free(service_call *c)
{
    if (!c)
        return;
    nci_buf_release(&c->body);
    nci_free(c->name);
    nci_free(c->inputs);
    nci_free(c);
}

/* ---- what the machine says ----------------------------------------------- */

static void send_run(nci_scheduler *s, const nci_value_action *a)
{
    const service_call *c = call_of(s, a->id);
    const nci_roll *roll = nci_scheduler_roll(s, a->worker);
    nci_pack pack = {0};
    if (!c || !roll)
        return;
    nci_service service = {.kind = NCI_SERVICE_RUN,
                           .id = a->id,
                           .attempt = a->attempt,
                           .data = c->argument,
                           .ndata = c->nargument,
                           .ninputs = c->ninputs};
    snprintf(service.name, sizeof service.name, "%s", c->name);
    nci_service_pack(&pack, &service);
    for (size_t i = 0; i < c->ninputs; i++) {
        nci_service_input input = {.id = c->inputs[i]};
        uint32_t where = nci_values_where(s->values, input.id, &input.bytes);
        const nci_roll *holder = nci_scheduler_roll(s, where);
        if (holder && holder != roll) /* else it is there */
            memcpy(input.where, holder->who.addresses, sizeof input.where);
        nci_service_pack_input(&pack, &input);
    }
    nci_dialogue_send(s->net, roll->conn, NCI_WIRE_ASK, 0, &pack, NULL);
}

static void tell_ready(nci_scheduler *s, const nci_value_action *a)
{
    service_call *c = call_of(s, a->id);
    const nci_roll *roll = nci_scheduler_roll(s, a->worker);
    if (!c || !roll || !c->client)
        return;
    nci_service ready = {.kind = NCI_SERVICE_READY,
                         .id = c->number,
                         .key = c->id,
                         .bytes = a->bytes};
    memcpy(ready.where, roll->who.addresses, sizeof ready.where);
    nci_service_send(s->net, c->client, NCI_WIRE_TELL, &ready, NULL);
}

static void tell_erred(nci_scheduler *s, const nci_value_action *a)
{
    service_call *c = call_of(s, a->id);
    const service_call *cause = call_of(s, a->cause);
    if (!c)
        return;
    if (cause && cause->error.status == a->status)
        c->error = cause->error;
    else if (a->status == NCG_ECANCELED)
        nci_fail(&c->error, a->status, "canceled");
    else if (a->status == NCG_ENOTFOUND)
        nci_fail(&c->error, a->status,
                 "the worker that was to call %.60s is not there", c->name);
    else
        nci_fail(&c->error, a->status,
                 "three workers died while they called %.60s", c->name);
    if (!c->client)
        return;
    nci_service erred = {
        .kind = NCI_SERVICE_ERRED, .id = c->number, .error = c->error};
    nci_service_send(s->net, c->client, NCI_WIRE_TELL, &erred, NULL);
}

static void act(nci_scheduler *s, const nci_value_action *a)
{
    nci_service service = {.id = a->id,
                           .key = a->id,
                           .space = nci_value_space(),
                           .attempt = a->attempt,
                           .bytes = a->bytes};
    const nci_roll *from;
    nci_roll *roll;
    nci_kept_key(s, a->id, &service.space, &service.key);
    switch (a->kind) {
    case NCI_VALUE_RUN:
        send_run(s, a);
        break;
    case NCI_VALUE_STOP:
        service.kind = NCI_SERVICE_STOP;
        nci_scheduler_tell(s, a->worker, &service);
        break;
    case NCI_VALUE_TAKE:
        service.kind = NCI_SERVICE_TAKE;
        from = nci_scheduler_roll(s, a->from);
        if (from)
            memcpy(service.where, from->who.addresses, sizeof service.where);
        nci_scheduler_tell(s, a->worker, &service);
        break;
    case NCI_VALUE_DROP:
        service.kind = NCI_SERVICE_DROP;
        nci_scheduler_tell(s, a->worker, &service);
        break;
    case NCI_VALUE_CLEAR:
        roll = nci_scheduler_roll(s, a->worker);
        if (roll) {
            roll->has_no_values = true;
            nci_scheduler_try_leave(s, roll);
        }
        break;
    case NCI_VALUE_READY:
        tell_ready(s, a);
        break;
    case NCI_VALUE_ERRED:
        tell_erred(s, a);
        break;
    case NCI_VALUE_LOST:
        nci_kept_lost(s, a->id);
        break;
    case NCI_VALUE_FORGOTTEN:
        call_free(nci_task_map_remove(&s->calls, a->id));
        break;
    }
}

ncg_status nci_scheduler_value(nci_scheduler *s, const nci_value_event *event,
                               ncg_error *err)
{
    nci_value_actions list = s->value_actions; /* it may come back here */
    s->value_actions = (nci_value_actions){0};
    ncg_status st = nci_values_handle(s->values, event, &list, err);
    for (size_t i = 0; i < list.count; i++)
        act(s, &list.items[i]);
    list.count = 0;
    nci_free(s->value_actions.items);
    s->value_actions = list;
    if (st == NCG_ENOMEM)
        nci_scheduler_note(s, "the scheduler is out of memory");
    return st;
}

void nci_scheduler_value_of(nci_scheduler *s, nci_value_event_kind kind,
                            const nci_roll *roll)
{
    nci_value_event event = {.kind = kind,
                             .worker = roll->number,
                             .threads = roll->who.threads,
                             .resources = &roll->resources};
    nci_scheduler_value(s, &event, NULL);
}

/* ---- clients ------------------------------------------------------------- */

static ncg_status read_call(nci_scheduler *s, const nci_service *ask,
                            nci_unpack *in, uint32_t serial, service_call *c,
                            ncg_error *err)
{
    c->name = nci_strdup(ask->name);
    c->inputs = nci_calloc(ask->ninputs + 1, sizeof *c->inputs);
    if (!c->name || !c->inputs || !nci_task_map_reserve(&s->calls))
        return nci_fail(err, NCG_ENOMEM, "the scheduler is out of memory");
    for (; c->ninputs < ask->ninputs; c->ninputs++) {
        nci_service_input input;
        NCI_TRY(nci_service_unpack_input(in, &input, err));
        c->inputs[c->ninputs] = id_of(serial, input.id);
    }
    if (ask->id > UINT32_MAX || call_of(s, c->id))
        return nci_fail(err, NCG_ENET, "call %lld is there already",
                        (long long)ask->id);
    return NCG_OK;
}

static uint32_t worker_named(const nci_scheduler *s, const char *name)
{
    for (size_t i = 0; i < s->nrolls; i++)
        if (!strcmp(s->rolls[i].who.name, name))
            return s->rolls[i].number;
    return NCI_NO_WORKER - 2; /* no worker has it */
}

ncg_status nci_calls_take(nci_scheduler *s, nci_conn_id conn,
                          const nci_service *ask, nci_unpack *in, nci_buf *body,
                          ncg_error *err)
{
    uint32_t serial = serial_of(s, conn);
    nci_resources needs;
    NCI_TRY(nci_resources_read(ask->needs, &needs, err));
    service_call *c = nci_calloc(1, sizeof *c);
    if (!c || !serial) {
        nci_free(c);
        return nci_fail(err, NCG_ENOMEM, "the scheduler is out of memory");
    }
    *c = (service_call){.id = id_of(serial, ask->id),
                        .client = conn,
                        .number = (uint32_t)ask->id,
                        .body = nci_buf_retain(body),
                        .argument = ask->data,
                        .nargument = ask->ndata};
    ncg_status st = read_call(s, ask, in, serial, c, err);
    if (st) {
        call_free(c);
        return st;
    }
    nci_value_event event = {.kind = NCI_VALUE_CALL,
                             .id = c->id,
                             .worker = *ask->where ? worker_named(s, ask->where)
                                                   : NCI_NO_WORKER,
                             .inputs = c->inputs,
                             .ninputs = c->ninputs,
                             .retries = (int)(ask->bytes & INT16_MAX),
                             .resources = &needs};
    nci_task_map_put(&s->calls, c->id, c);
    st = nci_scheduler_value(s, &event, err);
    /* Unless what is missing is only what could not be said. */
    if (st == NCG_EINVAL)
        call_free(nci_task_map_remove(&s->calls, event.id));
    return st;
}

void nci_calls_let_go(nci_scheduler *s, nci_conn_id conn,
                      const nci_service *ask)
{
    bool releases = ask->kind == NCI_SERVICE_RELEASE;
    nci_value_event event = {.kind = releases ? NCI_VALUE_RELEASE
                                              : NCI_VALUE_CANCEL,
                             .id = id_of(serial_of(s, conn), ask->id)};
    service_call *c = call_of(s, event.id);
    if (c && releases)
        c->client = 0;
    nci_scheduler_value(s, &event, NULL);
}

/* What a client that is gone holds. */
void nci_calls_forget(nci_scheduler *s, nci_conn_id conn)
{
    enum { AT_ONCE = 512 };
    nci_value_event release = {.kind = NCI_VALUE_RELEASE};
    size_t n = 1;
    while (n) {
        int64_t ids[AT_ONCE];
        n = 0;
        for (size_t i = 0; i < s->calls.capacity && n < AT_ONCE; i++) {
            service_call *c = s->calls.slots[i].value;
            if (c && c->client == conn) {
                c->client = 0;
                ids[n++] = c->id;
            }
        }
        for (size_t i = 0; i < n; i++) {
            release.id = ids[i];
            nci_scheduler_value(s, &release, NULL);
        }
    }
    for (size_t i = 0; i < s->nclients; i++)
        if (s->clients[i].conn == conn)
            s->clients[i] = s->clients[--s->nclients];
}

/* ---- workers ------------------------------------------------------------- */

void nci_calls_ended(nci_scheduler *s, const nci_roll *roll,
                     const nci_service *told)
{
    service_call *c = call_of(s, told->id);
    nci_value_event event = {.worker = roll->number,
                             .id = told->id,
                             .attempt = told->attempt,
                             .bytes = told->bytes,
                             .status = told->error.status};
    switch (told->kind) {
    case NCI_SERVICE_ENDED:
        event.kind = NCI_VALUE_DONE;
        break;
    case NCI_SERVICE_FAILED:
        event.kind = NCI_VALUE_FAILED;
        if (c)
            c->error = told->error;
        break;
    case NCI_SERVICE_MISSED:
        event.kind = NCI_VALUE_MISSED;
        break;
    default:
        event.kind = told->error.status ? NCI_VALUE_NOT_TAKEN : NCI_VALUE_TAKEN;
    }
    nci_scheduler_value(s, &event, NULL);
}

void nci_calls_free(nci_scheduler *s)
{
    for (size_t i = 0; i < s->calls.capacity; i++)
        call_free(s->calls.slots[i].value);
    nci_task_map_fini(&s->calls);
    nci_free(s->value_actions.items);
    nci_free(s->clients);
    nci_values_free(&s->values);
}
