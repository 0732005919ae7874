/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many threads and many files: opens and reads in parallel give the same
 * values, few descriptors serve a thousand files, and files outlive the
 * context that opened them.
 */
#include "forms.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "io/fd_cache.h"
#include "io/io.h"

enum { THREADS = 4 };

typedef struct job {
    nci_io *io;
    nci_file *shared;
    char **paths;
    int npaths, first, rounds;
    char message[500];
} job;

static bool check_v(nci_file *file, ncg_error *err)
{
    const nci_header *header = nci_file_header(file);
    int v = nci_header_find_var(header, "v");
    int64_t shape[NCG_MAX_RANK];
    nci_var_shape(header, &header->vars[v], shape);
    nci_box box = nci_box_whole(header->vars[v].rank, shape);
    int64_t n = nci_box_size(&box);
    float *values = calloc((size_t)n, sizeof *values);
    bool ok = !nci_file_read_box(file, v, &box, values, err);
    for (int64_t i = 0; ok && i < n; i++)
        if (values[i] != (float)form_value(i)) {
            snprintf(err->message, sizeof err->message, "wrong value");
            ok = false;
        }
    free(values);
    return ok;
}

static void *work(void *arg)
{
    job *j = arg;
    ncg_error err = {0};
    for (int r = 0; r < j->rounds; r++) {
        if (j->shared && !check_v(j->shared, &err))
            goto failed;
        for (int i = 0; i < j->npaths; i++) {
            nci_file *file = NULL;
            const char *path = j->paths[(i + j->first) % j->npaths];
            if (nci_file_open(j->io, path, &file, &err))
                goto failed;
            bool ok = check_v(file, &err);
            nci_file_release(&file);
            if (!ok)
                goto failed;
        }
    }
    return NULL;
failed:
    memcpy(j->message, err.message, sizeof j->message);
    return NULL;
}

