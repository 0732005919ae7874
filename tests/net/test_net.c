/* SPDX-License-Identifier: BSD-3-Clause */
/* Control connections between two nets of one process, and between a net and a
 * plain socket that does what it should not. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "engine/net/handshake.h"
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

/* ---- the door
 * ----------------------------------------------------------------- */

static void wrong_secret_and_cluster_are_refused(void **state)
{
    (void)state;
    const struct {
        uint8_t secret, cluster;
        uint64_t epoch;
        const char *says;
    } cases[] = {{9, 2, 0, "different secrets"},
                 {1, 9, 0, "another cluster"},
                 {1, 2, 8, "epoch 7, not 8"}};
    node a;
    node_init(&a, 1, 2);
    node_start(&a, true);
    for (int i = 0; i < 3; i++) {
        ncg_error err;
        nci_conn_id id;
        node b;
        node_init(&b, cases[i].secret, cases[i].cluster);
        node_start(&b, false);
        CHECK_OK(nci_net_connect(b.net, a.addresses, NCI_PEER_WORKER,
                                 cases[i].epoch, &id, &err));
        node_wait(&b, &b.closed, 1);
        assert_int_equal(b.why.status, NCG_EAUTH);
        if (!strstr(b.why.message, cases[i].says) ||
            !strstr(b.why.message, a.addresses))
            fail_msg("%s", b.why.message);
        assert_int_equal(b.ready, 0);
        node_end(&b);
        node_wait(&a, &a.notes, i + 1);
    }
    assert_int_equal(a.ready, 0);
    node_end(&a);
}

static void the_second_address_is_tried(void **state)
{
    (void)state;
    ncg_error err;
    node a, b;
    nci_conn_id id;
    char both[NCI_NET_ADDRESSES + 64];
    node_init(&a, 1, 2);
    node_init(&b, 1, 2);
    node_start(&a, true);
    node_start(&b, false);
    snprintf(both, sizeof both, "127.0.0.1:1,localhost:1,%s", a.addresses);
    CHECK_OK(nci_net_connect(b.net, both, NCI_PEER_CLIENT, 0, &id, &err));
    node_wait(&b, &b.ready, 1);
    node_wait(&a, &a.ready, 1);
    assert_int_equal(a.peer.role, NCI_PEER_CLIENT);
    node_end(&b);
    node_end(&a);
}

static void what_cannot_be_reached_is_said(void **state)
{
    (void)state;
    ncg_error err;
    node b;
    nci_conn_id id;
    node_init(&b, 1, 2);
    node_start(&b, false);
    CHECK_OK(
        nci_net_connect(b.net, "127.0.0.1:1", NCI_PEER_WORKER, 0, &id, &err));
    node_wait(&b, &b.closed, 1);
    err = b.why;
    CHECK_MESSAGE("127.0.0.1:1: Connection refused");
    CHECK_OK(nci_net_connect(b.net, "no-such-host.invalid:1", NCI_PEER_WORKER,
                             0, &id, &err));
    node_wait(&b, &b.closed, 2);
    err = b.why;
    CHECK_MESSAGE("no-such-host.invalid");
    CHECK_OK(nci_net_connect(b.net, "nonsense", NCI_PEER_WORKER, 0, &id, &err));
    node_wait(&b, &b.closed, 3);
    err = b.why;
    CHECK_MESSAGE("'nonsense' is no address HOST:PORT");
    assert_int_equal(b.why.status, NCG_EINVAL);
    node_end(&b);
}

