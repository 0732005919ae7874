/* SPDX-License-Identifier: BSD-3-Clause */
/* What stays on a cluster, seen by a client. The scheduler knows that a client
 * reads a set, not how many of its sources do: they are counted here. */
#include "engine/cluster/client_kept.h"

#include <string.h>

#include "base/mem.h"
#include "engine/cluster/future_internal.h"
#include "engine/net/exchange.h"

typedef struct nci_client_hold {
    nci_token space;
    int count;
    struct nci_client_hold *next;
} hold;

/* ---- holding ------------------------------------------------------------- */

static void say_locked(nci_client *c, nci_service_kind kind, nci_token space)
{
    nci_service service = {.kind = kind, .space = space};
    if (!c->is_closed)
        nci_service_send(c->net, c->conn, NCI_WIRE_ASK, &service, NULL);
}

static hold **find_locked(nci_client *c, nci_token space)
{
    hold **at = &c->holds;
    while (*at && !nci_token_equal((*at)->space, space))
        at = &(*at)->next;
    return at;
}

static ncg_status hold_set(void *ctx, nci_token space, ncg_error *err)
{
    nci_client *c = ctx;
    ncg_status st = NCG_OK;
    pthread_mutex_lock(&c->lock);
    hold *h = *find_locked(c, space);
    if (!h) {
        h = nci_calloc(1, sizeof *h);
        if (h) {
            *h = (hold){.space = space, .next = c->holds};
            c->holds = h;
            say_locked(c, NCI_SERVICE_HOLD, space);
        }
    }
    if (h)
        h->count++;
    else
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    pthread_mutex_unlock(&c->lock);
    return st;
}

static void let_go(void *ctx, nci_token space)
{
    nci_client *c = ctx;
    pthread_mutex_lock(&c->lock);
    hold **at = find_locked(c, space), *h = *at;
    if (h && --h->count == 0) {
        *at = h->next;
        nci_free(h);
        say_locked(c, NCI_SERVICE_LET_GO, space);
    }
    pthread_mutex_unlock(&c->lock);
}

void nci_client_unhold(nci_client *c, nci_token space)
{
    pthread_mutex_lock(&c->lock);
    if (!*find_locked(c, space))
        say_locked(c, NCI_SERVICE_LET_GO, space);
    pthread_mutex_unlock(&c->lock);
}

void nci_client_holds_free(nci_client *c)
{
    while (c->holds) {
        hold *next = c->holds->next;
        nci_free(c->holds);
        c->holds = next;
    }
}

/* ---- asking -------------------------------------------------------------- */

/* Takes what the one answer holds. */
static ncg_status ask(nci_client *c, const nci_service *what,
                      ncg_worker_answer *out, ncg_error *err)
{
    ncg_worker_answer *answers = NULL;
    size_t n = 0;
    NCI_TRY(nci_client_ask(c, what, &answers, &n, err));
    ncg_status st = n == 1 ? answers[0].status : NCG_ENET;
    if (st) {
        nci_fail(err, st, "%s",
                 n == 1 ? answers[0].message : "the scheduler says nothing");
        nci_answers_free(answers, n);
        return st;
    }
    *out = answers[0];
    nci_free(answers);
    return NCG_OK;
}

static ncg_status set_name(nci_service *service, const char *name,
                           ncg_error *err)
{
    if (!*name || strlen(name) >= sizeof service->name)
        return nci_fail(err, NCG_EINVAL,
                        "a name of data has from 1 to %zu bytes",
                        sizeof service->name - 1);
    strcpy(service->name, name);
    return NCG_OK;
}

ncg_status nci_client_publish(nci_client *c, const char *name, ncg_bytes data,
                              bool replaces, ncg_error *err)
{
    nci_service what = {.kind = NCI_SERVICE_PUBLISH,
                        .bytes = replaces,
                        .data = data.data,
                        .ndata = data.size};
    ncg_worker_answer answer = {0};
    NCI_TRY(set_name(&what, name, err));
    NCI_TRY(ask(c, &what, &answer, err));
    nci_free(answer.worker);
    nci_free(answer.data);
    return NCG_OK;
}

ncg_status nci_client_published(nci_client *c, const char *name, void **data,
                                size_t *ndata, ncg_error *err)
{
    nci_service what = {.kind = NCI_SERVICE_GET};
    ncg_worker_answer answer = {0};
    NCI_TRY(set_name(&what, name, err));
    NCI_TRY(ask(c, &what, &answer, err));
    nci_free(answer.worker);
    *data = answer.data;
    *ndata = answer.size;
    return NCG_OK;
}

ncg_status nci_client_unpublish(nci_client *c, const char *name, ncg_error *err)
{
    nci_service what = {.kind = NCI_SERVICE_UNPUBLISH};
    ncg_worker_answer answer = {0};
    NCI_TRY(set_name(&what, name, err));
    NCI_TRY(ask(c, &what, &answer, err));
    nci_free(answer.worker);
    nci_free(answer.data);
    return NCG_OK;
}

ncg_status nci_client_names(nci_client *c, char **names, size_t *nbytes,
                            ncg_error *err)
{
    nci_service what = {.kind = NCI_SERVICE_NAMES};
    ncg_worker_answer answer = {0};
    NCI_TRY(ask(c, &what, &answer, err));
    nci_free(answer.worker);
    *names = answer.data;
    *nbytes = answer.size;
    return NCG_OK;
}

/* ---- reading ------------------------------------------------------------- */

static ncg_status locate(nci_client *c, const nci_chunk_key *key,
                         ncg_worker_answer *out, ncg_error *err)
{
    nci_service what = {
        .kind = NCI_SERVICE_LOCATE, .space = key->space, .key = key->chunk};
    return ask(c, &what, out, err);
}

static bool is_canceled(const nci_client *c)
{
    const nci_client_options *o = &c->options;
    return o->is_canceled && o->is_canceled(o->cancel_ctx);
}

/* A chunk that is being moved is asked for anew for a while, one that is being
 * made as long as that takes. */
static ncg_status get(void *ctx, const nci_fetch_request *what, nci_buf **out,
                      ncg_error *err)
{
    enum { MOST_SECONDS = 60 };
    nci_client *c = ctx;
    double until = nci_futures_now() + MOST_SECONDS;
    ncg_status st = NCG_ENET;
    if (!nci_part_bytes(&what->part))
        return nci_buf_create(0, out, err);
    for (bool goes_on = true; goes_on;) {
        ncg_worker_answer holder = {0};
        st = locate(c, &what->key, &holder, err);
        bool is_coming = !st && !*holder.worker;
        if (is_coming) {
            until = nci_futures_now() + MOST_SECONDS;
            st = nci_fail(err, NCG_ENET, "chunk %lld is not there yet",
                          (long long)what->key.chunk);
        } else if (!st) {
            st = nci_client_fetch(c, holder.worker, what, out, err);
        }
        nci_free(holder.worker);
        nci_free(holder.data);
        if (st && is_canceled(c))
            return nci_fail(err, NCG_ECANCELED, "canceled");
        goes_on = st == NCG_ENET && nci_futures_now() < until &&
                  nci_futures_pause(c->futures);
    }
    return st;
}

nci_source_holder nci_client_holder(nci_client *client)
{
    return (nci_source_holder){
        .ctx = client, .get = get, .hold = hold_set, .let_go = let_go};
}
