/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/net/net.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "engine/net/net_internal.h"

int nci_net_ticks(const nci_net *net, int ms)
{
    int ticks = (ms + net->tick_ms - 1) / net->tick_ms;
    return ticks > 0 ? ticks : 1;
}

void nci_net_note(nci_net *net, const char *format, ...)
{
    char text[700];
    va_list args;
    if (!net->options.hooks.note)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    net->options.hooks.note(net->options.hooks.ctx, text);
}

/* ---- start and end --------------------------------------------------------
 */

static void fill_defaults(nci_net *net)
{
    nci_net_options *o = &net->options;
    if (!o->heartbeat_ms)
        o->heartbeat_ms = 1000;
    if (!o->suspect_ms)
        o->suspect_ms = 5000;
    if (!o->dead_ms)
        o->dead_ms = 60000;
    if (!o->handshake_ms)
        o->handshake_ms = 10000;
    if (!o->max_body)
        o->max_body = (int64_t)1 << 30;
    if (!o->max_unsent)
        o->max_unsent = 64 << 20;
    if (!o->credit)
        o->credit = 256 << 20;
    if (!o->keep)
        o->keep = 32 << 20;
    snprintf(net->name, sizeof net->name, "%s", o->name ? o->name : "");
    o->name = net->name;
    net->tick_ms = o->heartbeat_ms / 4;
    net->tick_ms = net->tick_ms > 250  ? 250
                   : net->tick_ms < 10 ? 10
                                       : net->tick_ms;
}

static int64_t share(int64_t bytes, int64_t most)
{
    return bytes < most ? bytes : most;
}

void nci_net_bound(nci_net_options *o, int64_t memory)
{
    const int64_t most = 256 << 20;
    o->credit = share(memory / 8 + 1, most);
    o->keep = share(memory / 32 + 1, most);
}

/* A thousand workers need more descriptors than shells give. */
static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static ncg_status start(nci_net *net, ncg_error *err)
{
    const nci_net_options *o = &net->options;
    if (o->wire.tls)
        NCI_TRY(nci_tls_create(&o->wire, &o->keys, &net->tls, err));
    NCI_TRY(nci_fetches_create(net, err));
    NCI_TRY(nci_servings_create(net, err));
    NCI_TRY(nci_conns_start(&net->control, net, "ncg-control", err));
    NCI_TRY(nci_conns_start(&net->receive, net, "ncg-receive", err));
    return nci_conns_start(&net->serve, net, "ncg-serve", err);
}

ncg_status nci_net_create(const nci_net_options *options, nci_net **out,
                          ncg_error *err)
{
    nci_net *net = nci_calloc(1, sizeof *net);
    if (!net)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    net->options = *options;
    fill_defaults(net);
    raise_limit();
    pthread_mutex_init(&net->table.lock, NULL);
    ncg_status st = start(net, err);
    if (st)
        nci_net_destroy(&net);
    else
        *out = net;
    return st;
}

const char *nci_net_tls(const nci_net *net)
{
    return net->tls ? nci_tls_print(net->tls) : "";
}

/* What is queued has a second to leave, and longer to arrive where the peer is
 * heard: a loop's connections close in turn, and the loop goes on until there
 * are none. */
enum { ENDING_MS = 10, LEAVE_TICKS = 100, ARRIVE_TICKS = 1500 };

typedef struct ending {
    nci_conns *conns;
    void (*first)(nci_net *net);
    pthread_mutex_t lock; /* guards over */
    pthread_cond_t changed;
    bool over;
    uv_timer_t poll;
    int ticks;
} ending;

static void over(uv_handle_t *handle)
{
    ending *end = handle->data;
    pthread_mutex_lock(&end->lock);
    end->over = true;
    pthread_cond_signal(&end->changed);
    pthread_mutex_unlock(&end->lock);
}

