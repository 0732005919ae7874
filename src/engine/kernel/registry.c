/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/kernel/registry.h"

#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

/* Entries are never moved or changed once they are in: readers keep pointers. */
typedef struct entry {
    struct entry *next;
    nci_kernel kernel;
} entry;

struct nci_kernel_table {
    pthread_mutex_t lock; /* guards the list's head */
    entry *first;
};

ncg_status nci_kernel_table_create(nci_kernel_table **out, ncg_error *err)
{
    nci_kernel_table *table = nci_calloc(1, sizeof *table);
    if (!table)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    pthread_mutex_init(&table->lock, NULL);
    *out = table;
    return NCG_OK;
}

void nci_kernel_table_free(nci_kernel_table **slot)
{
    nci_kernel_table *table = *slot;
    *slot = NULL;
    if (!table)
        return;
    while (table->first) {
        entry *e = table->first;
        table->first = e->next;
        nci_free(e);
    }
    pthread_mutex_destroy(&table->lock);
    nci_free(table);
}

/* "org.example.wind/1": at least one dot, then a slash and a number. */
static bool is_good_name(const char *name)
{
    const char *slash = strrchr(name, '/');
    if (!slash || slash == name || !slash[1] ||
        strspn(slash + 1, "0123456789") != strlen(slash + 1))
        return false;
    const char *dot = memchr(name, '.', (size_t)(slash - name));
    return dot && dot != name && strlen(name) < 200;
}

static const nci_kernel *find_own(const char *name)
{
    static const nci_kernel *const lists[] = {
        nci_kernels_shape, nci_kernels_scan, nci_kernels_contract,
        nci_kernels_quantile, nci_kernels_quantile_long, nci_kernels_sort,
        nci_kernels_rolling, nci_kernels_coarsen};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (const nci_kernel *k = lists[i]; k->name; k++)
            if (!strcmp(k->name, name))
                return k;
    return NULL;
}

static const nci_kernel *find_added(const entry *e, const char *name)
{
    for (; e; e = e->next)
        if (!strcmp(e->kernel.name, name))
            return &e->kernel;
    return NULL;
}

ncg_status nci_kernel_table_add(nci_kernel_table *table,
                                const nci_kernel *kernel, ncg_error *err)
{
    if (!is_good_name(kernel->name) || !strncmp(kernel->name, "ncg.", 4))
        return nci_fail(err, NCG_EINVAL,
                        "\"%s\" is no name for a %s: write it like "
                        "\"org.example.wind/1\"",
                        kernel->name, kernel->task ? "function" : "kernel");
    entry *e = nci_calloc(1, sizeof *e);
    const char *name = nci_intern(kernel->name);
    if (!e || !name) {
        nci_free(e);
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    }
    e->kernel = *kernel;
    e->kernel.name = name;
    pthread_mutex_lock(&table->lock);
    const nci_kernel *old = find_added(table->first, name);
    bool is_other = old && (old->run != kernel->run ||
                            old->task != kernel->task ||
                            old->payload != kernel->payload);
    if (!old) {
        e->next = table->first;
        table->first = e;
        e = NULL;
    }
    pthread_mutex_unlock(&table->lock);
    nci_free(e);
    if (is_other)
        return nci_fail(err, NCG_EEXISTS,
                        "%s is registered with another function: give this "
                        "one a new version",
                        name);
    return NCG_OK;
}

static const nci_kernel *get_added(nci_kernel_table *table, const char *name)
{
    pthread_mutex_lock(&table->lock);
    const nci_kernel *kernel = find_added(table->first, name);
    pthread_mutex_unlock(&table->lock);
    return kernel;
}

const nci_kernel *nci_kernel_find(nci_kernel_table *table, const char *name)
{
    const nci_kernel *kernel = find_own(name);
    if (!kernel && table)
        kernel = get_added(table, name);
    return kernel && kernel->run ? kernel : NULL;
}

const nci_kernel *nci_kernel_find_task(nci_kernel_table *table,
                                       const char *name)
{
    const nci_kernel *kernel = table ? get_added(table, name) : NULL;
    return kernel && kernel->task ? kernel : NULL;
}
