/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What stays on a worker between runs: values of calls and kept chunks, each
 * under its key. Peers and clients fetch them as they fetch chunks of runs.
 * What does not fit into its share of the memory goes to the disk, the oldest
 * first.
 */
#include <string.h>

#include "base/mem.h"
#include "engine/cluster/worker_internal.h"

struct nci_kept_chunk {
    nci_chunk_key key;
    nci_buf *chunk;     /* NULL: on disk */
    nci_extent *extent; /* NULL: not on disk */
    int64_t bytes;
    int pins;                    /* the disk is at work on it */
    bool is_gone;                /* the last pin frees it */
    bool is_going;               /* to the disk */
    struct nci_kept_chunk *next; /* with the same slot */
    struct nci_kept_chunk *newer, *older; /* of those in memory */
};
typedef struct nci_kept_chunk kept;

/* Keys that fall together stand in a list. */
static int64_t slot_of(const nci_chunk_key *key)
{
    uint64_t slot = (key->space.low ^ (key->space.high << 1)) +
                    (uint64_t)key->chunk * UINT64_C(0x9E3779B97F4A7C15);
    return (int64_t)(slot & INT64_MAX);
}

static kept *find(const nci_hand *hand, const nci_chunk_key *key)
{
    kept *k = nci_task_map_get(&hand->kept, slot_of(key));
    while (k && (k->key.chunk != key->chunk ||
                 !nci_token_equal(k->key.space, key->space)))
        k = k->next;
    return k;
}

/* ---- memory -------------------------------------------------------------- */

static void enter_memory(nci_hand *hand, kept *k)
{
    k->older = hand->newest;
    k->newer = NULL;
    if (k->older)
        k->older->newer = k;
    else
        hand->oldest = k;
    hand->newest = k;
    hand->kept_bytes += k->bytes;
}

/* The caller lets the buffer go. */
static nci_buf *leave_memory(nci_hand *hand, kept *k)
{
    nci_buf *chunk = k->chunk;
    if (!chunk)
        return NULL;
    if (k->older)
        k->older->newer = k->newer;
    else
        hand->oldest = k->newer;
    if (k->newer)
        k->newer->older = k->older;
    else
        hand->newest = k->older;
    hand->kept_bytes -= k->bytes;
    k->chunk = NULL;
    return chunk;
}

static void free_now(nci_hand *hand, kept *k)
{
    nci_buf *chunk = leave_memory(hand, k);
    nci_buf_release(&chunk);
    nci_spill_file_drop(hand->kept_disk, &k->extent);
    nci_free(k);
}

static void kept_free(nci_hand *hand, kept *k)
{
    k->is_gone = true;
    if (!k->pins)
        free_now(hand, k);
}

static void unpin_locked(nci_hand *hand, kept *k)
{
    k->pins--;
    if (k->is_gone && !k->pins)
        free_now(hand, k);
}

/* ---- to the disk --------------------------------------------------------- */

typedef struct going {
    nci_hand *hand;
    kept *it; /* pinned */
} going;

static void note(nci_hand *hand, const char *sentence)
{
    if (hand->options->note)
        hand->options->note(hand->options->note_ctx, sentence);
}

/* One that cannot be written stays in memory; it is not tried again before the
 * next run. */
static void go_errand(void *ctx)
{
    going g = *(going *)ctx;
    nci_hand *hand = g.hand;
    nci_extent *extent = NULL;
    nci_buf *chunk = NULL;
    ncg_error err;
    nci_free(ctx);
    ncg_status st = nci_spill_file_write(hand->kept_disk, g.it->chunk, &extent,
                                         &err);
    if (st)
        note(hand, err.message);
    pthread_mutex_lock(&hand->lock);
    hand->errands--;
    hand->kept_going -= g.it->bytes;
    g.it->is_going = false;
    hand->is_disk_full |= st != NCG_OK;
    if (!st) {
        g.it->extent = extent;
        chunk = leave_memory(hand, g.it);
    }
    unpin_locked(hand, g.it);
    pthread_cond_broadcast(&hand->changed);
    pthread_mutex_unlock(&hand->lock);
    nci_buf_release(&chunk);
}

static bool send_away(nci_hand *hand, kept *k)
{
    going *g = nci_alloc(sizeof *g);
    if (g)
        *g = (going){hand, k};
    if (!g || nci_errands_add(hand->disk, go_errand, g, NULL)) {
        nci_free(g);
        return false;
    }
    k->pins++;
    k->is_going = true;
    hand->errands++;
    hand->kept_going += k->bytes;
    return true;
}