static void a_port_in_use_is_named(void **state)
{
    (void)state;
    ncg_error err;
    node a, b;
    char addresses[NCI_NET_ADDRESSES];
    node_init(&a, 1, 2);
    node_init(&b, 1, 2);
    node_start(&a, true);
    node_start(&b, false);
    int port = atoi(strchr(a.addresses, ':') + 1);
    CHECK_STATUS(NCG_ENET, nci_net_listen(b.net, "127.0.0.1", port, NCI_MAY_ALL,
                                          addresses, &err));
    CHECK_MESSAGE("another process has this port");
    CHECK_STATUS(NCG_ENET, nci_net_listen(b.net, "192.0.2.1", 0, NCI_MAY_ALL,
                                          addresses, &err));
    CHECK_MESSAGE("this host has no such address");
    CHECK_OK(nci_net_listen(b.net, NULL, 0, NCI_MAY_ALL, addresses, &err));
    assert_non_null(strchr(addresses, ':'));
    assert_null(strstr(addresses, "0.0.0.0"));
    node_end(&a);
    node_end(&b);
}

/* ---- a plain socket
 * ------------------------------------------------------------ */

static int plain_connect(const node *to)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    at.sin_port = htons((uint16_t)atoi(strchr(to->addresses, ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

/* Reads until the other side closes; returns the bytes. */
static size_t plain_read_all(int fd, char *out, size_t room)
{
    size_t n = 0;
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&p, 1, 20000), 1);
        ssize_t got = read(fd, out + n, room - n);
        if (got <= 0)
            return n;
        n += (size_t)got;
    }
}

static void garbage_is_answered_and_closed(void **state)
{
    (void)state;
    node a;
    char answer[1024] = {0};
    static const char request[] = "GET / HTTP/1.1\r\nHost: a-cluster\r\n\r\n";
    node_init(&a, 1, 2);
    node_start(&a, true);
    int fd = plain_connect(&a);
    assert_true(write(fd, request, sizeof request) > 0);
    size_t n = plain_read_all(fd, answer, sizeof answer);
    assert_true(n > NCI_FRAME_SIZE + NCI_ERROR_SIZE);
    assert_memory_equal(answer, "NCG1", 4);
    assert_non_null(strstr(answer + NCI_FRAME_SIZE + NCI_ERROR_SIZE,
                           "does not speak ncgraph's protocol"));
    close(fd);
    node_wait(&a, &a.notes, 1);
    assert_non_null(strstr(a.note, "does not speak ncgraph's protocol"));
    node_end(&a);
}

static void half_open_connections_end(void **state)
{
    (void)state;
    node a;
    int fds[20];
    char answer[1024] = {0};
    node_init(&a, 1, 2);
    a.options.handshake_ms = 150;
    node_start(&a, true);
    for (int i = 0; i < 20; i++)
        fds[i] = plain_connect(&a);
    for (int i = 0; i < 20; i++) {
        size_t n = plain_read_all(fds[i], answer, sizeof answer);
        assert_true(n > NCI_FRAME_SIZE);
        close(fds[i]);
    }
    assert_non_null(strstr(answer + NCI_FRAME_SIZE + NCI_ERROR_SIZE,
                           "did not end within 150 ms"));
    node_wait(&a, &a.notes, 20);
    nci_net_stats stats;
    nci_net_get_stats(a.net, &stats);
    assert_int_equal(stats.refused, 20);
    assert_int_equal(stats.connections, 0);
    node_end(&a);
}

/* What is sent too early or cut short costs nothing. */
static void cut_handshakes_cost_nothing(void **state)
{
    (void)state;
    node a;
    nci_handshake h;
    nci_packet hello;
    ncg_error err;
    node_init(&a, 1, 2);
    node_start(&a, true);
    CHECK_OK(nci_handshake_connect(&h, &a.options.keys, NCI_PEER_WORKER,
                                   NCI_PURPOSE_CONTROL, 0, "cut", &hello,
                                   &err));
    int n = 0;
    for (size_t cut = 1; cut < hello.nbytes; cut += 13, n++) {
        int fd = plain_connect(&a);
        assert_int_equal(write(fd, hello.bytes, cut), (ssize_t)cut);
        close(fd);
    }
    node_wait(&a, &a.notes, n);
    assert_int_equal(a.ready, 0);
    node_end(&a);
}

