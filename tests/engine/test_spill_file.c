/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The disk that chunks are spilled to fails: no such directory, not writable,
 * full, bytes that come back changed. Each is one line that names directory,
 * bytes and remedy, and ends a run of the executor, which is as good as new
 * afterwards: no file, no descriptor and no byte is left.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "engine/executor_internal.h"
#include "engine/spill_file.h"
#include "graph/random_nodes.h"
#include "test.h"

enum { PASSED, WRONG, CANNOT };

/* ---- a directory of our own ------------------------------------------------
 */

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    signal(SIGXFSZ, SIG_DFL); /* must not be met */
    snprintf(dir, sizeof dir, "/tmp/ncgraph-disk-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    return rmdir(dir); /* which fails where something was left */
}

static int count_descriptors(void)
{
    int n = 0;
    DIR *all = opendir("/proc/self/fd");
    while (readdir(all))
        n++;
    closedir(all);
    return n;
}

/* Another descriptor of the spill file, -1: there is none. */
static int open_again(void)
{
    int found = -1;
    DIR *all = opendir("/proc/self/fd");
    for (struct dirent *e; found < 0 && (e = readdir(all));) {
        char path[300], target[300] = "";
        snprintf(path, sizeof path, "/proc/self/fd/%s", e->d_name);
        if (readlink(path, target, sizeof target - 1) > 0 &&
            strstr(target, "ncgraph-spill-"))
            found = open(path, O_RDWR);
    }
    closedir(all);
    return found;
}

/* Writes a pattern over the spill file, if there is one. */
static void damage(void)
{
    int fd = open_again();
    struct stat info;
    if (fd < 0)
        return;
    assert_int_equal(fstat(fd, &info), 0);
    uint8_t bytes[4096];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + 1);
    for (off_t at = 0; at < info.st_size; at += (off_t)sizeof bytes) {
        off_t left = info.st_size - at;
        size_t n = left < (off_t)sizeof bytes ? (size_t)left : sizeof bytes;
        assert_int_equal(pwrite(fd, bytes, n, at), n);
    }
    close(fd);
}

static bool says_all(const ncg_error *err, const char *where, const char *why)
{
    const char *const parts[] = {where, why, " bytes", "--spill-dir", "--mem"};
    bool found = !strchr(err->message, '\n');
    for (int i = 0; i < 5; i++)
        found = found && strstr(err->message, parts[i]);
    if (!found)
        fprintf(stderr, "not a clear message: %s\n", err->message);
    return found;
}

/* ---- the file alone ---------------------------------------------------------
 */

static nci_buf *chunk_of(size_t nbytes, int value)
{
    nci_buf *buf = NULL;
    ncg_error err;
    CHECK_OK(nci_buf_create(nbytes, &buf, &err));
    memset(nci_buf_data(buf), value, nbytes);
    return buf;
}

/* Half of it can be compressed, half cannot; several pieces, the last one cut.
 */
static void fill_mixed(nci_buf *buf)
{
    uint8_t *bytes = nci_buf_data(buf);
    size_t n = nci_buf_size(buf);
    uint32_t seed = 1;
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        bytes[i] = i < n / 2 ? (uint8_t)(i / 1000) : (uint8_t)(seed >> 24);
    }
}

static int64_t disk_bytes(void)
{
    struct stat info;
    int fd = open_again();
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &info), 0);
    close(fd);
    return (int64_t)info.st_blocks * 512;
}

static void compressed(void **state)
{
    const size_t size = (3 << 20) + 17;
    nci_buf *chunk = chunk_of(size, 0), *back = NULL;
    ncg_error err;
    (void)state;
    fill_mixed(chunk);
    for (int how = NCG_WIRE_PLAIN; how <= NCG_WIRE_ZSTD; how++) {
        const nci_spill_place place = {dir, (ncg_wire_compression)how};
        nci_spill_file *file = NULL;
        nci_extent *first = NULL, *second = NULL;
        CHECK_OK(nci_spill_file_create(&place, &file, &err));
        CHECK_OK(nci_spill_file_write(file, chunk, &first, &err));
        CHECK_OK(nci_spill_file_write(file, chunk, &second, &err));
        CHECK_OK(nci_spill_file_read(file, first, &back, &err));
        assert_memory_equal(nci_buf_data(back), nci_buf_data(chunk), size);
        nci_buf_release(&back);
        nci_spill_file_drop(file, &first);
        CHECK_OK(nci_spill_file_write(file, chunk, &first, &err));
        for (int i = 0; i < 2; i++) {
            CHECK_OK(nci_spill_file_read(file, i ? first : second, &back,
                                         &err));
            assert_memory_equal(nci_buf_data(back), nci_buf_data(chunk), size);
            nci_buf_release(&back);
        }
        int64_t used = disk_bytes();
        if (how)
            assert_true(used < (int64_t)(2 * size * 7 / 10));
        damage();
        CHECK_STATUS(NCG_ECORRUPT,
                     nci_spill_file_read(file, first, &back, &err));
        assert_null(back);
        nci_spill_file_drop(file, &first);
        nci_spill_file_drop(file, &second);
        nci_spill_file_free(&file);
    }
    nci_buf_release(&chunk);
}

