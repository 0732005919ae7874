/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/launch/nanny.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"

extern char **environ;

enum {
    CHILD_FD = 3,
    FAREWELL_MS = 3000, /* for the others, once the first has ended */
    PAUSE_MS = 200      /* before a crashed one starts again */
};

void nci_nanny_signals(sigset_t *out)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};
    sigemptyset(out);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaddset(out, numbers[i]);
}

/* ---- starting ------------------------------------------------------------ */

/* What a launcher left for its own processes would make MPI in a child believe
 * that it is a rank. */
static bool is_left_out(const char *entry)
{
    static const char *const prefixes[] = {"PMIX_", "OMPI_", "PMI_",
                                           "SLURM_STEP", "SLURM_PMIX",
                                           NCI_HANDOVER_VARIABLE "="};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (!strncmp(entry, prefixes[i], strlen(prefixes[i])))
            return true;
    return false;
}

/* The environment of a child; the strings are borrowed. */
static char **child_environment(char *own)
{
    size_t n = 0, kept = 0;
    while (environ[n])
        n++;
    char **out = nci_alloc((n + 2) * sizeof *out);
    for (size_t i = 0; out && i < n; i++)
        if (!is_left_out(environ[i]))
            out[kept++] = environ[i];
    if (out) {
        out[kept++] = own;
        out[kept] = NULL;
    }
    return out;
}

/* The arguments of this process: `text` holds them, one behind the other. */
static char **own_arguments(nci_text *text)
{
    char part[4096];
    size_t n = 0, capacity = 0;
    char **out = NULL;
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    for (ssize_t got = 1; fd >= 0 && got > 0;) {
        got = read(fd, part, sizeof part);
        if (got > 0)
            nci_text_add_bytes(text, part, (size_t)got);
    }
    if (fd >= 0)
        close(fd);
    if (text->failed || !text->length || text->data[text->length - 1])
        return NULL;
    for (size_t at = 0; at < text->length; at += strlen(text->data + at) + 1) {
        if (!nci_grow(&out, &capacity, n + 2, sizeof *out)) {
            nci_free(out);
            return NULL;
        }
        out[n++] = text->data + at;
        out[n] = NULL;
    }
    return out;
}

/* A worker is told to leave by a signal; one that comes before it listens has
 * to wait for it, or would end it in the words of the program. */
static void first_mask(const nci_child *child, sigset_t *mask)
{
    sigemptyset(mask);
    if (child->how.role == NCI_CHILD_WORKER)
        nci_nanny_signals(mask);
}

static int spawn(nci_child *child, int theirs, char **arguments, char **names)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t mask, all;
    first_mask(child, &mask);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&how);
    posix_spawn_file_actions_adddup2(&files, theirs, CHILD_FD);
    if (child->how.role == NCI_CHILD_WORKER) /* the terminal is the client's */
        posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null",
                                         O_RDONLY, 0);
    posix_spawnattr_setsigmask(&how, &mask);
    posix_spawnattr_setsigdefault(&how, &all);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK |
                                       POSIX_SPAWN_SETSIGDEF);
    int bad = posix_spawn(&child->pid, "/proc/self/exe", &files, &how,
                          arguments, names);
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    return bad;
}

static ncg_status start_with(nci_child *child, int theirs, ncg_error *err)
{
    char own[] = NCI_HANDOVER_VARIABLE "=3";
    nci_text text = {0};
    char **arguments = own_arguments(&text);
    char **names = child_environment(own);
    int bad = arguments && names ? spawn(child, theirs, arguments, names)
                                 : ENOMEM;
    nci_free(names);
    nci_free(arguments);
    nci_text_fini(&text);
    if (!bad)
        return NCG_OK;
    child->pid = 0;
    return nci_fail_sys(err, NCG_EIO, bad, "cannot start a process: %s",
                        strerror(bad));
}

ncg_status nci_child_start(nci_child *child, ncg_error *err)
{
    int pair[2];
    child->fd = -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return nci_fail_sys(err, NCG_EIO, errno, "cannot start a process: %s",
                            strerror(errno));
    ncg_status st = start_with(child, pair[1], err);
    close(pair[1]);
    if (!st)
        st = nci_handover_send(pair[0], &child->how, err);
    if (st)
        close(pair[0]);
    else
        child->fd = pair[0];
    return st;
}

