/* SPDX-License-Identifier: BSD-3-Clause */
/* What a client asks for and waits for: functions called at once, on the
 * scheduler or on workers; published data. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "engine/cluster/future_internal.h"

void nci_answers_free(ncg_worker_answer *answers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        nci_free(answers[i].worker);
        nci_free(answers[i].message);
        nci_free(answers[i].data);
    }
    nci_free(answers);
}

static void add_answer(nci_asking *a, const nci_service *told)
{
    ncg_worker_answer one = {.status = told->error.status,
                             .size = told->ndata,
                             .worker = nci_strdup(told->where),
                             .data = nci_alloc(told->ndata + 1)};
    if (one.status)
        one.message = nci_strdup(told->error.message);
    bool has_room =
        one.worker && one.data && (!one.status || one.message) &&
        nci_grow(&a->answers, &a->capacity, a->count + 1, sizeof *a->answers);
    if (has_room) {
        if (told->ndata)
            memcpy(one.data, told->data, told->ndata);
        a->answers[a->count++] = one;
        return;
    }
    nci_free(one.worker);
    nci_free(one.message);
    nci_free(one.data);
    a->is_starved = true;
}

void nci_asking_told_locked(nci_futures *t, const nci_service *told)
{
    nci_asking *a = t->askings;
    while (a && a->id != told->id)
        a = a->next;
    if (!a)
        return;
    if (told->kind == NCI_SERVICE_BEGUN) {
        a->expected = told->bytes;
        a->error = told->error;
    } else if (told->kind == NCI_SERVICE_ANSWER) {
        add_answer(a, told);
    }
}

static ncg_status wait_locked(nci_futures *t, nci_asking *a, ncg_error *err)
{
    while (!t->is_gone && !a->is_starved && !a->error.status &&
           (a->expected < 0 || (int64_t)a->count < a->expected))
        nci_futures_wait_locked(t, -1);
    if (a->error.status) {
        if (err)
            *err = a->error;
        return a->error.status;
    }
    if (a->is_starved)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    if (a->expected < 0 || (int64_t)a->count < a->expected)
        return nci_fail(err, NCG_ENET, "%s", t->why.message);
    return NCG_OK;
}

static ncg_status ask_locked(nci_futures *t, nci_asking *a,
                             const nci_service *what, ncg_error *err)
{
    nci_service ask = *what;
    ask.id = a->id;
    if (t->is_gone)
        return nci_fail(err, NCG_ENET, "%s", t->why.message);
    pthread_mutex_lock(&t->client->lock);
    nci_conn_id conn = t->client->conn;
    pthread_mutex_unlock(&t->client->lock);
    NCI_TRY(nci_service_send(t->client->net, conn, NCI_WIRE_ASK, &ask, err));
    return wait_locked(t, a, err);
}

ncg_status nci_client_ask(nci_client *c, const nci_service *what,
                          ncg_worker_answer **out, size_t *n, ncg_error *err)
{
    nci_futures *t = c->futures;
    nci_asking a = {.expected = -1};
    pthread_mutex_lock(&t->lock);
    a.id = ++t->numbers;
    a.next = t->askings;
    t->askings = &a;
    t->busy++;
    ncg_status st = ask_locked(t, &a, what, err);
    t->busy--;
    nci_asking **at = &t->askings;
    while (*at != &a)
        at = &(*at)->next;
    *at = a.next;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
    if (st) {
        nci_answers_free(a.answers, a.count);
        return st;
    }
    *out = a.answers;
    *n = a.count;
    return NCG_OK;
}

ncg_status nci_client_run_on(nci_client *c, const char *function,
                             ncg_bytes argument, const char *where,
                             ncg_worker_answer **out, size_t *n, ncg_error *err)
{
    nci_service ask = {.kind = NCI_SERVICE_RUN_ON,
                       .data = argument.data,
                       .ndata = argument.size};
    if (strlen(function) >= sizeof ask.name ||
        strlen(where) >= sizeof ask.where)
        return nci_fail(err, NCG_EINVAL, "a name is too long");
    strcpy(ask.name, function);
    strcpy(ask.where, where);
    return nci_client_ask(c, &ask, out, n, err);
}
