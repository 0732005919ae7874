/* SPDX-License-Identifier: BSD-3-Clause */
#include "io/write/target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"

/* ---- table of temporary files ------------------------------------------ */

/* Static, so that a signal handler may read it. A slot's path is written while
 * its state is SLOT_FILLING and only read while it is SLOT_LIVE. */
enum { SLOT_FREE, SLOT_FILLING, SLOT_LIVE, MAX_SLOTS = 64 };

static struct slot {
    atomic_int state;
    char path[PATH_MAX];
} slots[MAX_SLOTS];

static int slot_claim(const char *path)
{
    for (int i = 0; i < MAX_SLOTS && strlen(path) < PATH_MAX; i++) {
        int expected = SLOT_FREE;
        if (atomic_compare_exchange_strong(&slots[i].state, &expected,
                                           SLOT_FILLING)) {
            memcpy(slots[i].path, path, strlen(path) + 1);
            atomic_store(&slots[i].state, SLOT_LIVE);
            return i;
        }
    }
    return -1;
}

static void slot_free(int *slot)
{
    if (*slot >= 0)
        atomic_store(&slots[*slot].state, SLOT_FREE);
    *slot = -1;
}

void nci_target_remove_all(void)
{
    for (int i = 0; i < MAX_SLOTS; i++)
        if (atomic_load(&slots[i].state) == SLOT_LIVE)
            unlink(slots[i].path);
}

/* ---- checks ------------------------------------------------------------ */

static ncg_status fail_errno(ncg_error *err, int code, const char *path,
                             const char *what)
{
    return nci_fail_sys(err, code == ENOMEM ? NCG_ENOMEM : NCG_EOUTPUT, code,
                        "cannot write %s: %s%s%s", path, what,
                        *what ? ": " : "", strerror(code));
}

/* An existing target: may it be replaced, and by a file of which mode? */
static ncg_status check_existing(nci_target *target, const struct stat *info,
                                 ncg_error *err)
{
    if (S_ISDIR(info->st_mode))
        return nci_fail_sys(err, NCG_EOUTPUT, EISDIR,
                            "cannot write %s: it is a directory; name a file",
                            target->path);
    if (!S_ISREG(info->st_mode))
        return nci_fail(err, NCG_EOUTPUT,
                        "cannot write %s: it is not a regular file",
                        target->path);
    if (!target->overwrite)
        return nci_fail_sys(err, NCG_EEXISTS, EEXIST,
                            "%s exists; ask for overwriting to replace it (-O)",
                            target->path);
    if (access(target->final, W_OK))
        return fail_errno(err, errno, target->path, "the file is protected");
    target->mode = (int)(info->st_mode & 07777);
    return NCG_OK;
}

/* The directory's name is resolved before any computing, so that a later
 * chdir does no harm and the message names what is missing. */
static ncg_status resolve_dir(nci_target *target, ncg_error *err)
{
    const char *slash = strrchr(target->path, '/');
    size_t length = slash ? (size_t)(slash - target->path) : 1;
    char *dir = nci_strndup(slash ? target->path : ".", length ? length : 1);
    char resolved[PATH_MAX];
    if (!dir)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    if (!realpath(dir, resolved)) {
        int code = errno;
        ncg_status st =
            code == ENOENT
                ? nci_fail_sys(err, NCG_EOUTPUT, code,
                               "cannot write %s: directory %s does not exist",
                               target->path, dir)
                : fail_errno(err, code, target->path, dir);
        nci_free(dir);
        return st;
    }
    nci_free(dir);
    target->dir = nci_strdup(resolved);
    return target->dir ? NCG_OK : nci_fail(err, NCG_ENOMEM, "out of memory");
}

