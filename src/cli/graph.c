/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs `dot -TFORMAT -o PATH` with the graph on its standard input.
 */
#include "cli/graph.h"

#include "cli/console.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static ncg_status write_text(const char *path, const char *dot, ncg_error *err)
{
    FILE *to = fopen(path, "w");
    int bad = !to || fputs(dot, to) == EOF;
    int number = errno;
    if (to && fclose(to)) {
        bad = 1;
        number = errno;
    }
    if (bad)
        return nci_refuse(err, NCG_EOUTPUT, "%s: cannot write the graph: %s",
                          path, strerror(number));
    return NCG_OK;
}

/* Starts dot; returns an errno value, ENOENT where it is not installed. */
static int start_dot(const char *format, const char *path, int input,
                     int closed, pid_t *pid)
{
    char *argv[] = {nci_xstrdup("dot"), nci_xformat("-T%s", format),
                    nci_xstrdup("-o"), nci_xstrdup(path), NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawn_file_actions_addclose(&actions, input);
    posix_spawn_file_actions_addclose(&actions, closed);
    int failed = posix_spawnp(pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    for (size_t i = 0; argv[i]; i++)
        free(argv[i]);
    return failed;
}

/* Writes all of `text`; a dot that ends early is seen by its exit status. */
static void feed(int fd, const char *text)
{
    size_t left = strlen(text);
    while (left) {
        ssize_t n = write(fd, text, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        text += n;
        left -= (size_t)n;
    }
}

static ncg_status run_dot(const char *format, const char *path,
                          const char *text, bool *absent, ncg_error *err)
{
    int ends[2], status = 0;
    pid_t pid;
    if (pipe(ends))
        return nci_refuse(err, NCG_EIO, "pipe: %s", strerror(errno));
    int failed = start_dot(format, path, ends[0], ends[1], &pid);
    close(ends[0]);
    *absent = failed == ENOENT;
    if (failed) {
        close(ends[1]);
        return *absent ? NCG_OK
                       : nci_refuse(err, NCG_EIO, "dot (Graphviz): %s",
                                    strerror(failed));
    }
    void (*before)(int) = signal(SIGPIPE, SIG_IGN);
    feed(ends[1], text);
    close(ends[1]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    signal(SIGPIPE, before);
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        return nci_refuse(err, NCG_EOUTPUT, "%s: dot (Graphviz) failed", path);
    return NCG_OK;
}

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
    ncg_status st = write_text(other, dot, err);
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
    bool absent = false;
    ncg_status st = nci_graph_check(path, err);
    if (st)
        return st;
    const char *format = find_format(path);
    if (!strcmp(format, "dot") || !strcmp(format, "gv"))
        return write_text(path, dot, err);
    st = run_dot(format, path, dot, &absent, err);
    return st || !absent ? st : write_beside(path, format, dot, err);
}
