/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Published data: bytes under a name, which outlive the client that gave them,
 * and with them the sets of chunks that they read. What the bytes are, clients
 * know; the scheduler reads only which sets they name, at their beginning.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "engine/cluster/scheduler_kept.h"

typedef struct nci_published {
    char name[NCI_WORD_SIZE];
    char *data;
    size_t ndata;
    nci_token *spaces;
    int64_t nspaces;
    nci_conn_id client; /* that waits for workers to know it; 0: none */
    int64_t request;    /* its number of that */
    size_t untold;      /* workers that have not said so */
    int ticks;          /* how long it has waited */
    struct nci_published *next;
} published;

static void published_free(published *p)
{
    nci_free(p->data);
    nci_free(p->spaces);
    nci_free(p);
}

static published **find(nci_scheduler *s, const char *name)
{
    published **at = &s->published;
    while (*at && strcmp((*at)->name, name))
        at = &(*at)->next;
    return at;
}

/* Whoever published it is told that it is done. */
static void confirm(nci_scheduler *s, published *p)
{
    nci_service begun = {
        .kind = NCI_SERVICE_BEGUN, .id = p->request, .bytes = 1};
    nci_service answer = {.kind = NCI_SERVICE_ANSWER, .id = p->request};
    if (!p->client)
        return;
    nci_service_send(s->net, p->client, NCI_WIRE_TELL, &begun, NULL);
    nci_service_send(s->net, p->client, NCI_WIRE_TELL, &answer, NULL);
    p->client = 0;
}

/* Its sets are let go of, as far as they were taken. */
static void remove_first(nci_scheduler *s, published *p, int64_t nspaces)
{
    confirm(s, p);
    for (int64_t i = 0; i < nspaces; i++)
        nci_kept_name(s, p->spaces[i], -1, NULL);
    published_free(p);
}

static ncg_status read_spaces(published *p, ncg_error *err)
{
    int64_t n = 0;
    nci_unpack in = {.data = p->data, .size = p->ndata};
    int64_t *numbers = nci_unpack_i64s(&in, &n);
    p->spaces = nci_calloc((size_t)n / 2 + 1, sizeof *p->spaces);
    if (!numbers || !p->spaces || in.failed || n % 2) {
        nci_free(numbers);
        return nci_fail(err, NCG_ENET, "what is to be published is damaged");
    }
    p->nspaces = n / 2;
    for (int64_t i = 0; i < p->nspaces; i++)
        p->spaces[i] = (nci_token){.low = (uint64_t)numbers[2 * i],
                                   .high = (uint64_t)numbers[2 * i + 1]};
    nci_free(numbers);
    return NCG_OK;
}

static ncg_status make(const nci_service *ask, published **out, ncg_error *err)
{
    published *p = nci_calloc(1, sizeof *p);
    if (p)
        p->data = nci_alloc(ask->ndata + 1);
    if (!p || !p->data) {
        nci_free(p);
        return nci_fail(err, NCG_ENOMEM, "the scheduler is out of memory");
    }
    memcpy(p->name, ask->name, sizeof p->name);
    if (ask->ndata)
        memcpy(p->data, ask->data, ask->ndata);
    p->ndata = ask->ndata;
    ncg_status st = read_spaces(p, err);
    if (st)
        published_free(p);
    else
        *out = p;
    return st;
}

/* ---- what workers remember ----------------------------------------------- */

/* roll: NULL: all of them. */
static void teach(nci_scheduler *s, const published *p, const nci_roll *roll)
{
    nci_pack pack = {0};
    nci_service memo = {.kind = NCI_SERVICE_MEMO,
                        .key = (int64_t)s->options.epoch};
    memcpy(memo.name, p->name, sizeof memo.name);
    nci_pack_bytes(&pack, p->data, p->ndata);
    nci_kept_pack(s, p->spaces, p->nspaces, &pack);
    memo.data = pack.text.data;
    memo.ndata = pack.text.length;
    for (size_t i = 0; !pack.text.failed && i < s->nrolls; i++)
        if (!roll || roll == &s->rolls[i])
            nci_service_send(s->net, s->rolls[i].conn, NCI_WIRE_ASK, &memo,
                             NULL);
    nci_text_fini(&pack.text);
}

static void unteach(nci_scheduler *s, const char *name)
{
    nci_service memo = {.kind = NCI_SERVICE_MEMO};
    snprintf(memo.name, sizeof memo.name, "%s", name);
    for (size_t i = 0; i < s->nrolls; i++)
        nci_service_send(s->net, s->rolls[i].conn, NCI_WIRE_ASK, &memo, NULL);
}

void nci_names_teach(nci_scheduler *s, const nci_roll *roll)
{
    for (const published *p = s->published; p; p = p->next)
        teach(s, p, roll);
}

void nci_names_opened(nci_scheduler *s, nci_token space)
{
    for (published *p = s->published; p; p = p->next) {
        bool found = nci_kept_are_made_of(s, p->spaces, p->nspaces, space);
        if (found && p->client) /* each of them answers once more */
            p->untold += s->nrolls;
        if (found)
            teach(s, p, NULL);
    }
}

static int64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Without data: a worker has taken it. Several workers tell the same; those of
 * this scheduler's own time are known here, or have been taken away. */