/* A listener that never answers, and one that answers with something else. */
static void connecting_to_a_stranger_ends(void **state)
{
    (void)state;
    ncg_error err;
    node b;
    nci_conn_id id;
    char address[64];
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t length = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 5), 0);
    getsockname(fd, (struct sockaddr *)&at, &length);
    snprintf(address, sizeof address, "127.0.0.1:%d", ntohs(at.sin_port));
    node_init(&b, 1, 2);
    b.options.handshake_ms = 200;
    node_start(&b, false);
    CHECK_OK(nci_net_connect(b.net, address, NCI_PEER_WORKER, 0, &id, &err));
    node_wait(&b, &b.closed, 1);
    err = b.why;
    CHECK_MESSAGE("no answer within 200 ms");
    CHECK_OK(nci_net_connect(b.net, address, NCI_PEER_WORKER, 0, &id, &err));
    int first = accept(fd, NULL, NULL), second = accept(fd, NULL, NULL);
    static const char ssh[] = "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n";
    assert_true(write(second, ssh, sizeof ssh) > 0);
    node_wait(&b, &b.closed, 2);
    err = b.why;
    CHECK_MESSAGE("does not speak ncgraph's protocol");
    close(first);
    close(second);
    close(fd);
    node_end(&b);
}

/* ---- silence
 * --------------------------------------------------------------------- */

/* Shakes hands over a plain socket, then says nothing any more. */
static int silent_peer(const node *a)
{
    nci_handshake h;
    nci_packet packet;
    nci_frame frame;
    nci_frame_limits limits = nci_handshake_limits();
    ncg_error err;
    bool refused;
    uint8_t in[NCI_FRAME_SIZE + NCI_HELLO_SIZE];
    int fd = plain_connect(a);
    CHECK_OK(nci_handshake_connect(&h, &a->options.keys, NCI_PEER_WORKER,
                                   NCI_PURPOSE_CONTROL, 0, "mute", &packet,
                                   &err));
    while (h.state != NCI_HANDSHAKE_READY) {
        if (packet.nbytes)
            assert_true(write(fd, packet.bytes, packet.nbytes) > 0);
        assert_int_equal(recv(fd, in, NCI_FRAME_SIZE, MSG_WAITALL),
                         NCI_FRAME_SIZE);
        CHECK_OK(nci_frame_decode(in, &limits, &frame, &err));
        if (frame.head)
            assert_int_equal(
                recv(fd, in + NCI_FRAME_SIZE, frame.head, MSG_WAITALL),
                frame.head);
        CHECK_OK(nci_handshake_step(&h, &frame, in + NCI_FRAME_SIZE, NULL,
                                    &packet, &refused, &err));
    }
    return fd;
}

static void silence_is_told_and_its_end(void **state)
{
    (void)state;
    node a;
    node_init(&a, 1, 2);
    node_start(&a, true);
    int fd = silent_peer(&a);
    node_wait(&a, &a.suspect, 1);
    uint8_t beat[NCI_FRAME_SIZE];
    nci_frame frame = {.type = NCI_WIRE_HEARTBEAT};
    nci_frame_encode(&frame, NULL, beat);
    assert_int_equal(write(fd, beat, sizeof beat), sizeof beat);
    node_wait(&a, &a.over, 1);
    node_wait(&a, &a.suspect, 2);
    node_wait(&a, &a.dead, 1);
    assert_int_equal(a.closed, 0); /* that is for the driver to decide */
    close(fd);
    node_wait(&a, &a.closed, 1);
    assert_int_equal(a.why.status, NCG_ENET);
    node_end(&a);
}

/* Two nets that say nothing to each other hear each other's hearts. */
static void heartbeats_keep_it_alive(void **state)
{
    (void)state;
    node a, b;
    node_pair(&a, &b);
    usleep(1500 * 1000);
    assert_int_equal(a.suspect + b.suspect, 0);
    assert_int_equal(a.closed + b.closed, 0);
    node_end(&a);
    node_end(&b);
}

