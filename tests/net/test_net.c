/* SPDX-License-Identifier: BSD-3-Clause */
/* Control connections between two nets of one process: messages, their order,
 * how a connection ends; timers and posts. */
#include "net_pair.h"

/* ---- two nets ---------------------------------------------------------------
 */

static void messages_pass_both_ways(void **state)
{
    (void)state;
    ncg_error err;
    node a, b;
    nci_buf *body = NULL;
    nci_conn_id id = node_pair(&a, &b);
    assert_string_equal(a.peer.name, "guest");
    assert_false(a.peer.listens);
    assert_true(b.peer.listens);
    assert_true(a.peer.same_host && b.peer.same_host);
    assert_int_equal(b.peer.epoch, 7);
    CHECK_OK(nci_buf_create(5, &body, &err));
    memcpy(nci_buf_data(body), "hello", 5);
    nci_message m = {
        .type = NCI_WIRE_JOIN, .request = 3, .attempt = 9, .body = body};
    CHECK_OK(nci_net_send(b.net, id, &m, &err));
    node_wait(&a, &a.messages, 1);
    assert_int_equal(a.last.type, NCI_WIRE_JOIN);
    assert_int_equal(a.last.request, 3);
    assert_int_equal(a.last.attempt, 9);
    assert_int_equal(a.nbody, 5);
    assert_memory_equal(a.body, "hello", 5);
    m = (nci_message){
        .type = NCI_WIRE_ORDERS, .head = "0123456789", .nhead = 10};
    CHECK_OK(nci_net_send(a.net, a.conn, &m, &err));
    node_wait(&b, &b.messages, 1);
    assert_int_equal(b.last.nhead, 10);
    assert_memory_equal(b.head, "0123456789", 10);
    nci_buf_release(&body);
    node_end(&b);
    node_wait(&a, &a.closed, 1);
    assert_int_equal(a.why.status, NCG_OK); /* GOODBYE */
    node_end(&a);
}

static void long_messages_arrive_whole(void **state)
{
    (void)state;
    ncg_error err;
    node a, b;
    nci_buf *body = NULL;
    size_t nhead = 3 << 20, nbody = (20 << 20) + 3;
    uint8_t *head = malloc(nhead);
    nci_conn_id id = node_pair(&a, &b);
    CHECK_OK(nci_buf_create(nbody, &body, &err));
    for (size_t i = 0; i < nbody; i++)
        ((uint8_t *)nci_buf_data(body))[i] = (uint8_t)(i * 2654435761u >> 13);
    memset(head, 0x5a, nhead);
    nci_message m = {
        .type = NCI_WIRE_DONE, .head = head, .nhead = nhead, .body = body};
    for (int i = 0; i < 3; i++)
        CHECK_OK(nci_net_send(b.net, id, &m, &err));
    node_wait(&a, &a.messages, 3);
    assert_int_equal(a.last.nhead, nhead);
    assert_int_equal(a.nbody, nbody);
    assert_memory_equal(a.body, nci_buf_data(body), nbody);
    nci_buf_release(&body);
    free(head);
    node_end(&a);
    node_end(&b);
}

typedef struct sender {
    node *from;
    nci_conn_id id;
    uint32_t first;
} sender;

static void *send_many(void *ctx)
{
    sender *s = ctx;
    uint8_t head[8] = {0};
    for (uint32_t i = 0; i < 5000; i++) {
        nci_put_u32(head, s->first + i);
        nci_message m = {.type = NCI_WIRE_DONE,
                         .request = s->first,
                         .head = head,
                         .nhead = i % 3 ? 4 : 8};
        assert_int_equal(nci_net_send(s->from->net, s->id, &m, NULL), NCG_OK);
    }
    return NULL;
}

typedef struct order {
    node node;
    uint32_t next[4];
    bool wrong;
} order;

static void note_order(void *ctx, nci_conn_id conn, const nci_message *m)
{
    order *o = ctx;
    uint32_t who = m->request / 1000000;
    if (nci_get_u32(m->head) != m->request + o->next[who]++)
        o->wrong = true;
    on_message(&o->node, conn, m);
}

static void order_ready(void *ctx, nci_conn_id conn, const nci_peer *peer)
{
    on_ready(&((order *)ctx)->node, conn, peer);
}

static void order_closed(void *ctx, nci_conn_id conn, const ncg_error *why)
{
    on_closed(&((order *)ctx)->node, conn, why);
}