ncg_status nci_child_address(nci_child *child,
                             char addresses[NCI_ADDRESSES_BYTES],
                             ncg_error *err)
{
    if (nci_handover_wait(child->fd, addresses))
        return NCG_OK;
    return nci_fail(err, NCG_ENET, "the scheduler ended before it had begun");
}

/* ---- watching ------------------------------------------------------------ */

static void forget(nci_child *child, int status)
{
    child->code = WIFSIGNALED(status) ? 128 + WTERMSIG(status)
                                      : WEXITSTATUS(status);
    child->pid = 0;
    close(child->fd);
    child->fd = -1;
}

static const char *role_of(const nci_child *child)
{
    if (child->how.role == NCI_CHILD_WORKER)
        return "a worker";
    return child->how.role == NCI_CHILD_SCHEDULER ? "the scheduler"
                                                  : "the program";
}

/* Nobody else would tell: the computation goes on with the others. */
static void tell_crash(const nci_child *child, pid_t pid, int number)
{
    if (number == SIGINT || number == SIGTERM || number == SIGHUP ||
        number == SIGPIPE)
        return; /* somebody wanted it to end */
    fprintf(stderr,
            "ncgraph: %s (process %ld) was ended by signal %d (%s)%s%s\n",
            role_of(child), (long)pid, number, strsignal(number),
            number == SIGKILL ? ", as happens where memory runs out" : "",
            child->restarts > 0 ? "; it starts again" : "");
}

static void pause_ms(long milliseconds)
{
    struct timespec wait = {milliseconds / 1000,
                            milliseconds % 1000 * 1000000};
    nanosleep(&wait, NULL);
}

/* A child that died of a signal that nobody sent through us is started again.
 */
static void restart(nci_child *child, bool is_over)
{
    ncg_error err;
    if (child->code < 128 || child->restarts < 1 || is_over)
        return;
    pause_ms(PAUSE_MS);
    child->restarts--;
    child->how.attempt++;
    if (nci_child_start(child, &err))
        fprintf(stderr, "ncgraph: %s\n", err.message);
}

static void collect(nci_child *children, int n, bool is_over)
{
    for (int i = 0; i < n; i++) {
        pid_t pid = children[i].pid;
        int status;
        if (pid <= 0 || waitpid(pid, &status, WNOHANG) != pid)
            continue;
        forget(&children[i], status);
        if (WIFSIGNALED(status) && !is_over)
            tell_crash(&children[i], pid, WTERMSIG(status));
        restart(&children[i], is_over);
    }
}

static void tell_all(const nci_child *children, int n, int number)
{
    for (int i = 0; i < n; i++)
        if (children[i].pid > 0)
            kill(children[i].pid, number);
}

static bool any_left(const nci_child *children, int n)
{
    for (int i = 0; i < n; i++)
        if (children[i].pid > 0)
            return true;
    return false;
}

/* The others see the scheduler go and end by themselves; who does not is told.
 */
static void farewell(nci_child *children, int n, const sigset_t *signals)
{
    static const int last[] = {0, SIGTERM, SIGKILL};
    for (size_t i = 0; i < sizeof last / sizeof *last; i++) {
        if (last[i])
            tell_all(children, n, last[i]);
        for (int ms = 0; any_left(children, n) && ms < FAREWELL_MS; ms += 50) {
            struct timespec wait = {0, 50000000};
            sigtimedwait(signals, NULL, &wait);
            collect(children, n, true);
        }
    }
}

int nci_nanny_watch(nci_child *children, int n)
{
    sigset_t signals, before;
    bool is_over = false;
    nci_nanny_signals(&signals);
    sigaddset(&signals, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &signals, &before);
    collect(children, n, false); /* what ended before the mask was set */
    while (children[0].pid > 0) {
        struct timespec wait = {1, 0};
        int number = sigtimedwait(&signals, NULL, &wait);
        if (number > 0 && number != SIGCHLD) {
            is_over = true;
            tell_all(children, n, number);
        }
        collect(children, n, is_over);
    }
    farewell(children, n, &signals);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return children[0].code;
}