static void a_slow_reader_is_cut_off(void **state)
{
    (void)state;
    ncg_error err;
    node a;
    nci_buf *body = NULL;
    node_init(&a, 1, 2);
    a.options.max_unsent = 1 << 20;
    node_start(&a, true);
    int fd = silent_peer(&a);
    node_wait(&a, &a.ready, 1);
    CHECK_OK(nci_buf_create(64 << 20, &body, &err));
    memset(nci_buf_data(body), 0, 64 << 20);
    nci_message m = {.type = NCI_WIRE_PLAN, .body = body};
    CHECK_OK(nci_net_send(a.net, a.conn, &m, &err));
    nci_buf_release(&body);
    node_wait(&a, &a.closed, 1);
    assert_non_null(strstr(a.why.message, "reads nothing"));
    close(fd);
    node_end(&a);
}

/* ---- other processes ----------------------------------------------------- */

/* A guest that listens to its connection until it ends; exits with the number
 * of times that it thought the other side silent. */
static void run_guest(int from)
{
    node b;
    nci_conn_id id;
    ncg_error err;
    char addresses[NCI_NET_ADDRESSES];
    if (read(from, addresses, sizeof addresses) != sizeof addresses)
        _exit(102);
    node_init(&b, 1, 2);
    if (nci_net_create(&b.options, &b.net, &err) ||
        nci_net_connect(b.net, addresses, NCI_PEER_WORKER, 0, &id, &err))
        _exit(100);
    node_wait(&b, &b.closed, 1);
    _exit(b.ready ? b.suspect : 101);
}

/* A guest of `a`, which is started; forks while there are no threads. */
static pid_t start_guest(node *a)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t guest = fork();
    if (guest == 0)
        run_guest(ends[0]);
    node_start(a, true);
    assert_int_equal(write(ends[1], a->addresses, sizeof a->addresses),
                     sizeof a->addresses);
    node_wait(a, &a->ready, 1);
    close(ends[0]);
    close(ends[1]);
    return guest;
}

/* One that was stopped is missed, blames nobody itself and goes on. */
static void a_stopped_process_is_silent_not_deaf(void **state)
{
    (void)state;
    node a;
    int status;
    ncg_error err;
    node_init(&a, 1, 2);
    pid_t guest = start_guest(&a);
    kill(guest, SIGSTOP);
    node_wait(&a, &a.dead, 1);
    assert_int_equal(a.suspect, 1);
    assert_int_equal(a.closed, 0);
    nci_message m = {.type = NCI_WIRE_STATUS};
    CHECK_OK(nci_net_send(a.net, a.conn, &m, &err));
    kill(guest, SIGCONT);
    node_wait(&a, &a.over, 1);
    nci_net_close(a.net, a.conn);
    assert_int_equal(waitpid(guest, &status, 0), guest);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    node_end(&a);
}

static void a_killed_process_is_gone_at_once(void **state)
{
    (void)state;
    node a;
    node_init(&a, 1, 2);
    a.options.suspect_ms = 20000;
    pid_t guest = start_guest(&a);
    kill(guest, SIGKILL);
    node_wait(&a, &a.closed, 1);
    assert_int_equal(a.why.status, NCG_ENET);
    assert_int_equal(a.suspect, 0);
    waitpid(guest, NULL, 0);
    node_end(&a);
}

enum { NO_NAMESPACE = 77 };

/* In a network of its own, without any interface. */
static void run_lonely(void)
{
    node b;
    nci_conn_id id;
    ncg_error err;
    if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
        _exit(NO_NAMESPACE);
    node_init(&b, 1, 2);
    if (nci_net_create(&b.options, &b.net, &err) ||
        nci_net_connect(b.net, "192.0.2.1:4000", NCI_PEER_WORKER, 0, &id, &err))
        _exit(100);
    node_wait(&b, &b.closed, 1);
    _exit(strstr(b.why.message, "there is no route") ? 0 : 101);
}

