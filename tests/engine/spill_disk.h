/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_TESTS_ENGINE_SPILL_DISK_H
#define NCG_TESTS_ENGINE_SPILL_DISK_H
/* The spill file of this process, seen from outside: it has no name, but a
 * descriptor. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "engine/executor_internal.h"
#include "engine/spill_file.h"
#include "folder.h"

static inline int count_descriptors(void)
{
    int n = 0;
    DIR *all = opendir("/proc/self/fd");
    while (readdir(all))
        n++;
    closedir(all);
    return n;
}

/* Another descriptor of the spill file, -1: there is none. */
static inline int open_again(void)
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
static inline void damage(void)
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

static inline bool says_all(const ncg_error *err, const char *where,
                            const char *why)
{
    const char *const parts[] = {where, why, " bytes", "--spill-dir", "--mem"};
    bool found = !strchr(err->message, '\n');
    for (int i = 0; i < 5; i++)
        found = found && strstr(err->message, parts[i]);
    if (!found)
        fprintf(stderr, "not a clear message: %s\n", err->message);
    return found;
}

static inline nci_buf *chunk_of(size_t nbytes, int value)
{
    nci_buf *buf = NULL;
    ncg_error err;
    CHECK_OK(nci_buf_create(nbytes, &buf, &err));
    memset(nci_buf_data(buf), value, nbytes);
    return buf;
}

static inline nci_spill_place place_at(const char *directory)
{
    return (nci_spill_place){.directory = directory};
}

/* Writing a chunk must fail, and say why. */
static inline bool is_refused(const char *where, size_t nbytes, const char *why)
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

#endif
