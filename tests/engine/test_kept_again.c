/* SPDX-License-Identifier: BSD-3-Clause */
/* A scheduler that is told by a worker what was published before its time: a
 * set whose message does not make it is broken, and nobody waits for it. */
#include "engine/cluster/scheduler.h"
#include "engine/cluster/service.h"

#include "net/net_pair.h"

enum { EPOCH = 7 };

static const nci_token published = {1, 1}, other = {2, 2};

/* What the scheduler said of a chunk; guarded by the lock of the node. */
typedef struct located {
    int count;
    ncg_error error;
} located;
static located answer;

static ncg_status open_nothing(void *ctx, const char *bytes, size_t nbytes,
                               nci_hosted *out, ncg_error *err)
{
    (void)ctx;
    (void)bytes;
    (void)nbytes;
    (void)out;
    return nci_fail(err, NCG_ENOTFOUND, "there are no files here");
}

static void close_nothing(void *ctx, nci_hosted *hosted)
{
    (void)ctx;
    (void)hosted;
}

static void heard(void *ctx, nci_conn_id conn, const nci_message *m)
{
    node *n = ctx;
    nci_unpack in = nci_dialogue_open(m);
    (void)conn;
    while (m->type == NCI_WIRE_ASK && !nci_service_is_end(&in)) {
        nci_service said;
        if (nci_service_unpack(&in, &said, NULL))
            return;
        if (said.kind != NCI_SERVICE_LOCATED)
            continue;
        pthread_mutex_lock(&n->lock);
        answer.error = said.error;
        answer.count++;
        pthread_cond_broadcast(&n->changed);
        pthread_mutex_unlock(&n->lock);
    }
}

static void pack_token(nci_pack *pack, nci_token token)
{
    nci_pack_i64(pack, (int64_t)token.low);
    nci_pack_i64(pack, (int64_t)token.high);
}

/* The message of a computation that keeps one set. */
static nci_pack message_that_keeps(nci_token space)
{
    nci_pack pack = {0};
    nci_plan_message plan = {
        .nkeeps = 1, .keeps = &space, .bytes = "plan", .nbytes = 4};
    nci_plan_message_pack(&pack, &plan);
    assert_false(pack.text.failed);
    return pack;
}

/* What a worker remembers of one published set, which had not begun, as
 * nci_kept_pack writes it. */
static void tell_memo(node *n, nci_conn_id conn, const void *body, size_t nbody)
{
    const int64_t spaces[] = {(int64_t)published.low, (int64_t)published.high};
    const int64_t is_not_open = -1, own_body = 1;
    nci_pack data = {0}, pack = {0};
    ncg_error err;
    nci_pack_i64s(&data, spaces, 2);
    nci_pack_bytes(&pack, data.text.data, data.text.length);
    nci_pack_i64(&pack, 1);
    pack_token(&pack, published);
    nci_pack_i64(&pack, is_not_open);
    nci_pack_i64(&pack, 0); /* its first output */
    nci_pack_i64(&pack, own_body);
    nci_pack_bytes(&pack, body, nbody);
    nci_pack_i64(&pack, 0); /* made of no other set */
    assert_false(pack.text.failed || data.text.failed);
    nci_service memo = {.kind = NCI_SERVICE_MEMO,
                        .key = EPOCH - 1,
                        .name = "field",
                        .data = pack.text.data,
                        .ndata = pack.text.length};
    CHECK_OK(nci_service_send(n->net, conn, NCI_WIRE_TELL, &memo, &err));
    nci_text_fini(&data.text);
    nci_text_fini(&pack.text);
}

static void join_as_worker(node *n, nci_conn_id conn)
{
    nci_pack pack = {0};
    ncg_error err;
    nci_joining self = {.name = "w",
                        .host = "here",
                        .threads = 1,
                        .limit = 1 << 28,
                        .pid = 1,
                        .left = -1};
    memcpy(self.addresses, n->addresses, sizeof self.addresses);
    nci_joining_pack(&pack, &self);
    CHECK_OK(nci_dialogue_send(n->net, conn, NCI_WIRE_JOIN, 0, &pack, &err));
}

/* Asks until the answer is not that the chunk comes later. */
static void ask_until_it_is_broken(node *n, nci_conn_id conn)
{
    const struct timespec moment = {0, 50000000};
    const nci_service ask = {.kind = NCI_SERVICE_LOCATE, .space = published};
    ncg_error err;
    bool waits = true;
    for (int i = 1; waits; i++) {
        assert_true(i < 1200); /* a minute and more */
        CHECK_OK(nci_service_send(n->net, conn, NCI_WIRE_TELL, &ask, &err));
        node_wait(n, &answer.count, i);
        pthread_mutex_lock(&n->lock);
        waits = strstr(answer.error.message, "is not there yet") != NULL;
        pthread_mutex_unlock(&n->lock);
        nanosleep(&moment, NULL);
    }
    if (!strstr(answer.error.message, "was lost with the scheduler"))
        fail_msg("it says: %s", answer.error.message);
}

static void check_memo(const void *body, size_t nbody)
{
    ncg_error err;
    node n;
    nci_conn_id conn = 0;
    nci_scheduler *scheduler = NULL;
    uint8_t secret[NCI_SECRET_SIZE], cluster[NCI_CLUSTER_ID_SIZE];
    memset(secret, 1, sizeof secret);
    memset(cluster, 2, sizeof cluster);
    const nci_plan_host host = {.open = open_nothing, .close = close_nothing};
    const nci_scheduler_options options = {.secret = secret,
                                           .cluster = cluster,
                                           .epoch = EPOCH,
                                           .interface = "127.0.0.1"};
    CHECK_OK(nci_scheduler_create(&options, &host, &scheduler, &err));
    answer = (located){0};
    node_init(&n, 1, 2);
    n.options.hooks.message = heard;
    n.options.heartbeat_ms = n.options.suspect_ms = n.options.dead_ms = 0;
    node_start(&n, true);
    CHECK_OK(nci_net_connect(n.net, nci_scheduler_addresses(scheduler),
                             NCI_PEER_WORKER, 0, &conn, &err));
    node_wait(&n, &n.ready, 1);
    join_as_worker(&n, conn);
    tell_memo(&n, conn, body, nbody);
    ask_until_it_is_broken(&n, conn);
    nci_scheduler_destroy(&scheduler);
    node_end(&n);
}

static void a_message_that_makes_another_set(void **state)
{
    nci_pack body = message_that_keeps(other);
    (void)state;
    check_memo(body.text.data, body.text.length);
    nci_text_fini(&body.text);
}

static void a_message_that_is_damaged(void **state)
{
    (void)state;
    check_memo("?", 1);
}

NCG_TESTS(NCG_TEST(a_message_that_makes_another_set),
          NCG_TEST(a_message_that_is_damaged))