static void no_route_is_said(void **state)
{
    (void)state;
    int status;
    pid_t lonely = fork();
    if (lonely == 0)
        run_lonely();
    assert_int_equal(waitpid(lonely, &status, 0), lonely);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == NO_NAMESPACE) {
        printf("skipped: no network namespace can be made here\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- many
 * ------------------------------------------------------------------------- */

static void a_thousand_connections(void **state)
{
    (void)state;
    enum { N = 1000 };
    ncg_error err;
    node a, b;
    nci_conn_id id;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max < 2 * N + 200) {
        printf("skipped: only %ld open files are allowed\n",
               (long)limit.rlim_max);
        skip();
    }
    node_init(&a, 1, 2);
    node_init(&b, 1, 2);
    a.options.handshake_ms = b.options.handshake_ms = 60000;
    a.options.heartbeat_ms = b.options.heartbeat_ms = 1000;
    a.options.suspect_ms = b.options.suspect_ms = 60000;
    node_start(&a, true);
    node_start(&b, false);
    for (int i = 0; i < N; i++)
        CHECK_OK(
            nci_net_connect(b.net, a.addresses, NCI_PEER_WORKER, 0, &id, &err));
    node_wait(&b, &b.ready, N);
    node_wait(&a, &a.ready, N);
    nci_net_stats stats;
    nci_net_get_stats(a.net, &stats);
    assert_int_equal(stats.connections, N);
    node_end(&b);
    node_wait(&a, &a.closed, N);
    node_end(&a);
}

static void out_of_descriptors_is_told(void **state)
{
    (void)state;
    node a;
    struct rlimit old, low;
    int fds[64];
    node_init(&a, 1, 2);
    node_start(&a, true);
    getrlimit(RLIMIT_NOFILE, &old);
    for (int i = 0; i < 10; i++) /* connected, but not accepted yet */
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
    low = old;
    low.rlim_cur = (rlim_t)fds[9] + 3;
    setrlimit(RLIMIT_NOFILE, &low);
    struct sockaddr_in at = {.sin_family = AF_INET};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    at.sin_port = htons((uint16_t)atoi(strchr(a.addresses, ':') + 1));
    for (int i = 0; i < 10; i++)
        assert_int_equal(connect(fds[i], (struct sockaddr *)&at, sizeof at), 0);
    node_wait(&a, &a.notes, 1);
    setrlimit(RLIMIT_NOFILE, &old);
    pthread_mutex_lock(&a.lock);
    bool is_told = strstr(a.note, "too many open files");
    pthread_mutex_unlock(&a.lock);
    assert_true(is_told);
    for (int i = 0; i < 10; i++)
        close(fds[i]);
    node_end(&a);
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

NCG_TESTS(
    NCG_TEST(messages_pass_both_ways), NCG_TEST(long_messages_arrive_whole),
    NCG_TEST(threads_keep_their_order), NCG_TEST(echo_from_a_hook),
    NCG_TEST(close_delivers_what_was_sent),
    NCG_TEST(error_closes_with_its_reason),
    NCG_TEST(what_a_role_may_not_send_closes),
    NCG_TEST(wrong_secret_and_cluster_are_refused),
    NCG_TEST(the_second_address_is_tried),
    NCG_TEST(what_cannot_be_reached_is_said), NCG_TEST(a_port_in_use_is_named),
    NCG_TEST(garbage_is_answered_and_closed),
    NCG_TEST(half_open_connections_end), NCG_TEST(cut_handshakes_cost_nothing),
    NCG_TEST(connecting_to_a_stranger_ends),
    NCG_TEST(silence_is_told_and_its_end), NCG_TEST(heartbeats_keep_it_alive),
    NCG_TEST(a_slow_reader_is_cut_off),
    NCG_TEST(a_stopped_process_is_silent_not_deaf),
    NCG_TEST(a_killed_process_is_gone_at_once), NCG_TEST(no_route_is_said),
    NCG_TEST(a_thousand_connections), NCG_TEST(out_of_descriptors_is_told),
    NCG_TEST(timers_and_posts_run_on_the_control_thread))