static void look_for_room_locked(nci_hand *hand)
{
    kept *k = hand->oldest;
    ncg_error err;
    if (hand->kept_bytes - hand->kept_going <= hand->kept_room ||
        hand->is_ending || hand->is_disk_full)
        return;
    if (!hand->kept_disk && nci_spill_file_create(&hand->executor->spill,
                                                  &hand->kept_disk, &err)) {
        hand->is_disk_full = true;
        note(hand, err.message);
        return;
    }
    while (k && hand->kept_bytes - hand->kept_going > hand->kept_room) {
        if (!k->is_going && k->bytes && !send_away(hand, k))
            return;
        k = k->newer;
    }
}

void nci_hand_make_room_locked(nci_hand *hand, int64_t room)
{
    hand->kept_room = room;
    hand->is_disk_full = false;
    look_for_room_locked(hand);
    while (hand->kept_going && hand->kept_bytes > room && !hand->is_ending)
        pthread_cond_wait(&hand->changed, &hand->lock);
}

/* ---- from here ----------------------------------------------------------- */

ncg_status nci_hand_kept(nci_hand *hand, const nci_chunk_key *key,
                         nci_buf **out, ncg_error *err)
{
    ncg_status st = NCG_OK;
    pthread_mutex_lock(&hand->lock);
    kept *k = find(hand, key);
    *out = k ? nci_buf_retain(k->chunk) : NULL;
    if (k && !*out) {
        k->pins++;
        pthread_mutex_unlock(&hand->lock);
        st = nci_spill_file_read(hand->kept_disk, k->extent, out, err);
        pthread_mutex_lock(&hand->lock);
        unpin_locked(hand, k);
    }
    pthread_mutex_unlock(&hand->lock);
    return st;
}

typedef struct serving {
    nci_hand *hand;
    uint64_t request;
    nci_chunk_key key;
} serving;

static void serve_errand(void *ctx)
{
    serving v = *(serving *)ctx;
    nci_buf *chunk = NULL;
    ncg_error err;
    nci_free(ctx);
    if (!nci_hand_kept(v.hand, &v.key, &chunk, &err) && !chunk)
        nci_fail(&err, NCG_ENOTFOUND, "this worker has no such chunk");
    if (chunk)
        nci_serve_buf(v.hand->net, v.request, chunk, NULL, NULL);
    else
        nci_serve_fail(v.hand->net, v.request, &err);
    nci_buf_release(&chunk);
    pthread_mutex_lock(&v.hand->lock);
    v.hand->errands--;
    pthread_cond_broadcast(&v.hand->changed);
    pthread_mutex_unlock(&v.hand->lock);
}

bool nci_hand_serve_kept_locked(nci_hand *hand, uint64_t request,
                                const nci_chunk_key *key)
{
    const kept *k = find(hand, key);
    ncg_error err;
    if (!k)
        return false;
    if (k->chunk) {
        nci_serve_buf(hand->net, request, k->chunk, NULL, NULL);
        return true;
    }
    serving *v = nci_alloc(sizeof *v);
    if (v)
        *v = (serving){hand, request, *key};
    if (v && !nci_errands_add(hand->disk, serve_errand, v, &err)) {
        hand->errands++;
        return true;
    }
    nci_free(v);
    nci_fail(&err, NCG_ENOMEM, "out of memory");
    nci_serve_fail(hand->net, request, &err);
    return true;
}

/* ---- keeping and letting go ---------------------------------------------- */

