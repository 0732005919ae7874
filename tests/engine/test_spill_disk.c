/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The disk that chunks are spilled to fails: no such directory, not writable,
 * full, bytes that come back changed. Each is one line that names directory,
 * bytes and remedy, and ends a run of the executor, which is as good as new
 * afterwards: no file, no descriptor and no byte is left.
 */
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "graph/random_nodes.h"
#include "spill_disk.h"

enum { PASSED, WRONG, CANNOT };

/* ---- a run through the executor */

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
    nci_work work = {&m, work_run, work_scratch, work_threads, 0, NULL};
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
        nci_executor *x = executor_of(INT64_MAX / 4, folder);
        CHECK_OK(run(x, plan, false, &stats, &err));
        nci_executor_destroy(&x);
        for (int64_t limit = stats.peak / 2; limit < stats.peak;
             limit += 1 + stats.peak / 16) {
            x = executor_of(limit, folder);
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

/* ---- ways to fail */

static spilling plan_to_spill;

static int find_plan(void **state)
{
    uint64_t seed = 1;
    int before;
    signal(SIGXFSZ, SIG_DFL); /* must not be met */
    if (make_folder(state))
        return -1;
    before = count_descriptors();
    plan_to_spill = spilling_plan(&seed);
    return plan_to_spill.plan && count_descriptors() == before ? 0 : -1;
}

static int free_plan(void **state)
{
    nci_plan_free(&plan_to_spill.plan);
    return drop_folder(state);
}

static char other[96]; /* a directory in the folder */

static void make_other(void)
{
    assert_int_equal(mkdir(other, 0700), 0);
}

static void no_such_directory(void **state)
{
    (void)state;
    snprintf(other, sizeof other, "%s/no-such", folder);
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
    snprintf(other, sizeof other, "%s/locked", folder);
    assert_int_equal(mkdir(other, 0500), 0);
    assert_int_equal(chmod(folder, 0755), 0);
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
    bool refused = is_refused(folder, 1234567, "File too large");
    bool failed = run_fails(&plan_to_spill, folder, "File too large", any_size);
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
        mount("tmpfs", folder, "tmpfs", 0, "size=1048576"))
        return CANNOT;
    if (!is_refused(folder, 2 << 20, "No space left"))
        return WRONG;
    snprintf(path, sizeof path, "%s/filler", folder);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    while (write(fd, page, sizeof page) == (ssize_t)sizeof page)
        ;
    close(fd);
    return run_fails(&plan_to_spill, folder, "No space left", NULL) ? PASSED
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
    nci_executor *x = executor_of(plan_to_spill.limit, folder);
    CHECK_STATUS(NCG_ECORRUPT, run(x, plan_to_spill.plan, true, NULL, &err));
    assert_true(says_all(&err, folder, "checksum"));
    assert_int_equal(nci_executor_managed(x), 0);
    CHECK_OK(run(x, plan_to_spill.plan, false, NULL, &err));
    nci_executor_destroy(&x);
    assert_int_equal(count_descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NCG_TEST(no_such_directory), NCG_TEST(not_writable),
        NCG_TEST(a_limit_of_file_sizes), NCG_TEST(a_full_disk),
        NCG_TEST(damage_ends_the_run)};
    return cmocka_run_group_tests(tests, find_plan, free_plan);
}
