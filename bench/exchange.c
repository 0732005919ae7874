/* SPDX-License-Identifier: BSD-3-Clause */
/* Targets N1 and the wire's part of T4: chunks and messages between processes
 * against plain sockets in the same run.
 *     exchange [ROUNDS [CHUNK_MIB [lz4|zstd]]]     0 rounds: messages only
 * Patterns: one pair one way, one pair both ways at once, four processes each
 * to each. Rounds of plain blocking sockets (a connection and two threads for
 * each direction, buffers that are used again) and of ncgraph's exchange take
 * turns; chunks are distinct, what arrived is compared outside the timing.
 * Prints JSON: medians of GB/s and of core-seconds a GB, then microseconds of a
 * round trip of a small message against one with epoll alone. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/net/exchange.h"

enum { MAX_RANKS = 4, MAX_CHUNKS = 8, MAX_ROUNDS = 64, TRIPS = 4000 };

/* What the processes share. */
typedef struct board {
    pthread_barrier_t barrier;
    char addresses[MAX_RANKS][NCI_NET_ADDRESSES];
    int ports[MAX_RANKS];
    double wall[2][MAX_ROUNDS], cpu[2][MAX_ROUNDS][MAX_RANKS];
    double trip[2];
    int wrong;
} board;

static board *shared;
static int nranks, nchunks, rank, nrounds = 5;
static size_t chunk_bytes = (size_t)64 << 20;
static ncg_wire_compression compression;
static bool sends_to[MAX_RANKS][MAX_RANKS];

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double cpu(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void die(const char *what, const ncg_error *err)
{
    fprintf(stderr, "exchange: %s: %s\n", what,
            err ? err->message : strerror(errno));
    _exit(1);
}

static void meet(void)
{
    pthread_barrier_wait(&shared->barrier);
}

static uint64_t word_of(int from, int chunk, size_t i)
{
    return (uint64_t)(from * 100 + chunk + 1) * 0x9e3779b97f4a7c15u + i;
}

static void check(const void *bytes, int from, int chunk)
{
    const uint64_t *words = bytes;
    for (size_t i = 0; i < chunk_bytes / 8; i++)
        if (words[i] != word_of(from, chunk, i)) {
            shared->wrong++;
            return;
        }
}

/* ---- plain sockets ----------------------------------------------------------
 */

typedef struct stream {
    pthread_t thread;
    int fd, peer;
    bool sends;
    uint8_t *memory[MAX_CHUNKS];
} stream;

static stream streams[2 * MAX_RANKS];
static int nstreams;

static void *run_stream(void *ctx)
{
    stream *s = ctx;
    for (int c = 0; c < nchunks; c++)
        for (size_t at = 0; at < chunk_bytes;) {
            uint8_t *p = s->memory[c] + at;
            size_t left = chunk_bytes - at;
            ssize_t n = s->sends ? send(s->fd, p, left, 0)
                                 : recv(s->fd, p, left, MSG_WAITALL);
            if (n <= 0)
                die("plain stream", NULL);
            at += (size_t)n;
        }
    return NULL;
}

static void plain_round(void)
{
    for (int i = 0; i < nstreams; i++)
        pthread_create(&streams[i].thread, NULL, run_stream, &streams[i]);
    for (int i = 0; i < nstreams; i++)
        pthread_join(streams[i].thread, NULL);
}

static int listen_plain(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t length = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 64))
        die("listen", NULL);
    getsockname(fd, (struct sockaddr *)&at, &length);
    shared->ports[rank] = ntohs(at.sin_port);
    return fd;
}

static int dial_plain(int to)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    at.sin_port = htons((uint16_t)shared->ports[to]);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) ||
        write(fd, &rank, sizeof rank) != sizeof rank)
        die("connect", NULL);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

/* A connection for each direction between two processes. */
static void connect_plain(uint8_t *const *own)
{
    int door = listen_plain(), coming = 0;
    meet();
    for (int to = 0; to < nranks; to++) {
        coming += sends_to[to][rank];
        if (!sends_to[rank][to])
            continue;
        stream *s = &streams[nstreams++];
        *s = (stream){.fd = dial_plain(to), .peer = to, .sends = true};
        memcpy(s->memory, own, sizeof s->memory);
    }
    while (coming--) {
        stream *s = &streams[nstreams++];
        *s = (stream){.fd = accept(door, NULL, NULL)};
        if (read(s->fd, &s->peer, sizeof s->peer) != sizeof s->peer)
            die("accept", NULL);
        for (int c = 0; c < nchunks; c++) {
            s->memory[c] = malloc(chunk_bytes);
            memset(s->memory[c], 0, chunk_bytes);
        }
    }
    close(door);
    meet();
}

static void check_plain(void)
{
    for (int i = 0; i < nstreams; i++)
        for (int c = 0; !streams[i].sends && c < nchunks; c++) {
            check(streams[i].memory[c], streams[i].peer, c);
            memset(streams[i].memory[c], 0, chunk_bytes);
        }
}