/* A symbolic link is followed, so that its file is replaced, not the link. */
static ncg_status follow_link(nci_target *target, ncg_error *err)
{
    char resolved[PATH_MAX];
    if (!realpath(target->final, resolved))
        return fail_errno(err, errno, target->path, "symbolic link");
    char *final = nci_strdup(resolved);
    char *dir =
        nci_strndup(resolved, (size_t)(strrchr(resolved, '/') - resolved));
    if (!final || !dir) {
        nci_free(final);
        nci_free(dir);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    nci_free(target->final);
    nci_free(target->dir);
    target->final = final;
    target->dir = dir;
    return NCG_OK;
}

static ncg_status resolve(nci_target *target, ncg_error *err)
{
    const char *slash = strrchr(target->path, '/');
    const char *name = slash ? slash + 1 : target->path;
    struct stat info;
    if (!*target->path)
        return nci_fail(err, NCG_EOUTPUT, "no name for the output file");
    NCI_TRY(resolve_dir(target, err));
    if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
        return nci_fail_sys(err, NCG_EOUTPUT, EISDIR,
                            "cannot write %s: it is a directory; name a file",
                            target->path);
    nci_text final = {0};
    nci_text_add(&final, "%s/%s", strcmp(target->dir, "/") ? target->dir : "",
                 name);
    target->final = nci_text_take(&final);
    if (!target->final)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    if (!lstat(target->final, &info) && S_ISLNK(info.st_mode))
        NCI_TRY(follow_link(target, err));
    if (!stat(target->final, &info))
        return check_existing(target, &info, err);
    return errno == ENOENT ? NCG_OK : fail_errno(err, errno, target->path, "");
}

/* ---- the temporary file ------------------------------------------------ */

static char *temp_name(const nci_target *target, int number)
{
    const char *name = strrchr(target->final, '/') + 1;
    nci_text text = {0};
    /* Names are at most 255 bytes: a long one is cut. */
    nci_text_add(&text, "%s/.%.200s.ncgraph-%ld-%d.tmp",
                 strcmp(target->dir, "/") ? target->dir : "", name,
                 (long)getpid(), number);
    return nci_text_take(&text);
}

static ncg_status fail_create(const nci_target *target, int code,
                              ncg_error *err)
{
    return nci_fail_sys(err, code == ENOMEM ? NCG_ENOMEM : NCG_EOUTPUT, code,
                        "cannot write %s: no file can be created in %s: %s",
                        target->path, target->dir, strerror(code));
}

static ncg_status create_temp(nci_target *target, ncg_error *err)
{
    static atomic_int counter;
    for (;;) {
        target->temp = temp_name(target, atomic_fetch_add(&counter, 1));
        if (!target->temp)
            return nci_fail(err, NCG_ENOMEM, "out of memory");
        /* Claimed before it is there: a signal that comes right after open()
         * finds it. Under this name, with the number of this process, nobody
         * else has a file that lives. */
        target->slot = slot_claim(target->temp);
        int fd =
            open(target->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0) {
            if (target->mode >= 0)
                (void)!fchmod(fd, (mode_t)target->mode);
            close(fd);
            return NCG_OK;
        }
        int code = errno;
        slot_free(&target->slot);
        nci_free(target->temp);
        target->temp = NULL;
        if (code != EEXIST)
            return fail_create(target, code, err);
    }
}

ncg_status nci_target_open(const char *path, bool overwrite, nci_target *out,
                           ncg_error *err)
{
    nci_target target = {.overwrite = overwrite, .mode = -1, .slot = -1};
    target.path = nci_strdup(path);
    ncg_status st = target.path ? resolve(&target, err)
                                : nci_fail(err, NCG_ENOMEM, "out of memory");
    if (!st)
        st = create_temp(&target, err);
    if (st)
        nci_target_fini(&target);
    else
        *out = target;
    return st;
}

bool nci_target_has_room(int64_t nbytes)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) || limit.rlim_cur == RLIM_INFINITY ||
           (uint64_t)nbytes <= (uint64_t)limit.rlim_cur;
}

ncg_status nci_target_check_limit(const nci_target *target, int64_t nbytes,
                                  ncg_error *err)
{
    if (nci_target_has_room(nbytes))
        return NCG_OK;
    return fail_errno(err, EFBIG, target->path, "limit of file sizes");
}

ncg_status nci_target_reserve(const nci_target *target, int64_t nbytes,
                              ncg_error *err)
{
    NCI_TRY(nci_target_check_limit(target, nbytes, err));
    int fd = open(target->temp, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return fail_create(target, errno, err);
    int code = posix_fallocate(fd, 0, (off_t)nbytes);
    if (ftruncate(fd, 0) && !code)
        code = errno;
    close(fd);
    /* Other codes tell of a file system that cannot reserve. */
    if (code == ENOSPC || code == EDQUOT || code == EFBIG || code == EIO)
        return fail_errno(err, code, target->path, "");
    return NCG_OK;
}

/* ---- the end ----------------------------------------------------------- */

static int sync_path(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int code = fsync(fd) ? errno : 0;
    close(fd);
    return code;
}

/* Where the file system knows no RENAME_NOREPLACE, a hard link does the same;
 * where it knows no links either, a look before the rename must do. */
static int rename_new(const char *from, const char *to)
{
    if (!renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE))
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return errno;
    if (!link(from, to)) {
        unlink(from);
        return 0;
    }
    if (errno != EPERM && errno != ENOTSUP && errno != ENOSYS)
        return errno;
    if (!access(to, F_OK))
        return EEXIST;
    return rename(from, to) ? errno : 0;
}

ncg_status nci_target_commit(nci_target *target, ncg_error *err)
{
    int code = sync_path(target->temp, O_RDWR);
    if (code)
        return fail_errno(err, code, target->path, "");
    if (target->overwrite)
        code = rename(target->temp, target->final) ? errno : 0;
    else
        code = rename_new(target->temp, target->final);
    if (code == EEXIST && !target->overwrite)
        return nci_fail_sys(err, NCG_EEXISTS, code,
                            "%s appeared while its data were computed; it is "
                            "kept: choose another name or overwrite it (-O)",
                            target->path);
    if (code)
        return fail_errno(err, code, target->path, "");
    slot_free(&target->slot);
    nci_free(target->temp);
    target->temp = NULL;
    /* Some file systems cannot synchronise a directory: not an error, since
     * the file itself is complete. */
    (void)sync_path(target->dir, O_RDONLY | O_DIRECTORY);
    return NCG_OK;
}

void nci_target_discard(nci_target *target)
{
    if (!target->temp)
        return;
    (void)!truncate(target->temp, 0);
    unlink(target->temp);
    slot_free(&target->slot);
    nci_free(target->temp);
    target->temp = NULL;
}

void nci_target_fini(nci_target *target)
{
    nci_free(target->path);
    nci_free(target->final);
    nci_free(target->dir);
    nci_free(target->temp);
    *target = (nci_target){.mode = -1, .slot = -1};
}
