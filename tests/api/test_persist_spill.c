/* SPDX-License-Identifier: BSD-3-Clause */
/* Persisted arrays that leave memory for a run that needs the room: the same
 * values from the disk, told by the statistics; damage and full disks. */
#include <dirent.h>
#include <fcntl.h>

#include "api/handles.h"
#include "api/ship.h"
#include "base/mem.h"
#include "test.h"

enum { NY = 2048, NX = 1000, CHUNK = 64, ARRAYS = 4 };
static const int64_t shape[] = {NY, NX}, chunks[] = {CHUNK, NX};
enum { NBYTES = NY * NX * 8, LIMIT = NBYTES * 2 + NBYTES / 2 };

typedef struct bed {
    ncg_context *ctx;
    ncg_array *kept[ARRAYS]; /* persisted; more than the limit together */
} bed;

static int ones; /* boxes that were filled */

static ncg_status fill(void *payload, const int64_t *start,
                       const int64_t *count, void *out, ncg_error *err)
{
    double *x = out;
    (void)err;
    __atomic_fetch_add(&ones, 1, __ATOMIC_RELAXED);
    for (int64_t i = 0; i < count[0]; i++)
        for (int64_t j = 0; j < count[1]; j++)
            *x++ = (double)((start[0] + i) * 1000 + start[1] + j) *
                   *(const double *)payload;
    return NCG_OK;
}

static double factors[ARRAYS] = {1, 2, 3, 4};

static double value_at(int array, int i, int j)
{
    return (i * 1000 + j) * factors[array];
}

static ncg_array *lazy_field(ncg_context *ctx, int number)
{
    char name[32];
    ncg_array *x = NULL;
    ncg_error err;
    snprintf(name, sizeof name, "org.example.field-%d/1", number);
    CHECK_OK(ncg_array_from_callback(ctx, name, NCG_DTYPE_F64, 2, shape, chunks,
                                     NULL, fill, NULL, &factors[number], &x,
                                     &err));
    return x;
}

static ncg_status keep(ncg_context *ctx, int number, ncg_array **out,
                       ncg_error *err)
{
    ncg_array *x = lazy_field(ctx, number);
    ncg_collection lazy = ncg_array_collection(x), kept;
    ncg_status st = ncg_persist(ctx, &lazy, 1, &kept, err);
    ncg_array_release(&x);
    *out = st ? NULL : kept.self;
    return st;
}

static ncg_context *limited(const char *directory, int threads)
{
    ncg_context_options options = NCG_CONTEXT_OPTIONS_INIT;
    ncg_context *ctx = NULL;
    ncg_error err;
    options.threads = threads;
    options.memory_limit = LIMIT;
    options.spill_directory = directory;
    CHECK_OK(ncg_context_create(&options, &ctx, &err));
    return ctx;
}

static bed make_bed(int threads)
{
    bed b = {.ctx = limited(NULL, threads)};
    ncg_error err;
    for (int i = 0; i < ARRAYS; i++)
        CHECK_OK(keep(b.ctx, i, &b.kept[i], &err));
    ones = 0;
    return b;
}

static void end_bed(bed *b)
{
    for (int i = 0; i < ARRAYS; i++)
        ncg_array_release(&b->kept[i]);
    ncg_context_destroy(&b->ctx);
}

static ncg_stats stats_of(const ncg_context *ctx)
{
    ncg_stats stats = {.struct_size = sizeof stats};
    ncg_context_stats(ctx, &stats);
    return stats;
}

static void check_values(ncg_array *x, int number)
{
    double *values = malloc(NBYTES);
    ncg_error err;
    CHECK_OK(ncg_array_compute(x, values, NBYTES, &err));
    for (int i = 0; i < NY; i++)
        for (int j = 0; j < NX; j++)
            assert_true(values[i * NX + j] == value_at(number, i, j));
    free(values);
}

static void values_come_from_the_disk(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 4; threads += 3) {
        bed b = make_bed(threads);
        ncg_stats stats = stats_of(b.ctx);
        assert_true(stats.held_on_disk >= NBYTES);
        assert_int_equal(stats.held_on_disk + stats.memory_held,
                         ARRAYS * NBYTES);
        assert_int_equal(stats.bytes_spilled, stats.held_on_disk);
        for (int i = 0; i < ARRAYS; i++)
            check_values(b.kept[i], i);
        assert_int_equal(ones, 0);
        assert_true(stats_of(b.ctx).peak_memory <= LIMIT);
        ncg_array_release(&b.kept[0]);
        ncg_array_release(&b.kept[1]);
        stats = stats_of(b.ctx);
        assert_int_equal(stats.held_on_disk + stats.memory_held, 2 * NBYTES);
        end_bed(&b);
    }
}

/* All of them in one expression, read across their chunks. */
static void expressions_read_the_disk(void **state)
{
    (void)state;
    bed b = make_bed(2);
    ncg_array *sum = NULL, *more, *t = NULL, *part = NULL;
    ncg_error err;
    double *values = malloc(NBYTES);
    sum = ncg_array_retain(b.kept[0]);
    for (int i = 1; i < ARRAYS; i++) {
        ncg_array *pair[] = {sum, b.kept[i]};
        CHECK_OK(ncg_array_map("add", pair, 2, &more, &err));
        ncg_array_release(&sum);
        sum = more;
    }
    CHECK_OK(ncg_array_transpose(sum, NULL, &t, &err));
    CHECK_OK(ncg_array_slice(t, 1, CHUNK / 2, NY, 1, &part, &err));
    int64_t n = ncg_array_shape(part)[1];
    CHECK_OK(ncg_array_compute(part, values, (size_t)(NX * n) * 8, &err));
    for (int j = 0; j < NX; j++)
        for (int64_t k = 0; k < n; k++)
            assert_true(values[j * n + k] ==
                        10 * value_at(0, CHUNK / 2 + (int)k, j));
    assert_int_equal(ones, 0);
    free(values);
    ncg_array_release(&part);
    ncg_array_release(&t);
    ncg_array_release(&sum);
    end_bed(&b);
}