ncg_status nci_hand_retain_locked(nci_hand *hand, const nci_chunk_key *key,
                                  nci_buf *chunk, ncg_error *err)
{
    int64_t slot = slot_of(key);
    if (find(hand, key))
        return NCG_OK; /* the same bits */
    kept *k = nci_alloc(sizeof *k);
    if (!k || !nci_task_map_reserve(&hand->kept)) {
        nci_free(k);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    *k = (kept){.key = *key,
                .chunk = nci_buf_retain(chunk),
                .bytes = (int64_t)nci_buf_size(chunk),
                .next = nci_task_map_remove(&hand->kept, slot)};
    nci_task_map_put(&hand->kept, slot, k);
    enter_memory(hand, k);
    look_for_room_locked(hand);
    return NCG_OK;
}

void nci_hand_let_go_locked(nci_hand *hand, const nci_chunk_key *key)
{
    int64_t slot = slot_of(key);
    kept *mine = find(hand, key);
    if (!mine)
        return;
    kept *first = nci_task_map_remove(&hand->kept, slot);
    kept **at = &first;
    while (*at != mine)
        at = &(*at)->next;
    *at = mine->next;
    kept_free(hand, mine);
    if (first) /* the place of the one that was taken out */
        nci_task_map_put(&hand->kept, slot, first);
}

void nci_hand_let_go_all_locked(nci_hand *hand)
{
    for (size_t i = 0; i < hand->kept.capacity; i++) {
        kept *k = hand->kept.slots[i].value;
        while (k) {
            kept *next = k->next;
            kept_free(hand, k);
            k = next;
        }
    }
    nci_task_map_fini(&hand->kept);
    hand->kept = (nci_task_map){0};
}

/* The list of a slot, without the values of calls. */
static kept *without_values(nci_hand *hand, kept *first)
{
    kept **at = &first;
    while (*at) {
        kept *k = *at;
        if (!nci_token_equal(k->key.space, nci_value_space())) {
            at = &k->next;
            continue;
        }
        *at = k->next;
        kept_free(hand, k);
    }
    return first;
}

void nci_hand_let_go_values_locked(nci_hand *hand)
{
    nci_task_map before = hand->kept;
    hand->kept = (nci_task_map){0};
    for (size_t i = 0; i < before.capacity; i++) {
        kept *k = before.slots[i].value;
        k = k ? without_values(hand, k) : NULL;
        if (k && nci_task_map_reserve(&hand->kept)) {
            nci_task_map_put(&hand->kept, slot_of(&k->key), k);
            continue;
        }
        while (k) { /* without memory it is lost */
            kept *next = k->next;
            kept_free(hand, k);
            k = next;
        }
    }
    nci_task_map_fini(&before);
}

/* ---- a scheduler that was started again ---------------------------------- */

typedef struct nci_hand_memo {
    char name[NCI_WORD_SIZE];
    int64_t epoch; /* of the scheduler that wanted it */
    char *data;
    size_t ndata;
    struct nci_hand_memo *next;
} memo;

static void forget_memo(nci_hand *hand, const char *name)
{
    memo **at = &hand->memos;
    while (*at && strcmp((*at)->name, name))
        at = &(*at)->next;
    memo *m = *at;
    if (!m)
        return;
    *at = m->next;
    nci_free(m->data);
    nci_free(m);
}

void nci_hand_forget_memos(nci_hand *hand)
{
    while (hand->memos)
        forget_memo(hand, hand->memos->name);
}

ncg_status nci_hand_memo_locked(nci_hand *hand, const nci_service *ask,
                                ncg_error *err)
{
    forget_memo(hand, ask->name);
    if (!ask->ndata)
        return NCG_OK;
    memo *m = nci_calloc(1, sizeof *m);
    if (m)
        m->data = nci_alloc(ask->ndata);
    if (!m || !m->data) {
        nci_free(m);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    memcpy(m->name, ask->name, sizeof m->name);
    memcpy(m->data, ask->data, ask->ndata);
    m->ndata = ask->ndata;
    m->epoch = ask->key;
    m->next = hand->memos;
    hand->memos = m;
    nci_service taken = {.kind = NCI_SERVICE_MEMO, .key = ask->key};
    memcpy(taken.name, ask->name, sizeof taken.name);
    nci_service_send(hand->net, hand->conn, NCI_WIRE_TELL, &taken, NULL);
    return NCG_OK;
}

static void send(nci_hand *hand, nci_conn_id conn, nci_pack *pack)
{
    nci_dialogue_send(hand->net, conn, NCI_WIRE_TELL, 0, pack, NULL);
    *pack = (nci_pack){0};
}

static void report_chunks(nci_hand *hand, nci_conn_id conn)
{
    enum { MOST = 1 << 20 }; /* bytes of a message, about */
    nci_pack pack = {0};
    for (size_t i = 0; i < hand->kept.capacity; i++)
        for (const kept *k = hand->kept.slots[i].value; k; k = k->next) {
            nci_service have = {.kind = NCI_SERVICE_HAVE,
                                .space = k->key.space,
                                .key = k->key.chunk,
                                .bytes = k->bytes};
            nci_service_pack(&pack, &have);
            if (pack.text.length > MOST)
                send(hand, conn, &pack);
        }
    if (pack.text.length)
        send(hand, conn, &pack);
    nci_text_fini(&pack.text);
}

void nci_hand_report_kept_locked(nci_hand *hand, nci_conn_id conn)
{
    for (const memo *m = hand->memos; m; m = m->next) {
        nci_service told = {.kind = NCI_SERVICE_MEMO,
                            .key = m->epoch,
                            .data = m->data,
                            .ndata = m->ndata};
        memcpy(told.name, m->name, sizeof told.name);
        nci_service_send(hand->net, conn, NCI_WIRE_TELL, &told, NULL);
    }
    report_chunks(hand, conn);
}
