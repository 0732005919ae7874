/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What stays on a worker between runs: values of calls and kept chunks, each
 * under its key. Peers and clients fetch them as they fetch chunks of runs.
 */
#include "base/mem.h"
#include "engine/cluster/worker_internal.h"

struct nci_kept_chunk {
    nci_chunk_key key;
    nci_buf *chunk;
    struct nci_kept_chunk *next; /* with the same slot */
};

/* Keys that fall together stand in a list. */
static int64_t slot_of(const nci_chunk_key *key)
{
    uint64_t slot = (key->space.low ^ (key->space.high << 1)) +
                    (uint64_t)key->chunk * UINT64_C(0x9E3779B97F4A7C15);
    return (int64_t)(slot & INT64_MAX);
}

static nci_kept_chunk *find(const nci_hand *hand, const nci_chunk_key *key)
{
    nci_kept_chunk *k = nci_task_map_get(&hand->kept, slot_of(key));
    while (k && (k->key.chunk != key->chunk ||
                 !nci_token_equal(k->key.space, key->space)))
        k = k->next;
    return k;
}

nci_buf *nci_hand_kept_locked(const nci_hand *hand, const nci_chunk_key *key)
{
    const nci_kept_chunk *k = find(hand, key);
    return k ? k->chunk : NULL;
}

ncg_status nci_hand_retain_locked(nci_hand *hand, const nci_chunk_key *key,
                                  nci_buf *chunk, ncg_error *err)
{
    int64_t slot = slot_of(key);
    nci_kept_chunk *old = find(hand, key);
    if (old) {
        nci_buf_release(&old->chunk);
        old->chunk = nci_buf_retain(chunk);
        return NCG_OK;
    }
    nci_kept_chunk *k = nci_alloc(sizeof *k);
    if (!k || !nci_task_map_reserve(&hand->kept)) {
        nci_free(k);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    *k = (nci_kept_chunk){*key, nci_buf_retain(chunk),
                          nci_task_map_remove(&hand->kept, slot)};
    nci_task_map_put(&hand->kept, slot, k);
    return NCG_OK;
}

static void kept_free(nci_kept_chunk *k)
{
    nci_buf_release(&k->chunk);
    nci_free(k);
}

void nci_hand_let_go_locked(nci_hand *hand, const nci_chunk_key *key)
{
    int64_t slot = slot_of(key);
    nci_kept_chunk *mine = find(hand, key);
    if (!mine)
        return;
    nci_kept_chunk *first = nci_task_map_remove(&hand->kept, slot);
    nci_kept_chunk **at = &first;
    while (*at != mine)
        at = &(*at)->next;
    *at = mine->next;
    kept_free(mine);
    if (first) /* the place of the one that was taken out */
        nci_task_map_put(&hand->kept, slot, first);
}

void nci_hand_let_go_all_locked(nci_hand *hand)
{
    for (size_t i = 0; i < hand->kept.capacity; i++) {
        nci_kept_chunk *k = hand->kept.slots[i].value;
        while (k) {
            nci_kept_chunk *next = k->next;
            kept_free(k);
            k = next;
        }
    }
    nci_task_map_fini(&hand->kept);
    hand->kept = (nci_task_map){0};
}

/* ---- taking from another worker ------------------------------------------ */

typedef struct taking {
    nci_hand *hand;
    nci_conn_id conn; /* who asked: another connection does not want it */
    nci_service told;
    nci_chunk_key key;
} taking;

static void tell_taken(nci_hand *hand, const taking *t, const ncg_error *why)
{
    nci_service told = {.kind = NCI_SERVICE_TAKEN,
                        .id = t->told.id,
                        .attempt = t->told.attempt,
                        .error = *why};
    nci_service_send(hand->net, t->conn, NCI_WIRE_TELL, &told, NULL);
}

static void taken(void *ctx, nci_buf *chunk, const ncg_error *why)
{
    taking *t = ctx;
    nci_hand *hand = t->hand;
    ncg_error err = {0};
    if (!chunk)
        err = *why;
    pthread_mutex_lock(&hand->lock);
    hand->takings--;
    if (chunk && t->conn == hand->conn)
        err.status = nci_hand_retain_locked(hand, &t->key, chunk, &err);
    pthread_cond_broadcast(&hand->changed);
    tell_taken(hand, t, &err);
    pthread_mutex_unlock(&hand->lock);
    nci_free(t);
}

void nci_hand_take_locked(nci_hand *hand, const nci_service *ask)
{
    nci_fetch_spec spec = {.addresses = ask->where,
                           .role = NCI_PEER_WORKER,
                           .key = {ask->space, ask->key},
                           .nbytes = ask->bytes};
    taking only = {hand, hand->conn, *ask, {ask->space, ask->key}};
    ncg_error err;
    nci_error_clear(&err);
    taking *t = nci_alloc(sizeof *t);
    ncg_status st = NCG_OK;
    nci_buf *empty = NULL;
    if (!t)
        st = nci_fail(&err, NCG_ENOMEM, "out of memory");
    else
        *t = only;
    if (!st && ask->bytes) {
        st = nci_fetch(hand->net, &spec, taken, t, NULL, &err);
        hand->takings += !st;
        if (!st)
            return; /* TAKEN follows */
    } else if (!st) { /* nothing to fetch */
        st = nci_buf_create(0, &empty, &err);
        if (!st)
            st = nci_hand_retain_locked(hand, &only.key, empty, &err);
        nci_buf_release(&empty);
    }
    err.status = st;
    tell_taken(hand, &only, &err);
    nci_free(t);
}
