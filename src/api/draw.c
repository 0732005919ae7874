/* SPDX-License-Identifier: BSD-3-Clause */
/* Writing graphs to files: as text, or through `dot -TFORMAT -o PATH` with the
 * graph on its standard input. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/graph.h"

extern char **environ;

static ncg_status write_text(const char *path, const char *text, ncg_error *err)
{
    FILE *to = fopen(path, "w");
    int bad = !to || fputs(text, to) == EOF;
    int number = errno;
    if (to && fclose(to)) {
        bad = 1;
        number = errno;
    }
    if (bad)
        return nci_fail_sys(err, NCG_EOUTPUT, number,
                            "%s: cannot write the graph: %s", path,
                            strerror(number));
    return NCG_OK;
}

/* Starts dot; returns an errno value, ENOENT where it is not installed. */
static int start_dot(const char *format, const char *path, int input,
                     int closed, pid_t *pid)
{
    char option[16];
    snprintf(option, sizeof option, "-T%s", format);
    const char *argv[] = {"dot", option, "-o", path, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawn_file_actions_addclose(&actions, input);
    posix_spawn_file_actions_addclose(&actions, closed);
    int failed =
        posix_spawnp(pid, argv[0], &actions, NULL, (char **)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
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

/* The pipe breaks where dot ends early: that signal is ours alone, so it is
 * held back in this thread only and taken away after. */
static void feed_quietly(int fd, const char *text)
{
    sigset_t pipe_only, before, pending;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
    feed(fd, text);
    if (!sigpending(&pending) && sigismember(&pending, SIGPIPE) &&
        !sigismember(&before, SIGPIPE)) {
        const struct timespec now = {0, 0};
        sigtimedwait(&pipe_only, NULL, &now);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* What dot would say on its standard error is said here. *is_new: the file was
 * not there, and is now. */
static ncg_status check_place(const char *path, bool *is_new, ncg_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    *is_new = fd >= 0;
    if (fd < 0 && errno == EEXIST)
        fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return nci_fail_sys(err, NCG_EOUTPUT, errno,
                            "%s: cannot write the drawing: %s", path,
                            strerror(errno));
    close(fd);
    return NCG_OK;
}

static ncg_status run_dot(const char *format, const char *path,
                          const char *text, ncg_error *err)
{
    int ends[2], status = 0;
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC))
        return nci_fail_sys(err, NCG_EIO, errno, "pipe: %s", strerror(errno));
    int failed = start_dot(format, path, ends[0], ends[1], &pid);
    close(ends[0]);
    if (failed) {
        close(ends[1]);
        if (failed == ENOENT)
            return nci_fail(err, NCG_ENOTFOUND,
                            "Graphviz is not installed: install it, or write "
                            "the graph to a name that ends in .dot");
        return nci_fail_sys(err, NCG_EIO, failed, "dot (Graphviz): %s",
                            strerror(failed));
    }
    feed_quietly(ends[1], text);
    close(ends[1]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        return nci_fail(err, NCG_EOUTPUT,
                        "%s: dot (Graphviz) failed; write the graph to a name "
                        "that ends in .dot and see what dot says of it",
                        path);
    return NCG_OK;
}

/* A drawing that cannot be made leaves no empty file. */
static ncg_status draw(const char *format, const char *path, const char *text,
                       ncg_error *err)
{
    bool is_new;
    NCI_TRY(check_place(path, &is_new, err));
    ncg_status st = run_dot(format, path, text, err);
    if (st && is_new)
        unlink(path);
    return st;
}

static bool ends_in(const char *path, const char *const *endings)
{
    const char *ending = strrchr(path, '.');
    for (size_t i = 0; ending && endings[i]; i++)
        if (!strcmp(ending + 1, endings[i]))
            return true;
    return false;
}

ncg_status ncg_dot_write(const char *dot, const char *path, ncg_error *err)
{
    static const char *const plain[] = {"dot", "gv", NULL};
    static const char *const drawn[] = {"svg", "png", "pdf", NULL};
    if (!dot || !path)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    if (ends_in(path, plain))
        return write_text(path, dot, err);
    if (ends_in(path, drawn))
        return draw(strrchr(path, '.') + 1, path, dot, err);
    return nci_fail(err, NCG_EINVAL,
                    "a drawing's name ends in .svg, .png, .pdf or .dot, not "
                    "like '%s'",
                    path);
}

ncg_status ncg_graph_draw(ncg_graph *graph, const char *path, ncg_error *err)
{
    static const char *const json[] = {"json", NULL};
    char *text = NULL;
    if (!graph || !path)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    bool is_json = ends_in(path, json);
    NCI_TRY(is_json ? ncg_graph_json(graph, false, &text, err)
                    : ncg_graph_dot(graph, &text, err));
    ncg_status st =
        is_json ? write_text(path, text, err) : ncg_dot_write(text, path, err);
    ncg_free(text);
    return st;
}