static nci_spill_place place_at(const char *directory)
{
    return (nci_spill_place){.directory = directory};
}

static void chunks_come_back(void **state)
{
    enum { N = 40 };
    const nci_spill_place place = place_at(dir);
    nci_spill_file *file = NULL;
    nci_extent *extents[N] = {0};
    ncg_error err;
    (void)state;
    CHECK_OK(nci_spill_file_create(&place, &file, &err));
    for (int i = 0; i < 4 * N; i++) {
        nci_buf *chunk = chunk_of((size_t)(1 + i % 7 * 1000), i), *back = NULL;
        nci_spill_file_drop(file, &extents[i % N]);
        CHECK_OK(nci_spill_file_write(file, chunk, &extents[i % N], &err));
        assert_int_equal(rmdir(dir), 0); /* nothing has a name in it */
        assert_int_equal(mkdir(dir, 0700), 0);
        CHECK_OK(nci_spill_file_read(file, extents[i % N], &back, &err));
        assert_int_equal(nci_buf_size(back), nci_buf_size(chunk));
        assert_memory_equal(nci_buf_data(back), nci_buf_data(chunk),
                            nci_buf_size(chunk));
        nci_buf_release(&back);
        nci_buf_release(&chunk);
    }
    for (int i = 0; i < N; i++)
        nci_spill_file_drop(file, &extents[i]);
    nci_spill_file_free(&file);
}

/* Writing a chunk must fail, and say why. */
static bool is_refused(const char *where, size_t nbytes, const char *why)
{
    nci_spill_file *file = NULL;
    nci_extent *extent = NULL;
    ncg_error err = {0};
    nci_buf *chunk = chunk_of(nbytes, 1);
    const nci_spill_place place = place_at(where);
    CHECK_OK(nci_spill_file_create(&place, &file, &err));
    ncg_status st = nci_spill_file_write(file, chunk, &extent, &err);
    char bytes[32];
    snprintf(bytes, sizeof bytes, "(%zu bytes)", nbytes);
    bool good = st == NCG_EOUTPUT && !extent && says_all(&err, where, why) &&
                strstr(err.message, bytes);
    nci_spill_file_drop(file, &extent);
    nci_spill_file_free(&file);
    nci_buf_release(&chunk);
    return good;
}

static void damage_is_found(void **state)
{
    nci_spill_file *file = NULL;
    nci_extent *extent = NULL;
    nci_buf *chunk = chunk_of(3000, 7), *back = NULL;
    ncg_error err;
    const nci_spill_place place = place_at(dir);
    (void)state;
    CHECK_OK(nci_spill_file_create(&place, &file, &err));
    CHECK_OK(nci_spill_file_write(file, chunk, &extent, &err));
    damage();
    CHECK_STATUS(NCG_ECORRUPT, nci_spill_file_read(file, extent, &back, &err));
    assert_true(says_all(&err, dir, "checksum"));
    assert_null(back);
    int fd = open_again();
    assert_int_equal(ftruncate(fd, 1000), 0);
    close(fd);
    CHECK_STATUS(NCG_ECORRUPT, nci_spill_file_read(file, extent, &back, &err));
    assert_true(says_all(&err, dir, "short"));
    nci_spill_file_drop(file, &extent);
    nci_spill_file_free(&file);
    nci_buf_release(&chunk);
}

