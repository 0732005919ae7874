/* SPDX-License-Identifier: BSD-3-Clause */
/* Chunks between two nets: whole, parts, from files, with checksums and
 * compression; asked for twice, before they are made, and never made; lost,
 * refused and aborted. What arrives is compared value by value. */
#include <fcntl.h>
#include <stdatomic.h>

#include "engine/net/part.h"
#include "net_pair.h"

enum { NCHUNKS = 64, HELD = 1000, MISSING = 2000, FILED = 3000, SHORT = 4000 };

/* A process that serves. Chunk k of it has 32-bit values i * 31 + k. */
typedef struct server {
    node node;
    size_t nvalues;
    nci_buf *chunks[NCHUNKS];
    int file;
    uint64_t held; /* a question that waits */
    _Atomic int asked, done, gone;
} server;

static const nci_token SPACE = {0x1234, 0x5678};

static void note_done(void *ctx)
{
    server *s = ctx;
    atomic_fetch_add(&s->done, 1);
}

static void wanted(void *ctx, uint64_t request, const nci_chunk_key *key)
{
    server *s = ctx;
    nci_net *net = s->node.net;
    atomic_fetch_add(&s->asked, 1);
    if (key->chunk == HELD) {
        pthread_mutex_lock(&s->node.lock);
        s->held = request;
        pthread_mutex_unlock(&s->node.lock);
        on_silence(&s->node, 0, NCI_SILENCE_OVER);
    } else if (key->chunk == MISSING) {
        ncg_error err;
        nci_fail(&err, NCG_ENOTFOUND, "chunk %d is not here", MISSING);
        nci_serve_fail(net, request, &err);
    } else if (key->chunk >= SHORT) {
        nci_serve_file(net, request, s->file, 0,
                       (int64_t)s->nvalues * 4 * NCHUNKS + 4096, note_done, s);
    } else if (key->chunk >= FILED) {
        int64_t nbytes = (int64_t)s->nvalues * 4;
        nci_serve_file(net, request, s->file, (key->chunk - FILED) * nbytes,
                       nbytes, note_done, s);
    } else {
        nci_serve_buf(net, request, s->chunks[key->chunk], note_done, s);
    }
}

static void gone(void *ctx, uint64_t request)
{
    server *s = ctx;
    (void)request;
    atomic_fetch_add(&s->gone, 1);
    on_silence(&s->node, 0, NCI_SILENCE_SUSPECT);
}

static uint32_t value_of(int64_t chunk, size_t i)
{
    return (uint32_t)(i * 31 + (size_t)chunk);
}

static void server_start(server *s, size_t nvalues)
{
    char path[] = "/tmp/ncgraph-exchange-XXXXXX";
    s->nvalues = nvalues;
    s->asked = s->done = s->gone = 0;
    s->file = mkstemp(path);
    assert_true(s->file >= 0);
    unlink(path);
    for (int k = 0; k < NCHUNKS; k++) {
        assert_int_equal(nci_buf_create(nvalues * 4, &s->chunks[k], NULL),
                         NCG_OK);
        uint32_t *values = nci_buf_data(s->chunks[k]);
        for (size_t i = 0; i < nvalues; i++)
            values[i] = value_of(k, i);
        assert_int_equal(write(s->file, values, nvalues * 4),
                         (ssize_t)nvalues * 4);
    }
    ncg_error err;
    const nci_serve_hooks hooks = {s, wanted, gone};
    CHECK_OK(nci_net_create(&s->node.options, &s->node.net, &err));
    nci_net_serve(s->node.net, &hooks);
    CHECK_OK(nci_net_listen(s->node.net, "127.0.0.1", 0, NCI_MAY_ALL,
                            s->node.addresses, &err));
}

static void server_end(server *s)
{
    node_end(&s->node);
    for (int k = 0; k < NCHUNKS; k++)
        nci_buf_release(&s->chunks[k]);
    close(s->file);
}

/* One that fetches: what came, by the number that was asked for. */
typedef struct client {
    node node;
    int came, failed;
    ncg_error err;
    nci_buf *last;
} client;