static void chunks_on_disk_are_sent(void **state)
{
    (void)state;
    bed b = make_bed(1);
    ncg_context *other = limited(NULL, 1);
    nci_ship from = nci_ship_of(b.ctx), to = nci_ship_of(other);
    nci_codec_hooks here = nci_ship_hooks(&from), there = nci_ship_hooks(&to);
    char *bytes = NULL;
    size_t nbytes = 0, n = 0;
    nci_node **nodes = NULL;
    ncg_array *copy = NULL;
    ncg_error err;
    CHECK_OK(nci_encode_nodes(&b.kept[0]->node, 1, &here, &bytes, &nbytes,
                              &err));
    CHECK_OK(nci_decode_nodes(bytes, nbytes, &there, &nodes, &n, &err));
    CHECK_OK(nci_array_wrap(other, nodes[0], &copy, &err));
    check_values(copy, 0);
    nci_free(nodes);
    nci_free(bytes);
    ncg_array_release(&copy);
    ncg_context_destroy(&other);
    end_bed(&b);
}

/* ---- disks that fail ------------------------------------------------------ */

/* Writes over the whole of each spill file of this process, which have no
 * names. */
static int damage_all(void)
{
    int done = 0;
    DIR *dir = opendir("/proc/self/fd");
    for (struct dirent *e; dir && (e = readdir(dir));) {
        char path[300], target[300] = "";
        char zeros[4096] = {0};
        snprintf(path, sizeof path, "/proc/self/fd/%s", e->d_name);
        if (readlink(path, target, sizeof target - 1) < 0 ||
            !strstr(target, "ncgraph-spill-"))
            continue;
        int fd = open(path, O_WRONLY);
        for (off_t at = 0; at < NBYTES; at += (off_t)sizeof zeros)
            assert_int_equal(pwrite(fd, zeros, sizeof zeros, at),
                             sizeof zeros);
        close(fd);
        done++;
    }
    closedir(dir);
    return done;
}

static void damage_is_told(void **state)
{
    (void)state;
    bed b = make_bed(2);
    double *values = malloc(NBYTES);
    ncg_status st = NCG_OK;
    ncg_error err;
    assert_int_equal(damage_all(), 1);
    for (int i = 0; !st && i < ARRAYS; i++)
        st = ncg_array_compute(b.kept[i], values, NBYTES, &err);
    assert_int_equal(st, NCG_ECORRUPT);
    CHECK_MESSAGE("a spilled chunk");
    CHECK_MESSAGE("checksum");
    free(values);
    end_bed(&b);
}

/* What was persisted before stays where it is. */
static void a_disk_that_fails_leaves_what_is_held(void **state)
{
    (void)state;
    ncg_context *ctx = limited("/nonexistent/folder", 1);
    ncg_array *a = NULL, *b = NULL, *c = NULL;
    ncg_error err;
    CHECK_OK(keep(ctx, 0, &a, &err));
    CHECK_OK(keep(ctx, 1, &b, &err));
    CHECK_STATUS(NCG_EOUTPUT, keep(ctx, 2, &c, &err));
    CHECK_MESSAGE("/nonexistent/folder");
    assert_int_equal(stats_of(ctx).memory_held, 2 * NBYTES);
    assert_int_equal(stats_of(ctx).held_on_disk, 0);
    ncg_array_release(&b);
    check_values(a, 0);
    CHECK_OK(keep(ctx, 2, &c, &err));
    ncg_array_release(&a);
    ncg_array_release(&c);
    ncg_context_destroy(&ctx);
}

static void no_memory_moves_nothing_halfway(void **state)
{
    (void)state;
    ncg_status st = NCG_ENOMEM;
    ncg_error err;
    for (int64_t n = 1; st == NCG_ENOMEM && n < 3000; n += 1 + n / 5) {
        ncg_context *ctx = limited(NULL, 1);
        ncg_array *x[2] = {NULL}, *third = lazy_field(ctx, 2);
        ncg_collection lazy = ncg_array_collection(third), kept = {0};
        CHECK_OK(keep(ctx, 0, &x[0], &err));
        CHECK_OK(keep(ctx, 1, &x[1], &err));
        nci_mem_fail_at(n);
        st = ncg_persist(ctx, &lazy, 1, &kept, &err);
        nci_mem_fail_at(0);
        if (st)
            assert_int_equal(st, NCG_ENOMEM);
        else
            assert_true(stats_of(ctx).held_on_disk > 0);
        if (!st)
            check_values(x[0], 0);
        ncg_collection_release(&kept);
        ncg_array_release(&third);
        ncg_array_release(&x[0]);
        ncg_array_release(&x[1]);
        ncg_context_destroy(&ctx);
    }
    assert_int_equal(st, NCG_OK);
}

NCG_TESTS(NCG_TEST(values_come_from_the_disk),
          NCG_TEST(expressions_read_the_disk),
          NCG_TEST(chunks_on_disk_are_sent), NCG_TEST(damage_is_told),
          NCG_TEST(a_disk_that_fails_leaves_what_is_held),
          NCG_TEST(no_memory_moves_nothing_halfway))
