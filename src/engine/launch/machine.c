/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/launch/machine.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int nci_machine_threads(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}

/* A limit in a file; 0: no file, or "max". */
static int64_t limit_of(const char *root, const char *path, int length,
                        const char *file)
{
    char name[2 * PATH_MAX];
    long long bytes = 0;
    snprintf(name, sizeof name, "%s%.*s/%s", root, length, path, file);
    FILE *in = fopen(name, "r");
    int n = in ? fscanf(in, "%lld", &bytes) : 0;
    if (in)
        fclose(in);
    return n == 1 && bytes > 0 ? bytes : 0;
}

static int64_t least(int64_t a, int64_t b)
{
    return a && b ? (a < b ? a : b) : a + b;
}

/* Of the group and all above it, up to the root of the hierarchy. */
static int64_t limit_upwards(const char *root, const char *path, int length,
                             const char *file)
{
    int64_t bytes = limit_of(root, "", 0, file);
    for (int end = length; end > 0; end--)
        if (end == length || path[end] == '/')
            bytes = least(bytes, limit_of(root, path, end, file));
    return bytes;
}

/* Lines are "number:controllers:path"; version 2 names no controllers. */
int64_t nci_machine_cgroup_limit(const char *root, const char *groups)
{
    char v1[PATH_MAX];
    int64_t bytes = least(limit_of(root, "", 0, "memory.max"),
                          limit_of(root, "/memory", 7,
                                   "memory.limit_in_bytes"));
    snprintf(v1, sizeof v1, "%s/memory", root);
    for (const char *line = groups; *line;) {
        int length = (int)strcspn(line, "\n");
        const char *names = memchr(line, ':', (size_t)length);
        const char *path = names ? strchr(names + 1, ':') : NULL;
        int left = path ? (int)(line + length - path) - 1 : -1;
        if (left > 0 && path == names + 1)
            bytes = least(bytes, limit_upwards(root, path + 1, left,
                                               "memory.max"));
        else if (left > 0 && !strncmp(names + 1, "memory:", 7))
            bytes = least(bytes, limit_upwards(v1, path + 1, left,
                                               "memory.limit_in_bytes"));
        line += length + (line[length] == '\n');
    }
    return bytes;
}

int64_t nci_machine_memory(void)
{
    char groups[4096] = "";
    int64_t bytes = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    FILE *in = fopen("/proc/self/cgroup", "r");
    size_t n = in ? fread(groups, 1, sizeof groups - 1, in) : 0;
    if (in)
        fclose(in);
    groups[n] = '\0';
    int64_t limit = nci_machine_cgroup_limit("/sys/fs/cgroup", groups);
    return limit > 0 && limit < bytes ? limit : bytes;
}