static void came(void *ctx, nci_buf *chunk, const ncg_error *err)
{
    client *c = ctx;
    pthread_mutex_lock(&c->node.lock);
    if (chunk) {
        c->came++;
        nci_buf_release(&c->last);
        c->last = nci_buf_retain(chunk);
    } else {
        c->failed++;
        c->err = *err;
        snprintf(c->node.note, sizeof c->node.note, "%s", err->message);
    }
    pthread_cond_broadcast(&c->node.changed);
    pthread_mutex_unlock(&c->node.lock);
}

static nci_fetch_spec spec_of(const server *s, int64_t chunk)
{
    return (nci_fetch_spec){.addresses = s->node.addresses,
                            .epoch = s->node.options.epoch,
                            .role = NCI_PEER_WORKER,
                            .key = {SPACE, chunk},
                            .nbytes = (int64_t)s->nvalues * 4};
}

static void begin(server *s, client *c, size_t nvalues)
{
    memset(c, 0, sizeof *c);
    node_init(&s->node, 1, 2);
    node_init(&c->node, 1, 2);
    s->node.options.dead_ms = c->node.options.dead_ms = 60000;
    server_start(s, nvalues);
    node_start(&c->node, false);
}

static void end(server *s, client *c)
{
    node_end(&c->node);
    nci_buf_release(&c->last);
    server_end(s);
}

static void check_chunk(const nci_buf *chunk, int64_t k, size_t nvalues)
{
    const uint32_t *values = nci_buf_data(chunk);
    assert_int_equal(nci_buf_size(chunk), nvalues * 4);
    for (size_t i = 0; i < nvalues; i++)
        if (values[i] != value_of(k, i))
            fail_msg("value %zu of chunk %d is %u", i, (int)k, values[i]);
}

static void fetch_one(client *c, const nci_fetch_spec *spec)
{
    ncg_error err;
    int before = c->came;
    CHECK_OK(nci_fetch(c->node.net, spec, came, c, NULL, &err));
    node_wait(&c->node, &c->came, before + 1);
}

static void whole_chunks_arrive(void **state)
{
    (void)state;
    static server s;
    static client c;
    begin(&s, &c, 500001);
    for (int k = 0; k < 5; k++) {
        nci_fetch_spec spec = spec_of(&s, k);
        fetch_one(&c, &spec);
        check_chunk(c.last, k, s.nvalues);
    }
    nci_fetch_spec spec = spec_of(&s, FILED + 3);
    fetch_one(&c, &spec);
    check_chunk(c.last, 3, s.nvalues);
    nci_net_stats stats;
    nci_net_get_stats(c.node.net, &stats);
    assert_int_equal(stats.connections, 1);
    assert_int_equal(stats.chunks_in, 6);
    assert_int_equal(stats.credit_used, 0);
    end(&s, &c);
    assert_int_equal(s.done, 6);
}

static void empty_chunks_arrive(void **state)
{
    (void)state;
    static server s;
    static client c;
    begin(&s, &c, 0);
    nci_fetch_spec spec = spec_of(&s, 1);
    fetch_one(&c, &spec);
    assert_int_equal(nci_buf_size(c.last), 0);
    end(&s, &c);
}

typedef struct kept {
    client *client;
    nci_buf *chunk;
} kept;

static void keep(void *ctx, nci_buf *chunk, const ncg_error *err)
{
    kept *k = ctx;
    if (chunk)
        k->chunk = nci_buf_retain(chunk);
    came(k->client, chunk, err);
}

/* All at once, from memory and file in turn, under one set of options. */
static void fetch_many(ncg_wire_checksum checksum,
                       ncg_wire_compression compression, int64_t credit)
{
    static server s;
    static client c;
    ncg_error err;
    kept all[NCHUNKS] = {{0}};
    memset(&c, 0, sizeof c);
    node_init(&s.node, 1, 2);
    node_init(&c.node, 1, 2);
    s.node.options.dead_ms = c.node.options.dead_ms = 60000;
    s.node.options.wire.checksum = checksum;
    s.node.options.wire.compression = compression;
    c.node.options.credit = credit;
    server_start(&s, 300007);
    node_start(&c.node, false);
    for (int k = 0; k < NCHUNKS; k++) {
        nci_fetch_spec spec = spec_of(&s, k % 2 ? FILED + k : k);
        all[k].client = &c;
        CHECK_OK(nci_fetch(c.node.net, &spec, keep, &all[k], NULL, &err));
    }
    node_wait(&c.node, &c.came, NCHUNKS);
    for (int k = 0; k < NCHUNKS; k++) {
        check_chunk(all[k].chunk, k, s.nvalues);
        nci_buf_release(&all[k].chunk);
    }
    nci_net_stats stats;
    nci_net_get_stats(c.node.net, &stats);
    int64_t raw = (int64_t)NCHUNKS * 300007 * 4;
    if (compression == NCG_WIRE_PLAIN)
        assert_true(stats.bytes_in > raw);
    else
        assert_true(stats.bytes_in < raw / 2);
    end(&s, &c);
    assert_int_equal(s.done, NCHUNKS);
}