static void close_all(nci_conns *conns, bool now)
{
    ncg_error why;
    nci_fail(&why, NCG_ECANCELED, "this side ends");
    conns->cursor = conns->first;
    while (conns->cursor) {
        nci_conn *conn = nci_conn_retain(conns->cursor);
        conns->cursor = conn->next;
        if (now) {
            nci_dial_free(conn);
            nci_conn_fail(conn, &why, false);
        } else {
            nci_conn_finish(conn);
        }
        nci_conn_release(&conn);
    }
}

static void on_ending(uv_timer_t *timer)
{
    ending *end = timer->data;
    end->ticks++;
    if (end->conns->first &&
        (end->ticks < LEAVE_TICKS ||
         (end->ticks < ARRIVE_TICKS && nci_conns_deliver(end->conns))))
        return;
    close_all(end->conns, true);
    end->conns->ended = true;
    uv_timer_stop(timer);
    uv_timer_stop(&end->conns->ticker);
    uv_close((uv_handle_t *)&end->conns->ticker, NULL);
    uv_close((uv_handle_t *)timer, over);
}

static void begin_ending(void *ctx)
{
    ending *end = ctx;
    if (end->first)
        end->first(end->conns->net);
    close_all(end->conns, false);
    uv_timer_init(&end->conns->loop.uv, &end->poll);
    end->poll.data = end;
    uv_timer_start(&end->poll, on_ending, 0, ENDING_MS);
}

static void end_conns(nci_conns *conns, void (*first)(nci_net *net))
{
    ending end = {.conns = conns, .first = first};
    nci_loop_job job = {.fn = begin_ending, .ctx = &end};
    if (!conns->loop.started)
        return;
    pthread_mutex_init(&end.lock, NULL);
    pthread_cond_init(&end.changed, NULL);
    nci_loop_post_job(&conns->loop, &job);
    pthread_mutex_lock(&end.lock);
    while (!end.over)
        pthread_cond_wait(&end.changed, &end.lock);
    pthread_mutex_unlock(&end.lock);
    pthread_cond_destroy(&end.changed);
    pthread_mutex_destroy(&end.lock);
}

void nci_net_destroy(nci_net **slot)
{
    nci_net *net = *slot;
    if (!net)
        return;
    end_conns(&net->control, nci_listeners_close);
    end_conns(&net->serve, NULL); /* each lets go of its own */
    end_conns(&net->receive, nci_fetches_end);
    nci_loop_end(&net->control.loop);
    nci_loop_end(&net->serve.loop);
    nci_loop_end(&net->receive.loop);
    *slot = NULL; /* hooks may have used it until here */
    nci_fetches_free(net);
    nci_servings_free(net);
    pthread_mutex_destroy(&net->table.lock);
    nci_free(net->table.slots);
    nci_tls_free(&net->tls);
    nci_keys_wipe(&net->options.keys);
    nci_free(net);
}

/* ---- the table of control connections -------------------------------------
 */