static void threads_keep_their_order(void **state)
{
    (void)state;
    static order a;
    ncg_error err;
    node b;
    nci_conn_id id;
    pthread_t threads[4];
    sender senders[4];
    node_init(&a.node, 1, 2);
    node_init(&b, 1, 2);
    a.node.options.hooks = (nci_net_hooks){.ctx = &a,
                                           .ready = order_ready,
                                           .message = note_order,
                                           .closed = order_closed};
    node_start(&a.node, true);
    node_start(&b, false);
    CHECK_OK(nci_net_connect(b.net, a.node.addresses, NCI_PEER_WORKER, 0, &id,
                             &err));
    node_wait(&b, &b.ready, 1);
    for (int i = 0; i < 4; i++) {
        senders[i] = (sender){&b, id, (uint32_t)i * 1000000};
        pthread_create(&threads[i], NULL, send_many, &senders[i]);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    node_wait(&a.node, &a.node.messages, 20000);
    assert_false(a.wrong);
    node_end(&b);
    node_end(&a.node);
}

/* Every message is answered on the control thread itself. */
static void echo_from_a_hook(void **state)
{
    (void)state;
    ncg_error err;
    node a, b;
    nci_conn_id id = node_pair(&a, &b);
    a.echo = true;
    nci_message m = {.type = NCI_WIRE_CALL};
    for (int i = 0; i < 1000; i++)
        CHECK_OK(nci_net_send(b.net, id, &m, &err));
    node_wait(&b, &b.messages, 1000);
    node_end(&a);
    node_end(&b);
}

static void close_delivers_what_was_sent(void **state)
{
    (void)state;
    ncg_error err;
    node a, b;
    nci_buf *body = NULL;
    nci_conn_id id = node_pair(&a, &b);
    CHECK_OK(nci_buf_create(30 << 20, &body, &err));
    memset(nci_buf_data(body), 1, 30 << 20);
    nci_message m = {.type = NCI_WIRE_DONE, .body = body};
    CHECK_OK(nci_net_send(b.net, id, &m, &err));
    nci_net_close(b.net, id);
    node_wait(&a, &a.messages, 1);
    node_wait(&a, &a.closed, 1);
    node_wait(&b, &b.closed, 1);
    assert_int_equal(a.why.status, NCG_OK);
    assert_int_equal(b.why.status, NCG_OK);
    CHECK_STATUS(NCG_ENET, nci_net_send(b.net, id, &m, &err));
    nci_buf_release(&body);
    node_end(&a);
    node_end(&b);
}

static void error_closes_with_its_reason(void **state)
{
    (void)state;
    ncg_error err,
        why = {.status = NCG_EBUDGET, .message = "too little memory"};
    node a, b;
    nci_conn_id id = node_pair(&a, &b);
    CHECK_OK(nci_net_send_error(b.net, id, 0, &why, &err));
    node_wait(&a, &a.closed, 1);
    assert_int_equal(a.why.status, NCG_EBUDGET);
    assert_string_equal(a.why.message, "too little memory");
    node_end(&a);
    node_end(&b);
}

static void what_a_role_may_not_send_closes(void **state)
{
    (void)state;
    ncg_error err;
    node a, b;
    nci_conn_id id = node_pair(&a, &b);
    nci_message m = {.type = NCI_WIRE_ORDERS};
    CHECK_OK(nci_net_send(b.net, id, &m, &err));
    node_wait(&a, &a.closed, 1);
    node_wait(&b, &b.closed, 1);
    assert_int_equal(b.why.status, NCG_EAUTH);
    assert_non_null(
        strstr(b.why.message, "ORDERS may not be sent by a worker"));
    assert_int_equal(a.messages, 0);
    node_end(&a);
    node_end(&b);
}

/* ---- timers, posts
 * ------------------------------------------------------------------ */

static void count(void *ctx)
{
    on_silence(ctx, 0, NCI_SILENCE_OVER);
}

static void timers_and_posts_run_on_the_control_thread(void **state)
{
    (void)state;
    ncg_error err;
    node a;
    nci_net_timer *often = NULL, *once = NULL;
    node_init(&a, 1, 2);
    node_start(&a, false);
    CHECK_OK(nci_net_post(a.net, count, &a, &err));
    node_wait(&a, &a.over, 1);
    CHECK_OK(nci_net_timer_start(a.net, 5, true, count, &a, &often, &err));
    node_wait(&a, &a.over, 5);
    nci_net_timer_stop(&often);
    CHECK_OK(nci_net_timer_start(a.net, 1, false, count, &a, &once, &err));
    node_wait(&a, &a.over, 6);
    nci_net_timer_stop(&once);
    nci_net_timer_stop(&once);
    node_end(&a);
}

NCG_TESTS(NCG_TEST(messages_pass_both_ways),
          NCG_TEST(long_messages_arrive_whole),
          NCG_TEST(threads_keep_their_order),
          NCG_TEST(echo_from_a_hook),
          NCG_TEST(close_delivers_what_was_sent),
          NCG_TEST(error_closes_with_its_reason),
          NCG_TEST(what_a_role_may_not_send_closes),
          NCG_TEST(timers_and_posts_run_on_the_control_thread))
