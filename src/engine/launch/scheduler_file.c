/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/launch/scheduler_file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"

enum { FORMAT = 1, LARGEST = 1 << 16 };

/* ---- hex ----------------------------------------------------------------- */

static void to_hex(const uint8_t *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * n] = '\0';
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Exactly n bytes. */
static bool from_hex(const char *text, uint8_t *out, size_t n)
{
    if (!text || strlen(text) != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* ---- writing ------------------------------------------------------------- */

static ncg_status cannot_write(const char *path, ncg_error *err)
{
    return nci_fail_sys(err, NCG_EOUTPUT, errno, "cannot write %s: %s", path,
                        strerror(errno));
}

static bool fill(int fd, const char *text)
{
    size_t left = strlen(text);
    while (left) {
        ssize_t n = write(fd, text, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text += n;
        left -= (size_t)n;
    }
    return true;
}

static ncg_status write_private(const char *path, const char *text,
                                ncg_error *err)
{
    char name[PATH_MAX];
    int n = snprintf(name, sizeof name, "%s.%ld.tmp", path, (long)getpid());
    if (n < 0 || (size_t)n >= sizeof name)
        return nci_fail(err, NCG_EINVAL, "the path %.100s... is too long",
                        path);
    unlink(name);
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                  0600);
    if (fd < 0)
        return cannot_write(path, err);
    ncg_status st = NCG_OK;
    if (!fill(fd, text) || fsync(fd))
        st = cannot_write(path, err);
    close(fd);
    if (!st && rename(name, path))
        st = cannot_write(path, err);
    if (st)
        unlink(name);
    return st;
}

/* The directory as an absolute path: readers stand elsewhere. */
static ncg_status key_path(const char *path, char out[PATH_MAX],
                           ncg_error *err)
{
    char folder[PATH_MAX], whole[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int length = slash ? (int)(slash - path) + 1 : 1;
    snprintf(folder, sizeof folder, "%.*s", length, slash ? path : ".");
    if (!realpath(folder, whole))
        return nci_fail_sys(err, NCG_EOUTPUT, errno,
                            "the directory of %s: %s", path, strerror(errno));
    const char *name = slash ? slash + 1 : path;
    int n = snprintf(out, PATH_MAX, "%s/%s.key", whole, name);
    if (!*name || n < 0 || n >= PATH_MAX)
        return nci_fail(err, NCG_EINVAL, "%.100s is no name of a file", path);
    return NCG_OK;
}

static json_t *list_of(const char *addresses)
{
    json_t *list = json_array();
    while (*addresses) {
        size_t n = strcspn(addresses, ",");
        json_array_append_new(list, json_stringn(addresses, n));
        addresses += n + (addresses[n] == ',');
    }
    return list;
}

static char *describe(const nci_scheduler_file *what, const char *key)
{
    char cluster[2 * NCI_CLUSTER_ID_BYTES + 1];
    to_hex(what->cluster, sizeof what->cluster, cluster);
    json_t *root = json_pack(
        "{s:i s:s s:I s:s s:I s:o s:s}", "ncgraph", FORMAT, "cluster", cluster,
        "epoch", (json_int_t)what->epoch, "host", what->host, "pid",
        (json_int_t)what->pid, "addresses", list_of(what->addresses),
        "secret_file", key);
    if (root && *what->http)
        json_object_set_new(root, "http", json_string(what->http));
    if (root && *what->tls)
        json_object_set_new(root, "tls", json_string(what->tls));
    char *text = root ? json_dumps(root, JSON_INDENT(1)) : NULL;
    json_decref(root);
    return text;
}

ncg_status nci_scheduler_file_write(const char *path,
                                    const nci_scheduler_file *what,
                                    ncg_error *err)
{
    char key[PATH_MAX], secret[2 * NCI_SECRET_BYTES + 2];
    NCI_TRY(key_path(path, key, err));
    to_hex(what->secret, sizeof what->secret, secret);
    strcat(secret, "\n");
    NCI_TRY(write_private(key, secret, err));
    char *text = describe(what, key);
    if (!text)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    ncg_status st = write_private(path, text, err);
    free(text);
    return st;
}

/* ---- reading ------------------------------------------------------------- */

static ncg_status slurp(const char *path, bool is_secret, char **out,
                        ncg_error *err)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return nci_fail_sys(err, errno == ENOENT ? NCG_ENOTFOUND : NCG_EIO,
                            errno, "%s: %s", path, strerror(errno));
    ncg_status st = NCG_OK;
    size_t at = 0;
    char *text = nci_calloc(1, LARGEST + 1);
    if (!text)
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    else if (fstat(fd, &info) || !S_ISREG(info.st_mode) ||
             info.st_size > LARGEST)
        st = nci_fail(err, NCG_ECORRUPT, "%s is no scheduler file", path);
    else if (is_secret &&
             (info.st_mode & 077 || info.st_uid != geteuid()))
        st = nci_fail(err, NCG_EAUTH,
                      "%s must be readable by you alone: chmod 600, or start "
                      "the cluster again",
                      path);
    for (ssize_t n = 1; !st && n > 0 && at < LARGEST;) {
        n = read(fd, text + at, LARGEST - at);
        at += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    if (st)
        nci_free(text);
    else
        *out = text;
    return st;
}

static bool copy_text(const json_t *root, const char *name, char *out,
                      size_t size)
{
    const char *text = json_string_value(json_object_get(root, name));
    if (!text || strlen(text) >= size)
        return false;
    strcpy(out, text);
    return true;
}

static bool copy_addresses(const json_t *root, char *out, size_t size)
{
    const json_t *list = json_object_get(root, "addresses");
    size_t used = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        size_t n = text ? strlen(text) : 0;
        if (!n || strchr(text, ',') || n + 2 > size - used)
            return false;
        used += (size_t)snprintf(out + used, size - used, "%s%s",
                                 used ? "," : "", text);
    }
    return used > 0;
}

static bool parse(const json_t *root, nci_scheduler_file *out,
                  char key[PATH_MAX])
{
    char cluster[2 * NCI_CLUSTER_ID_BYTES + 1];
    const json_t *epoch = json_object_get(root, "epoch");
    const json_t *pid = json_object_get(root, "pid");
    if (json_integer_value(json_object_get(root, "ncgraph")) != FORMAT)
        return false;
    out->epoch = (uint64_t)json_integer_value(epoch);
    out->pid = json_integer_value(pid);
    if (!copy_text(root, "http", out->http, sizeof out->http))
        out->http[0] = '\0';
    if (!json_object_get(root, "tls"))
        out->tls[0] = '\0';
    else if (!copy_text(root, "tls", out->tls, sizeof out->tls))
        return false;
    return json_integer_value(epoch) > 0 &&
           copy_text(root, "cluster", cluster, sizeof cluster) &&
           from_hex(cluster, out->cluster, sizeof out->cluster) &&
           copy_text(root, "host", out->host, sizeof out->host) &&
           copy_addresses(root, out->addresses, sizeof out->addresses) &&
           copy_text(root, "secret_file", key, PATH_MAX);
}

static ncg_status read_secret(const char *path, uint8_t *out, ncg_error *err)
{
    char *text = NULL;
    NCI_TRY(slurp(path, true, &text, err));
    text[strcspn(text, "\n")] = '\0';
    bool is_good = from_hex(text, out, NCI_SECRET_BYTES);
    memset(text, 0, strlen(text));
    nci_free(text);
    if (is_good)
        return NCG_OK;
    return nci_fail(err, NCG_ECORRUPT, "%s holds no secret of a cluster", path);
}

ncg_status nci_scheduler_file_read(const char *path, nci_scheduler_file *out,
                                   ncg_error *err)
{
    char *text = NULL, key[PATH_MAX];
    NCI_TRY(slurp(path, false, &text, err));
    memset(out, 0, sizeof *out);
    json_t *root = json_loads(text, 0, NULL);
    bool is_good = root && parse(root, out, key);
    json_decref(root);
    nci_free(text);
    if (!is_good)
        return nci_fail(err, NCG_ECORRUPT,
                        "%s is no scheduler file of this version of ncgraph",
                        path);
    return read_secret(key, out->secret, err);
}

ncg_status nci_scheduler_file_wait(const char *path, double seconds,
                                   nci_scheduler_file *out, ncg_error *err)
{
    const struct timespec pause = {0, 100000000};
    ncg_status st = nci_scheduler_file_read(path, out, err);
    while (st && st != NCG_EAUTH && seconds > 0) {
        nanosleep(&pause, NULL);
        seconds -= 0.1;
        st = nci_scheduler_file_read(path, out, err);
    }
    return st;
}

void nci_scheduler_file_remove(const char *path,
                               const nci_scheduler_file *what)
{
    nci_scheduler_file there;
    char key[PATH_MAX];
    if (nci_scheduler_file_read(path, &there, NULL) ||
        memcmp(there.cluster, what->cluster, sizeof there.cluster) ||
        there.epoch != what->epoch || key_path(path, key, NULL))
        return;
    unlink(path);
    unlink(key);
}