static void many_at_once(void **state)
{
    (void)state;
    fetch_many(NCG_CHECKSUM_AUTO, NCG_WIRE_PLAIN, 0);
}

static void with_checksums(void **state)
{
    (void)state;
    fetch_many(NCG_CHECKSUM_ON, NCG_WIRE_PLAIN, 0);
}

static void compressed_by_lz4(void **state)
{
    (void)state;
    fetch_many(NCG_CHECKSUM_ON, NCG_WIRE_LZ4, 0);
}

static void compressed_by_zstd(void **state)
{
    (void)state;
    fetch_many(NCG_CHECKSUM_OFF, NCG_WIRE_ZSTD, 0);
}

static void under_little_credit(void **state)
{
    (void)state;
    fetch_many(NCG_CHECKSUM_OFF, NCG_WIRE_PLAIN, 1);
}

/* ---- parts
 * ------------------------------------------------------------------- */

static nci_part random_part(unsigned *seed, size_t nvalues)
{
    nci_part part = {.itemsize = 4};
    int64_t left = (int64_t)nvalues;
    part.box.rank = 1 + (int)(rand_r(seed) % 4);
    for (int a = 0; a < part.box.rank; a++) {
        int64_t shape = a + 1 == part.box.rank ? left : 1;
        static const int64_t of_axis[] = {1, 2, 3, 5, 7};
        if (a + 1 < part.box.rank) {
            shape = of_axis[rand_r(seed) % 5];
            while (left % shape)
                shape--;
        }
        left /= shape;
        part.shape[a] = shape;
        part.box.start[a] = rand_r(seed) % shape;
        part.box.count[a] = 1 + rand_r(seed) % (shape - part.box.start[a]);
        if (rand_r(seed) % 3 == 0) {
            part.box.start[a] = 0;
            part.box.count[a] = shape;
        }
    }
    return part;
}

static void check_part(const nci_part *part, const uint32_t *got, int64_t chunk)
{
    int64_t index[NCG_MAX_RANK] = {0}, n = nci_box_size(&part->box);
    for (int64_t i = 0; i < n; i++) {
        int64_t at = 0;
        for (int a = 0; a < part->box.rank; a++)
            at = at * part->shape[a] + part->box.start[a] + index[a];
        if (got[i] != value_of(chunk, (size_t)at))
            fail_msg("value %d of a part is wrong", (int)i);
        for (int a = part->box.rank - 1; a >= 0; a--) {
            if (++index[a] < part->box.count[a])
                break;
            index[a] = 0;
        }
    }
}

static void parts_have_the_right_values(void **state)
{
    (void)state;
    enum { N = 2 * 3 * 5 * 7 * 11 * 13 };
    unsigned seed = 5;
    static uint32_t values[N], got[N];
    for (size_t i = 0; i < N; i++)
        values[i] = value_of(3, i);
    const nci_bytes_from from = {.memory = (const uint8_t *)values, .file = -1};
    for (int turn = 0; turn < 500; turn++) {
        nci_part part = random_part(&seed, N);
        int64_t total = nci_part_bytes(&part), offset = -1;
        assert_int_equal(nci_part_chunk_bytes(&part), N * 4);
        for (int64_t at = 0; at < total;) {
            int64_t n = 1 + rand_r(&seed) % (total - at);
            assert_int_equal(
                nci_part_copy(&part, &from, at, n, (uint8_t *)got + at, NULL),
                NCG_OK);
            at += n;
        }
        check_part(&part, got, 3);
        if (nci_part_is_run(&part, &offset))
            assert_memory_equal((const char *)values + offset, got, total);
    }
}

