/* SPDX-License-Identifier: BSD-3-Clause */
#include "io/write/append.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "io/library.h"
#include "io/library_calls.h"
#include "io/write/define.h"
#include "io/write/target.h"

struct nci_append {
    nci_target target; /* of the copy; not used in place */
    char *path;        /* for messages */
    bool in_place;
    int ncid; /* under the library's mutex; -1: not open */
};

/* ---- the copy ------------------------------------------------------------ */

enum { COPY_BYTES = 1 << 20 };

static int write_all(int fd, const char *data, size_t n)
{
    while (n) {
        ssize_t done = write(fd, data, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return errno;
        data += done;
        n -= (size_t)done;
    }
    return 0;
}

static int copy_bytes(int from, int to)
{
    char *buffer = nci_alloc(COPY_BYTES);
    int code = buffer ? 0 : ENOMEM;
    while (!code) {
        ssize_t n = read(from, buffer, COPY_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            code = n < 0 ? errno : 0;
            break;
        }
        code = write_all(to, buffer, (size_t)n);
    }
    nci_free(buffer);
    return code;
}

/* Shares the blocks where the file system can; lets it copy where it can. */
static int copy_file(int from, int to)
{
    struct stat info;
    if (!ioctl(to, FICLONE, from))
        return 0;
    if (fstat(from, &info))
        return errno;
    for (off_t left = info.st_size; left > 0;) {
        ssize_t n = copy_file_range(from, NULL, to, NULL, (size_t)left, 0);
        if (n <= 0 && left == info.st_size)
            return copy_bytes(from, to);
        if (n < 0)
            return errno;
        if (n == 0)
            return EIO; /* it became shorter meanwhile */
        left -= n;
    }
    return 0;
}

static ncg_status fail_path(ncg_error *err, int code, const char *path,
                            const char *what)
{
    ncg_status st = code == ENOENT   ? NCG_ENOTFOUND
                    : code == ENOMEM ? NCG_ENOMEM
                                     : NCG_EOUTPUT;
    return nci_fail_sys(err, st, code, "%s: %s: %s", path, what,
                        strerror(code));
}

static ncg_status make_copy(nci_append *a, ncg_error *err)
{
    struct stat info;
    int from = open(a->path, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return fail_path(err, errno, a->path, "cannot be extended");
    ncg_status st = NCG_OK;
    if (!fstat(from, &info))
        st = nci_target_open(a->path, true, &a->target, err);
    else
        st = fail_path(err, errno, a->path, "cannot be extended");
    if (!st)
        st = nci_target_check_limit(&a->target, info.st_size, err);
    if (!st) {
        int to = open(a->target.temp, O_WRONLY | O_CLOEXEC);
        int code = to < 0 ? errno : copy_file(from, to);
        if (to >= 0 && close(to) && !code)
            code = errno;
        if (code)
            st = fail_path(err, code, a->path, "copying");
    }
    close(from);
    return st;
}

/* ---- opening ------------------------------------------------------------- */

static ncg_status open_library(nci_append *a, ncg_error *err)
{
    const char *file = a->in_place ? a->path : a->target.temp;
    NCI_TRY(nci_library_enter(err));
    int code = nc_open(file, NC_WRITE, &a->ncid);
    if (code)
        a->ncid = -1;
    /* Chunks are written whole: fill values of what follows are not needed,
     * but a region may leave gaps, so the library's fill mode stays. */
    ncg_status st =
        code ? nci_fail_write(err, code, a->path, "opening") : NCG_OK;
    nci_library_unlock();
    return st;
}

static void append_free(nci_append *a)
{
    nci_target_fini(&a->target);
    nci_free(a->path);
    nci_free(a);
}

ncg_status nci_append_open(const char *path, bool in_place, nci_append **out,
                           ncg_error *err)
{
    nci_append *a = nci_calloc(1, sizeof *a);
    ncg_status st = NCG_OK;
    if (!a)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    a->ncid = -1;
    a->target.slot = -1;
    a->target.mode = -1;
    a->in_place = in_place;
    a->path = nci_strdup(path);
    if (!a->path)
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    else if (in_place && access(path, W_OK))
        st = fail_path(err, errno, path, "cannot be extended");
    else if (!in_place)
        st = make_copy(a, err);
    if (!st)
        st = open_library(a, err);
    if (st)
        nci_append_abandon(&a);
    else
        *out = a;
    return st;
}

/* ---- writing ------------------------------------------------------------- */

/* The group and id of a variable by its path. */
static int find_var(nci_append *a, const char *name, int *group, int *id)
{
    const char *slash = strrchr(name, '/');
    *group = a->ncid;
    if (slash && slash != name) {
        char *path = nci_strndup(name, (size_t)(slash - name));
        if (!path)
            return NC_ENOMEM;
        int code = nc_inq_grp_full_ncid(a->ncid, path, group);
        nci_free(path);
        if (code)
            return code;
    }
    return nc_inq_varid(*group, slash ? slash + 1 : name, id);
}

ncg_status nci_append_put(nci_append *a, const char *var, int rank,
                          const int64_t *start, const int64_t *count,
                          const void *data, ncg_error *err)
{
    size_t from[NCG_MAX_RANK] = {0}, size[NCG_MAX_RANK] = {0};
    int group, id;
    for (int d = 0; d < rank; d++) {
        from[d] = (size_t)start[d];
        size[d] = (size_t)count[d];
    }
    nci_library_lock();
    int code = find_var(a, var, &group, &id);
    if (!code)
        code = nc_put_vara(group, id, from, size, data);
    char what[300];
    snprintf(what, sizeof what, "variable %.200s", var);
    ncg_status st = code ? nci_fail_write(err, code, a->path, what) : NCG_OK;
    nci_library_unlock();
    return st;
}

static int read_history(int ncid, char **out)
{
    nc_type type;
    size_t n;
    *out = NULL;
    if (nc_inq_att(ncid, NC_GLOBAL, "history", &type, &n) || type != NC_CHAR)
        return NC_NOERR;
    *out = nci_calloc(n + 1, 1);
    return *out ? nc_get_att_text(ncid, NC_GLOBAL, "history", *out) : NC_ENOMEM;
}

ncg_status nci_append_history(nci_append *a, const char *line, ncg_error *err)
{
    char *old = NULL, *lines = NULL;
    nci_text text = {0};
    nci_library_lock();
    int code = read_history(a->ncid, &old);
    nci_text_add(&text, "%s%s%s", line, old && *old ? "\n" : "",
                 old ? old : "");
    lines = nci_text_take(&text);
    if (!code && !lines)
        code = NC_ENOMEM;
    int mode = code ? code : nc_redef(a->ncid);
    if (!code)
        code = nc_put_att_text(a->ncid, NC_GLOBAL, "history", strlen(lines),
                               lines);
    if (!mode)
        (void)nc_enddef(a->ncid);
    ncg_status st =
        code ? nci_fail_write(err, code, a->path, "history") : NCG_OK;
    nci_library_unlock();
    nci_free(old);
    nci_free(lines);
    return st;
}

/* ---- the end ------------------------------------------------------------- */

static int close_library(nci_append *a)
{
    nci_library_lock();
    int code = a->ncid >= 0 ? nc_close(a->ncid) : NC_NOERR;
    a->ncid = -1;
    nci_library_unlock();
    return code;
}

static ncg_status sync_file(const nci_append *a, ncg_error *err)
{
    int fd = open(a->path, O_RDWR | O_CLOEXEC);
    int code = fd < 0 || fsync(fd) ? errno : 0;
    if (fd >= 0)
        close(fd);
    return code ? fail_path(err, code, a->path, "synchronising") : NCG_OK;
}

ncg_status nci_append_finish(nci_append **slot, ncg_error *err)
{
    nci_append *a = *slot;
    int code = close_library(a);
    if (code)
        return nci_fail_write(err, code, a->path, "closing");
    NCI_TRY(a->in_place ? sync_file(a, err)
                        : nci_target_commit(&a->target, err));
    append_free(a);
    *slot = NULL;
    return NCG_OK;
}

void nci_append_abandon(nci_append **slot)
{
    nci_append *a = *slot;
    *slot = NULL;
    if (!a)
        return;
    if (!a->in_place)
        nci_target_discard(&a->target);
    (void)close_library(a);
    append_free(a);
}
