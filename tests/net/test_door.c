/* SPDX-License-Identifier: BSD-3-Clause */
/* Who may connect, who cannot, and a plain socket that does what it should not;
 * many of them. */
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "engine/net/handshake.h"
#include "net_plain.h"

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

NCG_TESTS(NCG_TEST(wrong_secret_and_cluster_are_refused),
          NCG_TEST(the_second_address_is_tried),
          NCG_TEST(what_cannot_be_reached_is_said),
          NCG_TEST(a_port_in_use_is_named),
          NCG_TEST(garbage_is_answered_and_closed),
          NCG_TEST(half_open_connections_end),
          NCG_TEST(cut_handshakes_cost_nothing),
          NCG_TEST(connecting_to_a_stranger_ends),
          NCG_TEST(a_thousand_connections),
          NCG_TEST(out_of_descriptors_is_told))