static void memory_runs_out(void **state)
{
    int before = count_descriptors();
    ncg_status st = NCG_ENOMEM;
    (void)state;
    nci_buf *chunk = chunk_of(3000, 7);
    for (int n = 1; st && n < 100; n++) {
        nci_spill_file *file = NULL;
        nci_extent *extent = NULL;
        nci_buf *back = NULL;
        ncg_error err;
        const nci_spill_place place = {dir, NCG_WIRE_LZ4};
        nci_mem_fail_at(n);
        st = nci_spill_file_create(&place, &file, &err);
        if (!st)
            st = nci_spill_file_write(file, chunk, &extent, &err);
        if (!st)
            st = nci_spill_file_read(file, extent, &back, &err);
        nci_mem_fail_at(0);
        assert_true(st == NCG_OK || st == NCG_ENOMEM);
        nci_buf_release(&back);
        if (file)
            nci_spill_file_drop(file, &extent);
        nci_spill_file_free(&file);
        assert_int_equal(count_descriptors(), before);
    }
    assert_int_equal(st, NCG_OK);
    nci_buf_release(&chunk);
}

/* ---- a run through the executor
 * ---------------------------------------------- */

typedef struct made_up {
    bool damages;         /* what was spilled */
    _Atomic int64_t puts; /* of outputs */
} made_up;

static ncg_status work_run(void *ctx, const nci_task_env *env, int64_t task,
                           const nci_dep *deps, int64_t ndeps, nci_buf **out,
                           ncg_error *err)
{
    const made_up *m = ctx;
    (void)deps;
    (void)ndeps;
    if (m->damages)
        damage();
    size_t nbytes = (size_t)nci_plan_bytes(env->plan, task);
    NCI_TRY(nci_buf_create(nbytes, out, err));
    memset(nci_buf_data(*out), (int)task, nbytes);
    return NCG_OK;
}

static int64_t work_scratch(void *ctx, int64_t task, int threads)
{
    (void)ctx;
    (void)task;
    (void)threads;
    return 0;
}

static int work_threads(void *ctx, int64_t task, int available)
{
    (void)ctx;
    (void)task;
    (void)available;
    return 1;
}

static ncg_status count_put(void *ctx, int output, const int64_t *index,
                            const nci_buf *encoded, ncg_error *err)
{
    made_up *m = ctx;
    (void)output;
    (void)index;
    (void)encoded;
    (void)err;
    atomic_fetch_add(&m->puts, 1);
    return NCG_OK;
}

static ncg_status run(nci_executor *x, const nci_plan *plan, bool damages,
                      nci_run_stats *stats, ncg_error *err)
{
    made_up m = {.damages = damages};
    nci_work work = {&m, work_run, work_scratch, work_threads, 0,
                     NULL};
    nci_sink sink = {.ctx = &m, .put = count_put};
    return nci_executor_run_work(x, plan, NULL, &work, &sink, NULL, NULL, NULL,
                                 stats, err);
}

static nci_executor *executor_of(int64_t limit, const char *where)
{
    nci_executor_options options = {
        .threads = 1, .memory_limit = limit, .spill_directory = where};
    nci_executor *x = NULL;
    ncg_error err;
    CHECK_OK(nci_executor_create(&options, &x, &err));
    return x;
}

typedef struct spilling {
    nci_plan *plan;
    int64_t limit; /* below the peak, not below the largest task */
} spilling;

/* A plan that spills under a limit, and what was spilled was read again. */
static spilling spilling_plan(uint64_t *seed)
{
    for (; *seed < 2000; ++*seed) {
        uint64_t s = *seed;
        nci_run_stats stats = {0};
        ncg_error err;
        nci_plan *plan = rnd_plan(&s, 4);
        nci_executor *x = executor_of(INT64_MAX / 4, dir);
        CHECK_OK(run(x, plan, false, &stats, &err));
        nci_executor_destroy(&x);
        for (int64_t limit = stats.peak / 2; limit < stats.peak;
             limit += 1 + stats.peak / 16) {
            x = executor_of(limit, dir);
            ncg_status st = run(x, plan, true, &stats, &err);
            nci_executor_destroy(&x);
            if (st == NCG_ECORRUPT)
                return (spilling){plan, limit};
            assert_true(st == NCG_OK || st == NCG_EBUDGET);
        }
        nci_plan_free(&plan);
    }
    return (spilling){0};
}

/* The run ends with the error, and the next one of the same executor, where
 * `repair` made the disk good, is as it should be. */
static bool run_fails(const spilling *s, const char *where, const char *why,
                      void (*repair)(void))
{
    int before = count_descriptors();
    ncg_error err = {0};
    nci_executor *x = executor_of(s->limit, where);
    ncg_status st = run(x, s->plan, false, NULL, &err);
    bool good = st == NCG_EOUTPUT && err.status == st &&
                says_all(&err, where, why) && !nci_executor_managed(x);
    if (repair) {
        repair();
        st = run(x, s->plan, false, NULL, &err);
        good = good && !st;
    }
    nci_executor_destroy(&x);
    return good && count_descriptors() == before;
}

