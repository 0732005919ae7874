/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fetching as other threads see it: what they want is posted to the receiving
 * thread, which has all the books (fetch_internal.h).
 */
#include <string.h>

#include "base/mem.h"
#include "engine/net/fetch_internal.h"

ncg_status nci_fetches_create(nci_net *net, ncg_error *err)
{
    nci_fetches *all = nci_calloc(1, sizeof *all);
    if (!all)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    all->net = net;
    all->last_short = &all->shorts;
    net->fetches = all; /* nci_fetches_free, also on failure */
    return nci_landing_create(net->options.keep, &all->landing, err);
}

void nci_fetches_free(nci_net *net)
{
    if (net->fetches)
        nci_landing_close(&net->fetches->landing);
    nci_free(net->fetches);
    net->fetches = NULL;
}

/* ---- jobs ---------------------------------------------------------------- */

typedef struct request {
    nci_fetches *all;
    nci_fetch_spec spec; /* addresses: a copy */
    nci_fetch_waiter *waiter;
} request;

static nci_fetch_source *find_source(nci_fetches *all,
                                     const nci_fetch_spec *spec)
{
    nci_fetch_source *from = all->sources[nci_fetch_bucket(spec->addresses)];
    while (from && (strcmp(from->addresses, spec->addresses) ||
                    from->epoch != spec->epoch || from->role != spec->role))
        from = from->next;
    return from;
}

