/* SPDX-License-Identifier: BSD-3-Clause */
/* --graph: the library writes the drawing; without Graphviz the text is put
 * beside it, with a word on what to do. */
#include "cli/graph.h"

#include "cli/console.h"

#include <stdlib.h>
#include <string.h>

/* The word after the last dot, NULL when it is no format that is known. */
static const char *find_format(const char *path)
{
    static const char *const formats[] = {"svg", "png", "pdf",
                                          "dot", "gv",  NULL};
    const char *ending = strrchr(path, '.');
    for (size_t i = 0; ending && formats[i]; i++)
        if (!strcmp(ending + 1, formats[i]))
            return formats[i];
    return NULL;
}

ncg_status nci_graph_check(const char *path, ncg_error *err)
{
    if (find_format(path))
        return NCG_OK;
    return nci_usage(err,
                     "--graph takes a name that ends in .svg, .png, .pdf or "
                     ".dot, not '%s'",
                     path);
}

/* Without Graphviz: the text beside the picture's name, and what to do. */
static ncg_status write_beside(const char *path, const char *format,
                               const char *dot, ncg_error *err)
{
    char *other = nci_xformat("%s.dot", path);
    ncg_status st = ncg_dot_write(dot, other, err);
    if (!st) {
        char *note = nci_xformat("Graphviz is not installed: the graph is in "
                                 "%s; draw it with `dot -T%s %s -o %s`",
                                 other, format, other, path);
        nci_console_warn(note);
        free(note);
    }
    free(other);
    return st;
}

ncg_status nci_graph_write(const char *path, const char *dot, ncg_error *err)
{
    ncg_status st = nci_graph_check(path, err);
    if (!st)
        st = ncg_dot_write(dot, path, err);
    return st == NCG_ENOTFOUND
               ? write_beside(path, find_format(path), dot, err)
               : st;
}