static void parts_arrive(void **state)
{
    (void)state;
    static server s;
    static client c;
    unsigned seed = 11;
    begin(&s, &c, 2 * 3 * 5 * 7 * 1000);
    for (int turn = 0; turn < 60; turn++) {
        int64_t k = rand_r(&seed) % NCHUNKS;
        nci_fetch_spec spec = spec_of(&s, turn % 2 ? FILED + k : k);
        spec.part = random_part(&seed, s.nvalues);
        spec.nbytes = nci_part_bytes(&spec.part);
        fetch_one(&c, &spec);
        assert_int_equal(nci_buf_size(c.last), spec.nbytes);
        check_part(&spec.part, nci_buf_data(c.last), k);
    }
    end(&s, &c);
}

/* ---- waiting, sharing, ending
 * ---------------------------------------------------- */

static void equal_fetches_are_one(void **state)
{
    (void)state;
    static server s;
    static client c;
    ncg_error err;
    begin(&s, &c, 1000);
    nci_fetch_spec spec = spec_of(&s, HELD);
    for (int i = 0; i < 10; i++)
        CHECK_OK(nci_fetch(c.node.net, &spec, came, &c, NULL, &err));
    node_wait(&s.node, &s.node.over, 1);
    nci_fetch_spec other = spec_of(&s, 2); /* does not wait behind it */
    fetch_one(&c, &other);
    assert_int_equal(c.came, 1);
    nci_serve_buf(s.node.net, s.held, s.chunks[7], note_done, &s);
    node_wait(&c.node, &c.came, 11);
    check_chunk(c.last, 7, s.nvalues);
    assert_int_equal(s.asked, 2);
    nci_net_stats stats;
    nci_net_get_stats(c.node.net, &stats);
    assert_int_equal(stats.fetches_joined, 9);
    end(&s, &c);
}

static void what_is_missing_is_said(void **state)
{
    (void)state;
    static server s;
    static client c;
    ncg_error err;
    begin(&s, &c, 1000);
    nci_fetch_spec spec = spec_of(&s, MISSING);
    CHECK_OK(nci_fetch(c.node.net, &spec, came, &c, NULL, &err));
    node_wait(&c.node, &c.failed, 1);
    assert_int_equal(c.err.status, NCG_ENOTFOUND);
    assert_non_null(strstr(c.err.message, "chunk 2000 is not here"));
    spec = spec_of(&s, 1); /* the connection goes on */
    fetch_one(&c, &spec);
    spec.part = (nci_part){
        .itemsize = 4, .box = {.rank = 1, .count = {5}}, .shape = {7}};
    spec.nbytes = 20;
    CHECK_OK(nci_fetch(c.node.net, &spec, came, &c, NULL, &err));
    node_wait(&c.node, &c.failed, 2);
    assert_int_equal(c.err.status, NCG_EMISMATCH);
    end(&s, &c);
}

static void a_chunk_of_another_size_is_refused(void **state)
{
    (void)state;
    static server s;
    static client c;
    ncg_error err;
    begin(&s, &c, 1000);
    nci_fetch_spec spec = spec_of(&s, 1);
    spec.nbytes = 4004;
    CHECK_OK(nci_fetch(c.node.net, &spec, came, &c, NULL, &err));
    node_wait(&c.node, &c.failed, 1);
    assert_int_equal(c.err.status, NCG_ENET);
    assert_non_null(strstr(c.err.message, "4000 bytes came where 4004"));
    spec = spec_of(&s, 2); /* by a new connection */
    fetch_one(&c, &spec);
    end(&s, &c);
}

/* sendfile cannot take back what the frame has promised: the connection ends,
 * the peer is not left waiting. */
static void a_short_file_ends_the_fetch(void **state)
{
    (void)state;
    static server s;
    static client c;
    ncg_error err;
    begin(&s, &c, 1000);
    nci_fetch_spec spec = spec_of(&s, SHORT);
    spec.nbytes = 1000 * 4 * NCHUNKS + 4096;
    CHECK_OK(nci_fetch(c.node.net, &spec, came, &c, NULL, &err));
    node_wait(&c.node, &c.failed, 1);
    assert_int_equal(c.err.status, NCG_ENET);
    end(&s, &c);
    assert_int_equal(s.done, 1);
}