void nci_names_memo(nci_scheduler *s, const nci_service *told)
{
    nci_unpack in = {.data = told->data, .size = told->ndata};
    published *p = NULL;
    nci_service data = *told;
    int64_t taken = 0;
    ncg_error err;
    published *own = *find(s, told->name);
    if (!told->ndata && own && own->untold && --own->untold == 0)
        confirm(s, own);
    data.data = nci_unpack_bytes(&in, &data.ndata);
    bool is_old = told->key >= 0 && (uint64_t)told->key < s->options.epoch;
    if (!is_old || in.failed || *find(s, told->name))
        return;
    s->restored = nanoseconds(); /* whatever comes of it is looked at later */
    if (nci_kept_unpack(s, &in, &err) || make(&data, &p, &err))
        return;
    ncg_status st = NCG_OK;
    for (; !st && taken < p->nspaces; taken += !st)
        st = nci_kept_name(s, p->spaces[taken], 1, &err);
    if (st) {
        remove_first(s, p, taken);
        return;
    }
    p->next = s->published;
    s->published = p;
    teach(s, p, NULL);
}

/* A worker that does not answer is not waited for. */
void nci_names_tick(nci_scheduler *s)
{
    enum { MOST_TICKS = 3 };
    for (published *p = s->published; p; p = p->next)
        if (p->client && ++p->ticks > MOST_TICKS)
            confirm(s, p);
}

/* ---- publishing ---------------------------------------------------------- */

/* *later: the answer comes when all workers know of it, so that it is not lost
 * with this process. */
static ncg_status publish(nci_scheduler *s, nci_conn_id client,
                          const nci_service *ask, bool *later, ncg_error *err)
{
    published *p = NULL, **at = find(s, ask->name);
    int64_t taken = 0;
    if (*at && !ask->bytes)
        return nci_fail(err, NCG_EEXISTS,
                        "data named '%s' are published already: unpublish "
                        "them first, or ask for another name",
                        ask->name);
    NCI_TRY(make(ask, &p, err));
    ncg_status st = NCG_OK;
    for (; !st && taken < p->nspaces; taken += !st)
        st = nci_kept_name(s, p->spaces[taken], 1, err);
    if (st) {
        remove_first(s, p, taken);
        return st;
    }
    published *old = *at;
    p->next = old ? old->next : NULL;
    *at = p;
    if (old)
        remove_first(s, old, old->nspaces);
    *later = s->nrolls > 0;
    p->untold = s->nrolls;
    p->client = *later ? client : 0;
    p->request = ask->id;
    teach(s, p, NULL);
    return NCG_OK;
}

static ncg_status missing(const char *name, ncg_error *err)
{
    return nci_fail(err, NCG_ENOTFOUND, "no data named '%s' are published",
                    name);
}

static ncg_status unpublish(nci_scheduler *s, const char *name, ncg_error *err)
{
    published **at = find(s, name), *p = *at;
    if (!p)
        return missing(name, err);
    *at = p->next;
    unteach(s, name);
    remove_first(s, p, p->nspaces);
    return NCG_OK;
}

/* The client holds what it gets before anybody can unpublish it. */
static ncg_status give(nci_scheduler *s, nci_conn_id client, const char *name,
                       nci_service *answer, ncg_error *err)
{
    const published *p = *find(s, name);
    if (!p)
        return missing(name, err);
    for (int64_t i = 0; i < p->nspaces; i++)
        nci_kept_hold(s, client, p->spaces[i]);
    answer->data = p->data;
    answer->ndata = p->ndata;
    return NCG_OK;
}

void nci_names_ask(nci_scheduler *s, nci_conn_id client, const nci_service *ask)
{
    nci_service begun = {.kind = NCI_SERVICE_BEGUN, .id = ask->id, .bytes = 1};
    nci_service answer = {.kind = NCI_SERVICE_ANSWER, .id = ask->id};
    nci_text names = {0};
    nci_error_clear(&begun.error);
    ncg_error *err = &begun.error;
    bool later = false;
    if (ask->kind == NCI_SERVICE_PUBLISH)
        publish(s, client, ask, &later, err);
    else if (ask->kind == NCI_SERVICE_UNPUBLISH)
        unpublish(s, ask->name, err);
    else if (ask->kind == NCI_SERVICE_GET)
        give(s, client, ask->name, &answer, err);
    for (const published *p = s->published;
         ask->kind == NCI_SERVICE_NAMES && p; p = p->next)
        nci_text_add_bytes(&names, p->name, strlen(p->name) + 1);
    if (ask->kind == NCI_SERVICE_NAMES) {
        answer.data = names.data;
        answer.ndata = names.length;
    }
    if (names.failed)
        nci_fail(err, NCG_ENOMEM, "the scheduler is out of memory");
    if (!later)
        nci_service_send(s->net, client, NCI_WIRE_TELL, &begun, NULL);
    if (!later && !begun.error.status)
        nci_service_send(s->net, client, NCI_WIRE_TELL, &answer, NULL);
    nci_text_fini(&names);
}

void nci_names_free(nci_scheduler *s)
{
    while (s->published) {
        published *next = s->published->next;
        published_free(s->published);
        s->published = next;
    }
}

int64_t nci_names_count(const nci_scheduler *s)
{
    int64_t n = 0;
    for (const published *p = s->published; p; p = p->next)
        n++;
    return n;
}
