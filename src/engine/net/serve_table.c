/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of questions: by number, and by the connection that asks. Answers
 * come from anywhere. */
#include "engine/net/serve_internal.h"

#include "base/mem.h"

ncg_status nci_servings_create(nci_net *net, ncg_error *err)
{
    net->servings = nci_calloc(1, sizeof *net->servings);
    if (!net->servings)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    pthread_mutex_init(&net->servings->lock, NULL);
    return NCG_OK;
}

void nci_servings_free(nci_net *net)
{
    if (!net->servings)
        return;
    pthread_mutex_destroy(&net->servings->lock);
    nci_free(net->servings);
    net->servings = NULL;
}

void nci_serving_free(nci_serving *s)
{
    nci_buf_release(&s->chunk);
    nci_conn_release(&s->conn);
    nci_free(s->raw);
    nci_free(s->packed);
    nci_free(s);
}

static void unlink_locked(nci_servings *all, nci_serving *s)
{
    nci_serve_peer *peer = s->conn->owner;
    nci_serving **link = &all->buckets[s->id % NCI_SERVE_BUCKETS];
    while (*link != s)
        link = &(*link)->next;
    *link = s->next;
    if (s->above)
        s->above->below = s->below;
    else
        peer->waiting = s->below;
    if (s->below)
        s->below->above = s->above;
    peer->nwaiting--;
}

nci_serving *nci_serving_take(nci_servings *all, uint64_t id,
                              bool (*may)(const nci_serving *s))
{
    pthread_mutex_lock(&all->lock);
    nci_serving *s = all->buckets[id % NCI_SERVE_BUCKETS];
    while (s && s->id != id)
        s = s->next;
    if (s && may && !may(s))
        s = NULL;
    if (s)
        unlink_locked(all, s);
    pthread_mutex_unlock(&all->lock);
    return s;
}

nci_serving *nci_serving_take_request(nci_conn *conn, uint32_t request)
{
    nci_servings *all = conn->home->net->servings;
    pthread_mutex_lock(&all->lock);
    nci_serving *s = ((nci_serve_peer *)conn->owner)->waiting;
    while (s && s->request != request)
        s = s->below;
    if (s)
        unlink_locked(all, s);
    pthread_mutex_unlock(&all->lock);
    return s;
}

nci_serving *nci_serving_take_any(nci_servings *all, nci_serve_peer *peer)
{
    pthread_mutex_lock(&all->lock);
    nci_serving *s = peer->waiting;
    if (s)
        unlink_locked(all, s);
    pthread_mutex_unlock(&all->lock);
    return s;
}

uint64_t nci_serving_add(nci_servings *all, nci_serving *s)
{
    nci_serve_peer *peer = s->conn->owner;
    uint64_t id = 0;
    pthread_mutex_lock(&all->lock);
    if (peer->nwaiting < NCI_SERVE_WAITING) {
        id = s->id = ++all->last_id;
        s->next = all->buckets[id % NCI_SERVE_BUCKETS];
        all->buckets[id % NCI_SERVE_BUCKETS] = s;
        s->below = peer->waiting;
        if (s->below)
            s->below->above = s;
        peer->waiting = s;
        peer->nwaiting++;
    }
    pthread_mutex_unlock(&all->lock);
    return id;
}