/* ---- ncgraph
 * ----------------------------------------------------------------- */

static nci_net *net;
static nci_buf *held[MAX_CHUNKS];
static nci_buf *got[MAX_RANKS][MAX_CHUNKS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int awaited, ready, trips;

static void note_one(int *count, int by)
{
    pthread_mutex_lock(&lock);
    *count += by;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void wait_for(const int *count, int value)
{
    pthread_mutex_lock(&lock);
    while (*count != value)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static void wanted(void *ctx, uint64_t request, const nci_chunk_key *key)
{
    (void)ctx;
    nci_serve_buf(net, request, held[key->chunk], NULL, NULL);
}

static void came(void *ctx, nci_buf *chunk, const ncg_error *err)
{
    if (!chunk)
        die("fetch", err);
    *(nci_buf **)ctx = nci_buf_retain(chunk);
    note_one(&awaited, -1);
}

static void exchange_round(void)
{
    ncg_error err;
    awaited = 0;
    for (int from = 0; from < nranks; from++)
        awaited += sends_to[from][rank] ? nchunks : 0;
    for (int c = 0; c < nchunks; c++)
        for (int from = 0; from < nranks; from++) {
            if (!sends_to[from][rank])
                continue;
            nci_fetch_spec spec = {.addresses = shared->addresses[from],
                                   .role = NCI_PEER_WORKER,
                                   .key = {{(uint64_t)from, 1}, c},
                                   .nbytes = (int64_t)chunk_bytes};
            if (nci_fetch(net, &spec, came, &got[from][c], NULL, &err))
                die("fetch", &err);
        }
    wait_for(&awaited, 0);
}

static void check_exchange(void)
{
    for (int from = 0; from < nranks; from++)
        for (int c = 0; c < nchunks; c++) {
            if (got[from][c])
                check(nci_buf_data(got[from][c]), from, c);
            nci_buf_release(&got[from][c]);
        }
}

/* Each message is answered at once; the first side counts. */
static void on_message(void *ctx, nci_conn_id conn, const nci_message *m)
{
    (void)ctx;
    if (rank == 0 && ++trips >= TRIPS)
        note_one(&ready, 1);
    else
        nci_net_send(net, conn, m, NULL);
}

static void on_ready(void *ctx, nci_conn_id conn, const nci_peer *peer)
{
    (void)ctx;
    (void)conn;
    (void)peer;
    note_one(&ready, 1);
}

static void on_closed(void *ctx, nci_conn_id conn, const ncg_error *why)
{
    (void)ctx;
    (void)conn;
    if (why->status)
        die("connection", why);
}

static void start_net(void)
{
    ncg_error err;
    static const uint8_t secret[NCI_SECRET_SIZE] = {1};
    static const uint8_t cluster[NCI_CLUSTER_ID_SIZE] = {2};
    const nci_serve_hooks serve = {.wanted = wanted};
    nci_net_options options = {.name = "bench",
                               .hooks = {.ready = on_ready,
                                         .message = on_message,
                                         .closed = on_closed},
                               .wire.compression = compression};
    nci_net_bound(&options, (int64_t)8 << 30); /* as workers do */
    if (nci_keys_derive(secret, cluster, &options.keys, &err) ||
        nci_net_create(&options, &net, &err))
        die("net", &err);
    nci_net_serve(net, &serve);
    if (nci_net_listen(net, "127.0.0.1", 0, NCI_MAY_ALL,
                       shared->addresses[rank], &err))
        die("listen", &err);
}

/* ---- small messages
 * ------------------------------------------------------------ */

static void trip_net(void)
{
    ncg_error err;
    nci_conn_id id = 0;
    static const uint8_t head[64];
    const nci_message m = {
        .type = NCI_WIRE_CALL, .head = head, .nhead = sizeof head};
    meet();
    if (rank == 0) {
        if (nci_net_connect(net, shared->addresses[1], NCI_PEER_WORKER, 0, &id,
                            &err))
            die("connect", &err);
        wait_for(&ready, 1);
        double t = now();
        if (nci_net_send(net, id, &m, &err))
            die("send", &err);
        wait_for(&ready, 2);
        shared->trip[1] = (now() - t) / TRIPS * 1e6;
    }
    meet();
}

static void trip_epoll(void)
{
    char bytes[96] = {0};
    int door = listen_plain(), one = 1;
    meet();
    int fd = rank ? accept(door, NULL, NULL) : dial_plain(1);
    if (rank && read(fd, bytes, sizeof(int)) != sizeof(int))
        die("accept", NULL);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    int loop = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
    meet();
    double t = now();
    if (rank == 0 && write(fd, bytes, sizeof bytes) < 0)
        die("write", NULL);
    for (int i = 0; i < TRIPS; i++) {
        epoll_wait(loop, &event, 1, -1);
        if (read(fd, bytes, sizeof bytes) != sizeof bytes)
            die("read", NULL);
        if ((rank || i + 1 < TRIPS) &&
            write(fd, bytes, sizeof bytes) != sizeof bytes)
            die("write", NULL);
    }
    if (rank == 0)
        shared->trip[0] = (now() - t) / TRIPS * 1e6;
    close(loop);
    close(fd);
    close(door);
    meet();
}

/* ---- a pattern
 * -------------------------------------------------------------------- */

static void timed(int kind, int round, void (*work)(void))
{
    meet();
    double t = now(), c = cpu();
    work();
    shared->cpu[kind][round][rank] = cpu() - c;
    meet();
    if (rank == 0)
        shared->wall[kind][round] = now() - t;
}

static void child(void)
{
    ncg_error err;
    uint8_t *own[MAX_CHUNKS] = {0};
    for (int c = 0; c < nchunks; c++) {
        if (nci_buf_create(chunk_bytes, &held[c], &err))
            die("memory", &err);
        own[c] = nci_buf_data(held[c]);
        for (size_t i = 0; i < chunk_bytes / 8; i++)
            ((uint64_t *)own[c])[i] = word_of(rank, c, i);
    }
    start_net();
    connect_plain(own);
    for (int r = 0; r < nrounds; r++) {
        timed(0, r, plain_round);
        check_plain();
        timed(1, r, exchange_round);
        check_exchange();
    }
    if (nranks == 2 && !sends_to[1][0]) {
        trip_epoll();
        trip_net();
    }
    nci_net_destroy(&net);
    _exit(0);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *values)
{
    qsort(values, (size_t)nrounds, sizeof *values, by_value);
    return values[nrounds / 2];
}

static void report(const char *name)
{
    static const char *const kinds[] = {"plain", "ncgraph"};
    double gb = 0, rate[2];
    for (int a = 0; a < nranks; a++)
        for (int b = 0; b < nranks; b++)
            gb += sends_to[a][b] ? 1e-9 * (double)chunk_bytes * nchunks : 0;
    printf("  \"%s\": {", name);
    for (int k = 0; k < 2; k++) {
        double sums[MAX_ROUNDS];
        for (int r = 0; r < nrounds; r++) {
            sums[r] = 0;
            for (int i = 0; i < nranks; i++)
                sums[r] += shared->cpu[k][r][i];
        }
        rate[k] = gb / median(shared->wall[k]);
        printf("\"%s_GB_s\": %.2f, \"%s_core_s_GB\": %.2f, ", kinds[k], rate[k],
               kinds[k], median(sums) / gb);
    }
    printf("\"ratio\": %.3f, \"wrong\": %d}", rate[1] / rate[0], shared->wrong);
}

static int run(const char *name, int ranks, int chunks)
{
    int code = 0;
    pthread_barrierattr_t attr;
    nranks = ranks;
    nchunks = chunks;
    memset(shared, 0, sizeof *shared);
    pthread_barrierattr_init(&attr);
    pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&shared->barrier, &attr, (unsigned)ranks);
    pid_t pids[MAX_RANKS];
    for (rank = 0; rank < ranks; rank++)
        if ((pids[rank] = fork()) == 0)
            child();
    for (int r = 0; r < ranks; r++) {
        int status;
        if (waitpid(pids[r], &status, 0) < 0 || status) {
            for (int other = 0; other < ranks; other++)
                kill(pids[other], SIGKILL);
            code = 1;
        }
    }
    if (!code && nrounds)
        report(name);
    return code || shared->wrong;
}

static int run_more(void)
{
    printf(",\n");
    sends_to[1][0] = true;
    int code = run("both_ways", 2, 4);
    printf(",\n");
    for (int a = 0; a < MAX_RANKS; a++)
        for (int b = 0; b < MAX_RANKS; b++)
            sends_to[a][b] = a != b;
    code |= run("four_all_to_all", 4, 2);
    printf(",\n");
    return code;
}

int main(int argc, char **argv)
{
    nrounds = argc > 1 ? atoi(argv[1]) : nrounds;
    chunk_bytes = argc > 2 ? (size_t)atoi(argv[2]) << 20 : chunk_bytes;
    if (argc > 3)
        compression =
            strcmp(argv[3], "lz4") ? NCG_WIRE_ZSTD : NCG_WIRE_LZ4;
    if (nrounds < 0 || nrounds > MAX_ROUNDS || !chunk_bytes)
        return 2;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    printf("{\n");
    sends_to[0][1] = true;
    int code = run("one_way", 2, 6);
    double trip[2] = {shared->trip[0], shared->trip[1]};
    if (nrounds)
        code |= run_more();
    printf("  \"round_trip_us\": {\"epoll\": %.1f, \"ncgraph\": %.1f, "
           "\"ratio\": %.2f}\n}\n",
           trip[0], trip[1], trip[1] / trip[0]);
    return code;
}
