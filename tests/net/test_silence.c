/* SPDX-License-Identifier: BSD-3-Clause */
/* Peers that say nothing, read nothing, are stopped, killed or out of reach. */
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "engine/net/handshake.h"
#include "net_plain.h"

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

NCG_TESTS(NCG_TEST(silence_is_told_and_its_end),
          NCG_TEST(heartbeats_keep_it_alive),
          NCG_TEST(a_slow_reader_is_cut_off),
          NCG_TEST(a_stopped_process_is_silent_not_deaf),
          NCG_TEST(a_killed_process_is_gone_at_once),
          NCG_TEST(no_route_is_said))
