/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/launch/module_open.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The folder of the file that holds this code; false: not to be told. */
static bool own_folder(char out[PATH_MAX])
{
    Dl_info info;
    char *slash;
    if (!dladdr((void *)(uintptr_t)nci_module_open, &info) || !info.dli_fname)
        return false;
    /* Of a program this is argv[0], which says nothing. */
    if (!strchr(info.dli_fname, '/') || !realpath(info.dli_fname, out)) {
        ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
        if (n <= 0)
            return false;
        out[n] = '\0';
    }
    slash = strrchr(out, '/');
    if (!slash)
        return false;
    *slash = '\0';
    return true;
}

void *nci_module_open(const char *name)
{
    static const char *const places[] = {"", "ncgraph/", "../",
                                         "../" NCG_LIBDIR "/ncgraph/"};
    char folder[PATH_MAX], path[2 * PATH_MAX];
    const char *told = getenv("NCGRAPH_MODULE_DIR");
    void *library = NULL;
    if (told && *told == '/') {
        snprintf(path, sizeof path, "%s/%s", told, name);
        return dlopen(path, RTLD_NOW | RTLD_LOCAL);
    }
    if (!own_folder(folder))
        return NULL;
    for (size_t i = 0; !library && i < sizeof places / sizeof *places; i++) {
        snprintf(path, sizeof path, "%s/%s%s", folder, places[i], name);
        if (!access(path, R_OK))
            library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    }
    return library;
}
