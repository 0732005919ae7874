/* SPDX-License-Identifier: BSD-3-Clause */
/* Inputs as users write them: files, patterns, @lists, directories. Patterns
 * are expanded here, so that no command line is ever too long. */
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "api/handles.h"
#include "base/mem.h"
#include "base/text.h"

static ncg_status add(nci_strings *out, const char *path, ncg_error *err)
{
    return nci_strings_add(out, path)
               ? NCG_OK
               : nci_fail(err, NCG_ENOMEM, "out of memory");
}

static bool is_netcdf_name(const char *name)
{
    static const char *const endings[] = {".nc", ".nc4",  ".cdf",
                                          ".h5", ".hdf5", ".netcdf"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof endings / sizeof endings[0]; i++)
        if (!strcmp(dot, endings[i]))
            return true;
    return false;
}

static ncg_status add_directory(nci_strings *out, const char *path,
                                const char *pattern, ncg_error *err)
{
    struct dirent **entries = NULL;
    int n = scandir(path, &entries, NULL, alphasort);
    if (n < 0)
        return nci_fail_sys(err, nci_from_errno(errno), errno, "%s: %s", path,
                            strerror(errno));
    size_t before = out->count;
    ncg_status st = NCG_OK;
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        bool wanted = pattern ? fnmatch(pattern, name, FNM_PERIOD) == 0
                              : name[0] != '.' && is_netcdf_name(name);
        if (!st && wanted) {
            nci_text full = {0};
            nci_text_add(&full, "%s/%s", path, name);
            st = full.failed ? nci_fail(err, NCG_ENOMEM, "out of memory")
                             : add(out, full.data, err);
            nci_text_fini(&full);
        }
        free(entries[i]);
    }
    free(entries);
    if (!st && out->count == before)
        st = nci_fail(err, NCG_ENOTFOUND,
                      "%s: no file in this directory matches %s", path,
                      pattern ? pattern : "*.nc, *.nc4, *.cdf or *.h5");
    return st;
}

static ncg_status add_one(nci_strings *out, const char *path,
                          const char *pattern, ncg_error *err);

static ncg_status add_list(nci_strings *out, const char *path,
                           const char *pattern, ncg_error *err)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return nci_fail_sys(err, nci_from_errno(errno), errno, "%s: %s", path,
                            strerror(errno));
    char *line = NULL;
    size_t capacity = 0, before = out->count;
    ssize_t n;
    ncg_status st = NCG_OK;
    while (!st && (n = getline(&line, &capacity, file)) >= 0) {
        while (n > 0 && strchr("\r\n \t", line[n - 1]))
            line[--n] = '\0';
        if (n > 0 && line[0] == '@')
            st = nci_fail(err, NCG_EINVAL, "%s: a list within a list: %s", path,
                          line);
        else if (n > 0 && line[0] != '#')
            st = add_one(out, line, pattern, err);
    }
    if (!st && ferror(file))
        st = nci_fail_sys(err, NCG_EIO, errno, "%s: %s", path, strerror(errno));
    else if (!st && out->count == before)
        st = nci_fail(err, NCG_ENOTFOUND, "%s: this list names no file", path);
    free(line);
    fclose(file);
    return st;
}

static ncg_status add_glob(nci_strings *out, const char *path, ncg_error *err)
{
    glob_t found;
    int code = glob(path, 0, NULL, &found);
    if (code == GLOB_NOMATCH)
        return nci_fail(err, NCG_ENOTFOUND, "%s: no file matches", path);
    if (code)
        return nci_fail(err, NCG_EIO, "%s: cannot expand the pattern", path);
    ncg_status st = NCG_OK;
    for (size_t i = 0; !st && i < found.gl_pathc; i++)
        st = add(out, found.gl_pathv[i], err);
    globfree(&found);
    return st;
}

static ncg_status add_one(nci_strings *out, const char *path,
                          const char *pattern, ncg_error *err)
{
    struct stat info;
    if (!path[0])
        return nci_fail(err, NCG_ENOTFOUND, "the name of an input is empty");
    if (path[0] == '@')
        return add_list(out, path + 1, pattern, err);
    if (stat(path, &info) == 0)
        return S_ISDIR(info.st_mode) ? add_directory(out, path, pattern, err)
                                     : add(out, path, err);
    if (strpbrk(path, "*?["))
        return add_glob(out, path, err);
    return nci_fail_sys(err, nci_from_errno(errno), errno, "%s: %s", path,
                        strerror(errno));
}

ncg_status nci_paths_expand(const char *const *paths, size_t npaths,
                            const char *pattern, nci_strings *out,
                            ncg_error *err)
{
    for (size_t i = 0; i < npaths; i++)
        NCI_TRY(add_one(out, paths[i], pattern, err));
    if (out->count == 0)
        return nci_fail(err, NCG_EINVAL, "no input files");
    return NCG_OK;
}