static ncg_status open_source(nci_fetches *all, const nci_fetch_spec *spec,
                              nci_fetch_source **out, ncg_error *err)
{
    nci_conn *conn = NULL;
    nci_fetch_source *from = nci_calloc(1, sizeof *from);
    if (from)
        from->addresses = nci_strdup(spec->addresses);
    if (!from || !from->addresses) {
        nci_free(from);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    from->epoch = spec->epoch;
    from->role = spec->role;
    ncg_status st =
        nci_conn_create(&all->net->receive, &nci_fetch_ops, from, &conn, err);
    if (!st)
        st = nci_conn_dial(conn, spec->addresses, spec->role, NCI_PURPOSE_DATA,
                           spec->epoch, err);
    if (st) {
        nci_conn_release(&conn);
        nci_free(from->addresses);
        nci_free(from);
        return st;
    }
    from->conn = nci_conn_retain(conn);
    nci_fetch_source **bucket =
        &all->sources[nci_fetch_bucket(from->addresses)];
    from->next = *bucket;
    *bucket = from;
    *out = from;
    return NCG_OK;
}

static ncg_status open_fetch(nci_fetches *all, const nci_fetch_spec *spec,
                             nci_fetch_item **out, ncg_error *err)
{
    nci_fetch_source *from = find_source(all, spec);
    if (!from)
        NCI_TRY(open_source(all, spec, &from, err));
    nci_fetch_item *f = nci_calloc(1, sizeof *f);
    if (!f)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    f->what = (nci_fetch_request){spec->key, spec->part};
    f->nbytes = spec->nbytes;
    nci_fetch_link(all, from, f);
    if (from->ready)
        nci_fetch_ask(from, f);
    *out = f;
    return NCG_OK;
}

static void fetch_job(void *ctx)
{
    request *r = ctx;
    ncg_error err;
    nci_fetch_waiter *w = r->waiter;
    ncg_status st = NCG_OK;
    nci_fetch_item *f = nci_fetch_find(r->all, &r->spec);
    if (r->all->ended)
        st = nci_fail(&err, NCG_ECANCELED, "this side ends");
    else if (f)
        atomic_fetch_add_explicit(&r->all->net->counters.fetches_joined, 1,
                                  memory_order_relaxed);
    else
        st = open_fetch(r->all, &r->spec, &f, &err);
    if (st) {
        w->done(w->ctx, NULL, &err);
        nci_free(w);
    } else {
        w->next = f->waiters;
        f->waiters = w;
    }
    nci_free((char *)r->spec.addresses);
    nci_free(r);
}

ncg_status nci_fetch(nci_net *net, const nci_fetch_spec *spec,
                     nci_fetch_fn done, void *ctx, uint64_t *id, ncg_error *err)
{
    nci_fetches *all = net->fetches;
    request *r = nci_calloc(1, sizeof *r);
    nci_fetch_waiter *w = nci_calloc(1, sizeof *w);
    char *addresses = nci_strdup(spec->addresses);
    ncg_status st = r && w && addresses
                        ? NCG_OK
                        : nci_fail(err, NCG_ENOMEM, "out of memory");
    if (!st) {
        *w = (nci_fetch_waiter){.id = atomic_fetch_add(&all->last_id, 1) + 1,
                                .done = done,
                                .ctx = ctx};
        *r = (request){.all = all, .spec = *spec, .waiter = w};
        r->spec.addresses = addresses;
        if (id)
            *id = w->id;
        st = nci_loop_post(&net->receive.loop, fetch_job, r, err);
    }
    if (st) {
        nci_free(addresses);
        nci_free(w);
        nci_free(r);
    }
    return st;
}

/* Takes the waiter out of the fetch that it waits for. */
static nci_fetch_waiter *take_waiter(nci_fetches *all, uint64_t id,
                                     nci_fetch_item **of)
{
    for (int b = 0; b < NCI_FETCH_BUCKETS; b++)
        for (nci_fetch_item *f = all->by_number[b]; f; f = f->next_number)
            for (nci_fetch_waiter **link = &f->waiters; *link;
                 link = &(*link)->next)
                if ((*link)->id == id) {
                    nci_fetch_waiter *w = *link;
                    *link = w->next;
                    *of = f;
                    return w;
                }
    return NULL;
}

/* Nobody waits for `f`. */
static void drop_fetch(nci_fetches *all, nci_fetch_item *f)
{
    if (!f->asked) {
        nci_fetch_end(all, f, NULL);
        return;
    }
    f->dropped = true;
    if (!f->chunk)
        nci_conn_queue_frame(f->peer->conn, NCI_WIRE_DROP, f->number, NULL, 0);
}

typedef struct abort_request {
    nci_fetches *all;
    uint64_t id;
} abort_request;

static void abort_job(void *ctx)
{
    ncg_error err;
    abort_request *r = ctx;
    nci_fetch_item *f = NULL;
    nci_fetch_waiter *w = take_waiter(r->all, r->id, &f);
    if (w) {
        nci_fail(&err, NCG_ECANCELED, "the fetch was aborted");
        w->done(w->ctx, NULL, &err);
        nci_free(w);
        if (!f->waiters)
            drop_fetch(r->all, f);
    }
    nci_free(r);
}

void nci_fetch_abort(nci_net *net, uint64_t id)
{
    abort_request *r = nci_alloc(sizeof *r);
    if (!r)
        return; /* it ends when the bytes are there */
    *r = (abort_request){net->fetches, id};
    if (nci_loop_post(&net->receive.loop, abort_job, r, NULL))
        nci_free(r);
}

typedef struct lost_request {
    nci_fetches *all;
    char *addresses;
} lost_request;

static void lost_job(void *ctx)
{
    ncg_error why;
    lost_request *r = ctx;
    nci_fetch_source *from = r->all->sources[nci_fetch_bucket(r->addresses)];
    nci_fail(&why, NCG_ENET, "the process is dead");
    while (from) {
        nci_fetch_source *next = from->next;
        if (!strcmp(from->addresses, r->addresses)) {
            nci_dial_free(from->conn); /* no other address is tried */
            nci_conn_fail(from->conn, &why, false);
        }
        from = next;
    }
    nci_free(r->addresses);
    nci_free(r);
}

void nci_fetch_lost(nci_net *net, const char *addresses)
{
    lost_request *r = nci_alloc(sizeof *r);
    char *copy = nci_strdup(addresses);
    if (!r || !copy) {
        nci_free(r);
        nci_free(copy);
        return; /* the connection's own silence ends it later */
    }
    *r = (lost_request){net->fetches, copy};
    if (nci_loop_post(&net->receive.loop, lost_job, r, NULL)) {
        nci_free(copy);
        nci_free(r);
    }
}

void nci_fetches_end(nci_net *net)
{
    nci_fetches *all = net->fetches;
    ncg_error why;
    nci_fail(&why, NCG_ECANCELED, "this side ends");
    all->ended = true;
    for (int b = 0; b < NCI_FETCH_BUCKETS; b++)
        while (all->by_number[b])
            nci_fetch_end(all, all->by_number[b], &why);
}

ncg_status nci_fetch_attach(nci_net *net, const nci_fetch_spec *spec,
                            nci_fetch_fn done, void *ctx, nci_conn **out,
                            ncg_error *err)
{
    nci_fetches *all = net->fetches;
    nci_fetch_item *f = nci_calloc(1, sizeof *f);
    nci_fetch_waiter *w = nci_calloc(1, sizeof *w);
    nci_fetch_source *from = nci_calloc(1, sizeof *from);
    char *addresses = nci_strdup(spec->addresses);
    ncg_status st =
        f && w && from && addresses
            ? nci_conn_create(&net->receive, &nci_fetch_ops, from, out, err)
            : nci_fail(err, NCG_ENOMEM, "out of memory");
    if (st) {
        nci_free(f);
        nci_free(w);
        nci_free(from);
        nci_free(addresses);
        return st;
    }
    *w = (nci_fetch_waiter){.done = done, .ctx = ctx};
    *from = (nci_fetch_source){.addresses = addresses,
                               .conn = nci_conn_retain(*out)};
    *f = (nci_fetch_item){.what = {spec->key, spec->part},
                          .nbytes = spec->nbytes};
    f->waiters = w;
    f->asked = true;
    nci_fetch_link(all, from, f);
    return NCG_OK;
}