static void run(job model)
{
    pthread_t threads[THREADS];
    job jobs[THREADS];
    for (int t = 0; t < THREADS; t++) {
        jobs[t] = model;
        jobs[t].message[0] = '\0';
        jobs[t].first = model.npaths * t / THREADS;
        pthread_create(&threads[t], NULL, work, &jobs[t]);
    }
    for (int t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    for (int t = 0; t < THREADS; t++)
        if (jobs[t].message[0])
            fail_msg("thread %d: %s", t, jobs[t].message);
}

static void shuffle_deflate(hid_t dcpl)
{
    H5Pset_shuffle(dcpl);
    H5Pset_deflate(dcpl, 1);
}

static void scaleoffset(hid_t dcpl)
{
    H5Pset_scaleoffset(dcpl, H5Z_SO_FLOAT_DSCALE, 2);
}

static void make_one(const char *path, int kind)
{
    form f = {.rank = 2,
              .shape = {12, 20},
              .chunk = {5, 8},
              .type = H5T_IEEE_F32LE,
              .setup = shuffle_deflate};
    if (kind == 1)
        f.setup = scaleoffset;
    f.is_latest = kind == 2;
    form_make(&f, path);
}

static void same_file_in_parallel(void **state)
{
    (void)state;
    ncg_error err;
    for (int kind = 0; kind < 3; kind++) {
        const char *path = form_path("same.h5");
        char *paths[] = {(char *)(uintptr_t)path};
        nci_io *io = NULL;
        nci_file *file = NULL;
        make_one(path, kind);
        CHECK_OK(nci_io_create(NULL, &io, &err));
        CHECK_OK(nci_file_open(io, path, &file, &err));
        run((job){.io = io,
                  .shared = file,
                  .paths = paths,
                  .npaths = 1,
                  .rounds = 20});
        nci_file_release(&file);
        nci_io_destroy(&io);
        unlink(path);
    }
}

static void file_outlives_context(void **state)
{
    (void)state;
    ncg_error err = {0};
    nci_io *io = NULL;
    nci_file *file = NULL, *more = NULL;
    const char *path = form_path("long.h5");
    make_one(path, 1);
    CHECK_OK(nci_io_create(NULL, &io, &err));
    CHECK_OK(nci_file_open(io, path, &file, &err));
    nci_io_destroy(&io);
    more = nci_file_retain(file);
    nci_file_release(&file);
    assert_true(check_v(more, &err));
    nci_file_release(&more);
    unlink(path);
}

/* As `ulimit -n 64`: a thousand files, all held open by their users. */
static void thousand_files_with_64_descriptors(void **state)
{
    (void)state;
    enum { FILES = 1000 };
    ncg_error err = {0};
    struct rlimit keep, few;
    nci_io *io = NULL;
    char dir[512], *paths[FILES];
    nci_file *files[FILES];
    snprintf(dir, sizeof dir, "%s", form_path("many"));
    mkdir(dir, 0700);
    for (int i = 0; i < FILES; i++) {
        char path[600];
        snprintf(path, sizeof path, "%s/%d.h5", dir, i);
        paths[i] = strdup(path);
        if (i < 4)
            make_one(path, i % 2);
        else
            assert_int_equal(link(paths[i % 4], path), 0);
    }
    getrlimit(RLIMIT_NOFILE, &keep);
    few = keep;
    few.rlim_cur = 64;
    setrlimit(RLIMIT_NOFILE, &few);
    CHECK_OK(nci_io_create(NULL, &io, &err));
    for (int i = 0; i < FILES; i++)
        CHECK_OK(nci_file_open(io, paths[i], &files[i], &err));
    for (int i = 0; i < FILES; i++)
        if (!check_v(files[i], &err))
            fail_msg("%s", err.message);
    run((job){.io = io, .paths = paths, .npaths = FILES / 4, .rounds = 1});
    for (int i = 0; i < FILES; i++)
        nci_file_release(&files[i]);
    nci_io_destroy(&io);
    setrlimit(RLIMIT_NOFILE, &keep);
    for (int i = 0; i < FILES; i++) {
        unlink(paths[i]);
        free(paths[i]);
    }
    rmdir(dir);
}

typedef struct pin_job {
    nci_fd_cache *cache;
    nci_fd_slot *slots;
    int nslots, seed;
    bool failed;
} pin_job;

static void *pin_and_unpin(void *arg)
{
    pin_job *j = arg;
    unsigned x = (unsigned)j->seed;
    for (int i = 0; i < 2000; i++) {
        int fd;
        char byte;
        x = x * 1103515245 + 12345;
        nci_fd_slot *slot = &j->slots[x / 65536 % (unsigned)j->nslots];
        if (nci_fd_pin(j->cache, slot, &fd, NULL)) {
            j->failed = true;
            return NULL;
        }
        if (pread(fd, &byte, 1, 0) != 1)
            j->failed = true;
        nci_fd_unpin(j->cache, slot);
    }
    return NULL;
}

static void few_slots_many_threads(void **state)
{
    (void)state;
    enum { SLOTS = 9 };
    nci_fd_cache cache;
    nci_fd_slot slots[SLOTS];
    pthread_t threads[THREADS];
    pin_job jobs[THREADS];
    const char *path = form_path("pin.h5");
    make_one(path, 0);
    for (int capacity = 1; capacity <= 5; capacity += 2) {
        nci_fd_cache_init(&cache, capacity);
        for (int i = 0; i < SLOTS; i++) {
            int fd;
            nci_fd_slot_init(&slots[i], path);
            assert_int_equal(nci_fd_pin(&cache, &slots[i], &fd, NULL), 0);
            nci_fd_unpin(&cache, &slots[i]);
            assert_true(cache.nopen <= capacity);
        }
        for (int t = 0; t < THREADS; t++) {
            jobs[t] = (pin_job){&cache, slots, SLOTS, t + 1, false};
            pthread_create(&threads[t], NULL, pin_and_unpin, &jobs[t]);
        }
        for (int t = 0; t < THREADS; t++) {
            pthread_join(threads[t], NULL);
            assert_false(jobs[t].failed);
        }
        for (int i = 0; i < SLOTS; i++)
            nci_fd_close(&cache, &slots[i]);
        assert_int_equal(cache.nopen, 0);
        nci_fd_cache_fini(&cache);
    }
    unlink(path);
}

NCG_TESTS(NCG_TEST(same_file_in_parallel), NCG_TEST(file_outlives_context),
          NCG_TEST(thousand_files_with_64_descriptors),
          NCG_TEST(few_slots_many_threads))