ncg_status nci_table_add(nci_table *table, nci_conn *conn, ncg_error *err)
{
    pthread_mutex_lock(&table->lock);
    uint32_t index = table->free;
    if (index) {
        index--;
        table->free = table->slots[index].next_free;
    } else if (nci_grow(&table->slots, &table->capacity, table->count + 1,
                        sizeof *table->slots)) {
        index = (uint32_t)table->count++;
        table->slots[index] = (nci_slot){0};
    } else {
        pthread_mutex_unlock(&table->lock);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    nci_slot *slot = &table->slots[index];
    slot->conn = nci_conn_retain(conn);
    slot->turn++;
    conn->id = (uint64_t)slot->turn << 32 | index;
    pthread_mutex_unlock(&table->lock);
    return NCG_OK;
}

static nci_slot *slot_of_locked(nci_table *table, nci_conn_id id)
{
    uint32_t index = (uint32_t)id;
    if (index >= table->count || table->slots[index].turn != id >> 32 ||
        !table->slots[index].conn)
        return NULL;
    return &table->slots[index];
}

nci_conn *nci_table_get(nci_table *table, nci_conn_id id)
{
    pthread_mutex_lock(&table->lock);
    nci_slot *slot = slot_of_locked(table, id);
    nci_conn *conn = slot ? nci_conn_retain(slot->conn) : NULL;
    pthread_mutex_unlock(&table->lock);
    return conn;
}

void nci_table_remove(nci_table *table, nci_conn_id id)
{
    pthread_mutex_lock(&table->lock);
    nci_slot *slot = slot_of_locked(table, id);
    nci_conn *conn = slot ? slot->conn : NULL;
    if (slot) {
        slot->conn = NULL;
        slot->next_free = table->free;
        table->free = (uint32_t)id + 1;
    }
    pthread_mutex_unlock(&table->lock);
    nci_conn_release(&conn);
}

/* ---- control connections ---------------------------------------------------
 */

static void control_ready(nci_conn *conn)
{
    const nci_net_hooks *hooks = &conn->home->net->options.hooks;
    hooks->ready(hooks->ctx, conn->id, &conn->peer);
}

static bool control_place(nci_conn *conn, ncg_status *st, ncg_error *err)
{
    nci_in *in = &conn->in;
    *st = nci_buf_create((size_t)in->frame.payload, &in->body, err);
    if (!*st)
        in->into = nci_buf_data(in->body);
    return true;
}

static ncg_status control_frame(nci_conn *conn, ncg_error *err)
{
    const nci_in *in = &conn->in;
    nci_net *net = conn->home->net;
    const nci_net_hooks *hooks = &net->options.hooks;
    if (in->frame.type == NCI_WIRE_FETCH || in->frame.type == NCI_WIRE_CHUNK)
        return nci_fail(err, NCG_ENET, "%s on a control connection",
                        nci_wire_type_name(in->frame.type));
    const nci_message message = {.type = in->frame.type,
                                 .request = in->frame.request,
                                 .attempt = in->frame.attempt,
                                 .head = nci_conn_head(conn),
                                 .nhead = in->frame.head,
                                 .body = in->body};
    atomic_fetch_add_explicit(&net->counters.messages_in, 1,
                              memory_order_relaxed);
    hooks->message(hooks->ctx, conn->id, &message);
    return NCG_OK;
}

static void control_closed(nci_conn *conn, const ncg_error *why)
{
    nci_net *net = conn->home->net;
    const nci_net_hooks *hooks = &net->options.hooks;
    nci_conn_id id = conn->id;
    nci_table_remove(&net->table, id);
    if (id)
        hooks->closed(hooks->ctx, id, why);
}

const nci_conn_ops nci_control_ops = {.ready = control_ready,
                                      .place = control_place,
                                      .frame = control_frame,
                                      .closed = control_closed};

/* ---- what drivers call ------------------------------------------------------
 */

ncg_status nci_net_listen(nci_net *net, const char *host, int port, int roles,
                          char addresses[NCI_NET_ADDRESSES], ncg_error *err)
{
    return nci_listener_open(net, host, port, roles, addresses, err);
}

ncg_status nci_net_connect(nci_net *net, const char *addresses,
                           nci_peer_role role, uint64_t epoch, nci_conn_id *out,
                           ncg_error *err)
{
    nci_conn *conn = NULL;
    NCI_TRY(nci_conn_create(&net->control, &nci_control_ops, NULL, &conn, err));
    ncg_status st = nci_table_add(&net->table, conn, err);
    nci_conn_id id = conn->id;
    if (!st) {
        *out = id; /* before the hooks hear of it */
        st = nci_conn_dial(conn, addresses, role, NCI_PURPOSE_CONTROL, epoch,
                           err);
    }
    if (st) {
        nci_table_remove(&net->table, id);
        nci_conn_release(&conn);
    }
    return st;
}

static ncg_status fail_closed(ncg_error *err)
{
    return nci_fail(err, NCG_ENET, "the connection is closed");
}

static nci_out *make_out(const nci_message *message, ncg_error *err)
{
    nci_frame frame = {.type = (uint8_t)message->type,
                       .request = message->request,
                       .attempt = message->attempt,
                       .head = (uint32_t)message->nhead};
    if (message->nhead > NCI_MAX_HEAD) {
        nci_fail(err, NCG_EBUG, "a message with a head of %zu bytes",
                 message->nhead);
        return NULL;
    }
    if (message->body)
        frame.payload = nci_buf_size(message->body);
    nci_out *out = nci_out_create(&frame, message->head);
    if (!out) {
        nci_fail(err, NCG_ENOMEM, "out of memory");
        return NULL;
    }
    if (message->body) {
        out->body = nci_buf_retain(message->body);
        out->bytes = nci_buf_data(message->body);
    }
    return out;
}

ncg_status nci_net_send(nci_net *net, nci_conn_id id,
                        const nci_message *message, ncg_error *err)
{
    nci_conn *conn = nci_table_get(&net->table, id);
    if (!conn || !atomic_load(&conn->ready)) {
        nci_conn_release(&conn);
        return fail_closed(err);
    }
    nci_out *out = make_out(message, err);
    ncg_status st = out ? NCG_OK : err ? err->status : NCG_ENOMEM;
    if (out && !nci_conn_queue(conn, out)) {
        nci_out_free(out);
        st = fail_closed(err);
    }
    if (!st)
        atomic_fetch_add_explicit(&net->counters.messages_out, 1,
                                  memory_order_relaxed);
    nci_conn_release(&conn);
    return st;
}

/* A connection that shall close, and why. */
typedef struct farewell {
    nci_conn *conn;
    ncg_error why;
} farewell;

static void refuse(void *ctx)
{
    farewell *bye = ctx;
    nci_conn_fail(bye->conn, &bye->why, true);
    nci_conn_release(&bye->conn);
    nci_free(bye);
}

static ncg_status refuse_later(nci_net *net, nci_conn *conn,
                               const ncg_error *why, ncg_error *err)
{
    farewell *bye = nci_alloc(sizeof *bye);
    if (!bye)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    *bye = (farewell){nci_conn_retain(conn), *why};
    ncg_status st = nci_loop_post(&net->control.loop, refuse, bye, err);
    if (st) {
        nci_conn_release(&bye->conn);
        nci_free(bye);
    }
    return st;
}

ncg_status nci_net_send_error(nci_net *net, nci_conn_id id, uint32_t request,
                              const ncg_error *error, ncg_error *err)
{
    ncg_status st = NCG_OK;
    nci_conn *conn = nci_table_get(&net->table, id);
    if (!conn || !atomic_load(&conn->ready))
        st = fail_closed(err);
    else if (!request)
        st = refuse_later(net, conn, error, err);
    else if (!nci_conn_queue_error(conn, request, error))
        st = fail_closed(err);
    nci_conn_release(&conn);
    return st;
}

static void finish(void *ctx)
{
    nci_conn *conn = ctx;
    nci_conn_finish(conn);
    nci_conn_release(&conn);
}

void nci_net_close(nci_net *net, nci_conn_id id)
{
    nci_conn *conn = nci_table_get(&net->table, id);
    if (!conn)
        return;
    bool was_ended = atomic_exchange(&conn->is_ended, true);
    if (!was_ended)
        conn->end = (nci_loop_job){.fn = finish, .ctx = conn};
    if (was_ended || !nci_loop_post_job(&net->control.loop, &conn->end))
        nci_conn_release(&conn);
}

ncg_status nci_net_post(nci_net *net, void (*fn)(void *ctx), void *ctx,
                        ncg_error *err)
{
    return nci_loop_post(&net->control.loop, fn, ctx, err);
}

void nci_net_get_stats(nci_net *net, nci_net_stats *out)
{
    nci_counters *c = &net->counters;
    *out = (nci_net_stats){.connections = c->connections,
                           .refused = c->refused,
                           .messages_in = c->messages_in,
                           .messages_out = c->messages_out,
                           .bytes_in = c->bytes_in,
                           .bytes_out = c->bytes_out,
                           .chunks_in = c->chunks_in,
                           .chunks_out = c->chunks_out,
                           .fetches_joined = c->fetches_joined,
                           .credit_used = c->credit_used};
}