/* ---- ways to fail
 * ---------------------------------------------------------------- */

static spilling plan_to_spill;

static int find_plan(void **state)
{
    uint64_t seed = 1;
    int before;
    if (make_dir(state))
        return -1;
    before = count_descriptors();
    plan_to_spill = spilling_plan(&seed);
    return plan_to_spill.plan && count_descriptors() == before ? 0 : -1;
}

static int free_plan(void **state)
{
    nci_plan_free(&plan_to_spill.plan);
    return remove_dir(state);
}

static char other[96]; /* a directory in `dir` */

static void make_other(void)
{
    assert_int_equal(mkdir(other, 0700), 0);
}

static void no_such_directory(void **state)
{
    (void)state;
    snprintf(other, sizeof other, "%s/no-such", dir);
    assert_true(is_refused(other, 1234567, "No such file or directory"));
    assert_true(run_fails(&plan_to_spill, other, "No such file", make_other));
    assert_int_equal(rmdir(other), 0); /* empty again */
    assert_true(is_refused("/dev/null", 100, "Not a directory"));
}

static void allow_other(void)
{
    assert_int_equal(seteuid(getuid()), 0);
    assert_int_equal(chmod(other, 0700), 0);
}

/* The superuser becomes somebody else for the moment. */
static void not_writable(void **state)
{
    (void)state;
    snprintf(other, sizeof other, "%s/locked", dir);
    assert_int_equal(mkdir(other, 0500), 0);
    assert_int_equal(chmod(dir, 0755), 0);
    if (!getuid())
        assert_int_equal(seteuid(65534), 0);
    bool refused = is_refused(other, 1234567, "Permission denied");
    bool failed =
        run_fails(&plan_to_spill, other, "Permission denied", allow_other);
    assert_true(refused && failed);
    assert_int_equal(rmdir(other), 0);
}

static struct rlimit sizes_before;

static void any_size(void)
{
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &sizes_before), 0);
}

static void a_limit_of_file_sizes(void **state)
{
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &sizes_before), 0);
    struct rlimit limit = {10, sizes_before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    bool refused = is_refused(dir, 1234567, "File too large");
    bool failed = run_fails(&plan_to_spill, dir, "File too large", any_size);
    any_size();
    assert_true(refused && failed);
}

/* A file system of its own, where the process may mount one; filled but for a
 * page before the run. */
static int on_small_disk(void)
{
    char path[96];
    static const char page[4096];
    if (unshare(CLONE_NEWNS) ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", dir, "tmpfs", 0, "size=1048576"))
        return CANNOT;
    if (!is_refused(dir, 2 << 20, "No space left"))
        return WRONG;
    snprintf(path, sizeof path, "%s/filler", dir);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    while (write(fd, page, sizeof page) == (ssize_t)sizeof page)
        ;
    close(fd);
    return run_fails(&plan_to_spill, dir, "No space left", NULL) ? PASSED
                                                                 : WRONG;
}

static void a_full_disk(void **state)
{
    int status;
    (void)state;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child)
        _exit(on_small_disk());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == CANNOT) {
        print_message("not run: this process may not mount a file system\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), PASSED);
}

static void damage_ends_the_run(void **state)
{
    int before = count_descriptors();
    ncg_error err = {0};
    (void)state;
    nci_executor *x = executor_of(plan_to_spill.limit, dir);
    CHECK_STATUS(NCG_ECORRUPT, run(x, plan_to_spill.plan, true, NULL, &err));
    assert_true(says_all(&err, dir, "checksum"));
    assert_int_equal(nci_executor_managed(x), 0);
    CHECK_OK(run(x, plan_to_spill.plan, false, NULL, &err));
    nci_executor_destroy(&x);
    assert_int_equal(count_descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest file[] = {NCG_TEST(chunks_come_back),
                                      NCG_TEST(compressed),
                                      NCG_TEST(damage_is_found),
                                      NCG_TEST(memory_runs_out)};
    const struct CMUnitTest runs[] = {
        NCG_TEST(no_such_directory), NCG_TEST(not_writable),
        NCG_TEST(a_limit_of_file_sizes), NCG_TEST(a_full_disk),
        NCG_TEST(damage_ends_the_run)};
    int failed = cmocka_run_group_tests(file, make_dir, remove_dir);
    return failed + cmocka_run_group_tests(runs, find_plan, free_plan);
}
