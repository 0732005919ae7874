/* SPDX-License-Identifier: BSD-3-Clause */
/* A full disk and a limit of file sizes: one clear error, no file, no crash,
 * not even when the process ends. Each case runs in a process of its own. */
#include "io/write/writer.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "folder.h"

enum { PASSED = 0, CANNOT = 77, WRONG = 1, UNEXPECTED = 2 };

static nci_header *make_header(void)
{
    nci_header *h = nci_header_create("none");
    nci_header_add_dim(h, "t", 64, true);
    nci_header_add_dim(h, "x", 65536, false);
    nci_var *v = nci_header_add_var(h, "T", NCG_DTYPE_F32, 2, (int[]){0, 1});
    v->storage.chunk[0] = 1;
    v->storage.chunk[1] = 65536;
    return h;
}

/* Writes 16 MiB of noise until something fails. */
static ncg_status write_noise(const char *format, int deflate, ncg_error *err)
{
    nci_header *h = make_header();
    nci_write_options options = {format, deflate, true};
    nci_writer *writer = NULL;
    char path[128];
    uint32_t *noise = malloc(65536 * sizeof *noise), seed = 1;
    snprintf(path, sizeof path, "%s/full.nc", folder);
    ncg_status st = nci_writer_create(path, h, &options, &writer, err);
    for (int64_t t = 0; !st && t < 64; t++) {
        nci_buf *buf = NULL;
        for (int i = 0; i < 65536; i++)
            noise[i] = seed = seed * 1664525u + 1013904223u;
        st = nci_writer_encode(writer, 0, (int64_t[]){1, 65536}, noise, &buf,
                               err);
        if (!st)
            st = nci_writer_put(writer, 0, (int64_t[]){t, 0}, buf, err);
        nci_buf_release(&buf);
    }
    if (!st)
        st = nci_writer_finish(&writer, err);
    nci_writer_abandon(&writer);
    nci_header_free(&h);
    free(noise);
    return st;
}

/* Every format must end with EOUTPUT and leave nothing. */
static int expect_full(const char *text)
{
    static const char *const formats[] = {"nc4", "nc4c", "nc3", "nc5"};
    for (int i = 0; i < 8; i++) {
        ncg_error err = {0};
        ncg_status st = write_noise(formats[i / 2], i % 2, &err);
        if (st != NCG_EOUTPUT || !strstr(err.message, text) ||
            !strstr(err.message, "full.nc") || count_in_folder()) {
            fprintf(stderr, "%s: %s: %s\n", formats[i / 2], ncg_status_name(st),
                    err.message);
            return WRONG;
        }
    }
    return PASSED;
}

static int run(int (*body)(long), long argument)
{
    int status;
    assert_int_equal(make_folder(NULL), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child)
        exit(body(argument));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(clear_folder(NULL), 0);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int with_limit(long nbytes)
{
    struct rlimit limit = {(rlim_t)nbytes, (rlim_t)nbytes};
    signal(SIGXFSZ, SIG_DFL); /* must not be met */
    if (setrlimit(RLIMIT_FSIZE, &limit))
        return CANNOT;
    return expect_full("File too large");
}

static void a_limit_of_file_sizes(void **state)
{
    (void)state;
    long limits[] = {1, 20000, 60000, 300000, 5000000};
    for (int i = 0; i < 5; i++)
        assert_int_equal(run(with_limit, limits[i]), PASSED);
}

/* A file system of its own, where the process may mount one. */
static int with_disk(long nbytes)
{
    char options[64];
    snprintf(options, sizeof options, "size=%ld", nbytes);
    if (unshare(CLONE_NEWNS) ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", folder, "tmpfs", 0, options))
        return CANNOT;
    return expect_full("No space left");
}

static void a_full_disk(void **state)
{
    (void)state;
    long sizes[] = {4096, 16384, 49152, 65536, 1 << 20, 8 << 20};
    for (int i = 0; i < 6; i++) {
        int code = run(with_disk, sizes[i]);
        if (code == CANNOT) {
            print_message("not run: no right to mount a small file system\n");
            skip();
        }
        assert_int_equal(code, PASSED);
    }
}

NCG_TESTS(NCG_TEST(a_limit_of_file_sizes), NCG_TEST(a_full_disk))