static void a_lost_peer_ends_its_fetches(void **state)
{
    (void)state;
    static server s;
    static client c;
    ncg_error err;
    begin(&s, &c, 1000);
    nci_fetch_spec spec = spec_of(&s, HELD);
    for (int i = 0; i < 3; i++) {
        spec.nbytes = 400 + i; /* three that are not equal */
        CHECK_OK(nci_fetch(c.node.net, &spec, came, &c, NULL, &err));
    }
    node_wait(&s.node, &s.node.over, 3);
    nci_fetch_lost(c.node.net, s.node.addresses);
    node_wait(&c.node, &c.failed, 3);
    assert_int_equal(c.err.status, NCG_ENET);
    assert_non_null(strstr(c.err.message, "the process is dead"));
    node_wait(&s.node, &s.node.suspect, 3); /* `gone`, for each */
    nci_serve_buf(s.node.net, s.held, s.chunks[0], note_done, &s);
    while (s.done < 1)
        usleep(1000);
    end(&s, &c);
    assert_int_equal(s.gone, 3);
}

static void an_abort_is_soon_over(void **state)
{
    (void)state;
    static server s;
    static client c;
    ncg_error err;
    uint64_t first, second;
    begin(&s, &c, 1000);
    nci_fetch_spec spec = spec_of(&s, HELD);
    CHECK_OK(nci_fetch(c.node.net, &spec, came, &c, &first, &err));
    CHECK_OK(nci_fetch(c.node.net, &spec, came, &c, &second, &err));
    node_wait(&s.node, &s.node.over, 1);
    nci_fetch_abort(c.node.net, first);
    node_wait(&c.node, &c.failed, 1);
    assert_int_equal(c.err.status, NCG_ECANCELED);
    assert_int_equal(s.gone, 0); /* the second still waits */
    nci_fetch_abort(c.node.net, second);
    node_wait(&c.node, &c.failed, 2);
    node_wait(&s.node, &s.node.suspect, 1);
    nci_fetch_abort(c.node.net, second); /* nothing any more */
    spec = spec_of(&s, 4);
    fetch_one(&c, &spec);
    end(&s, &c);
}

static void nobody_there_is_said(void **state)
{
    (void)state;
    static server s;
    static client c;
    ncg_error err;
    begin(&s, &c, 10);
    nci_fetch_spec spec = spec_of(&s, 1);
    spec.addresses = "127.0.0.1:1";
    CHECK_OK(nci_fetch(c.node.net, &spec, came, &c, NULL, &err));
    node_wait(&c.node, &c.failed, 1);
    assert_int_equal(c.err.status, NCG_ENET);
    assert_non_null(strstr(c.err.message, "127.0.0.1:1"));
    spec = spec_of(&s, 1);
    spec.epoch++; /* another process has taken the address */
    CHECK_OK(nci_fetch(c.node.net, &spec, came, &c, NULL, &err));
    node_wait(&c.node, &c.failed, 2);
    assert_int_equal(c.err.status, NCG_EAUTH);
    end(&s, &c);
}

static void the_end_of_a_net_ends_its_fetches(void **state)
{
    (void)state;
    static server s;
    static client c;
    ncg_error err;
    begin(&s, &c, 1000);
    nci_fetch_spec spec = spec_of(&s, HELD);
    CHECK_OK(nci_fetch(c.node.net, &spec, came, &c, NULL, &err));
    node_wait(&s.node, &s.node.over, 1);
    nci_net_destroy(&c.node.net);
    assert_int_equal(c.failed, 1);
    assert_int_equal(c.err.status, NCG_ECANCELED);
    end(&s, &c);
}

NCG_TESTS(NCG_TEST(whole_chunks_arrive), NCG_TEST(empty_chunks_arrive),
          NCG_TEST(many_at_once), NCG_TEST(with_checksums),
          NCG_TEST(compressed_by_lz4), NCG_TEST(compressed_by_zstd),
          NCG_TEST(under_little_credit), NCG_TEST(parts_have_the_right_values),
          NCG_TEST(parts_arrive), NCG_TEST(equal_fetches_are_one),
          NCG_TEST(what_is_missing_is_said),
          NCG_TEST(a_chunk_of_another_size_is_refused),
          NCG_TEST(a_short_file_ends_the_fetch),
          NCG_TEST(a_lost_peer_ends_its_fetches),
          NCG_TEST(an_abort_is_soon_over), NCG_TEST(nobody_there_is_said),
          NCG_TEST(the_end_of_a_net_ends_its_fetches))
