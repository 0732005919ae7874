/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Asking the batch system for the end of this job. Its programs talk to a
 * server that may be slow or gone: who does not answer in time is ended, and
 * the job counts as one without an end.
 */
#include "engine/launch/walltime.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { ANSWER_BYTES = 1 << 16, PATIENCE_MS = 10000 };

/* ---- what they say ------------------------------------------------------- */

static bool left_until(int64_t end, int64_t now, double *seconds)
{
    *seconds = end > now ? (double)(end - now) : 0;
    return end > 0;
}

/* Behind `name`, which stands at the beginning of a word; NULL: not there. */
static const char *value_of(const char *text, const char *name)
{
    for (const char *at = text; (at = strstr(at, name)) != NULL; at++)
        if (at == text || strchr(" \t\n", at[-1]))
            return at + strlen(name);
    return NULL;
}

/* Times of day are those of this machine's zone. */
static bool time_of(const char *text, const char *form, int64_t *out)
{
    struct tm day;
    memset(&day, 0, sizeof day);
    if (!text || !strptime(text, form, &day))
        return false;
    day.tm_isdst = -1;
    *out = (int64_t)mktime(&day);
    return *out > 0;
}

bool nci_walltime_slurm_left(const char *text, int64_t now, double *seconds)
{
    int64_t end;
    return time_of(value_of(text, "EndTime="), "%Y-%m-%dT%H:%M:%S", &end) &&
           left_until(end, now, seconds);
}

/* Up to four numbers: "days:hours:minutes:seconds". */
static bool duration_of(const char *text, int64_t *out)
{
    static const int64_t units[] = {86400, 3600, 60, 1};
    int64_t parts[4];
    int n = 0;
    *out = 0;
    while (text && n < 4) {
        char *end = NULL;
        long value = *text >= '0' && *text <= '9' ? strtol(text, &end, 10) : -1;
        if (value < 0 || value > 1 << 30)
            return false;
        parts[n++] = value;
        text = *end == ':' ? end + 1 : NULL;
    }
    for (int i = 0; i < n; i++)
        *out += parts[i] * units[4 - n + i];
    return *out > 0;
}

bool nci_walltime_pbs_left(const char *text, int64_t now, double *seconds)
{
    static const char *const begins[] = {"stime = ", "start_time = "};
    int64_t begin = now, walltime;
    if (!duration_of(value_of(text, "Resource_List.walltime = "), &walltime))
        return false;
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
        if (time_of(value_of(text, begins[i]), "%a %b %d %H:%M:%S %Y", &begin))
            break;
    return left_until((begin < now ? begin : now) + walltime, now, seconds);
}

/* ---- asking -------------------------------------------------------------- */

static int64_t milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Reads to the end, or as long as there is patience. */
static bool read_answer(int fd, char out[ANSWER_BYTES])
{
    int64_t until = milliseconds() + PATIENCE_MS;
    size_t n = 0;
    for (;;) {
        struct pollfd one = {.fd = fd, .events = POLLIN};
        int64_t left = until - milliseconds();
        int ready = left > 0 ? poll(&one, 1, (int)left) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        ssize_t got = ready > 0 ? read(fd, out + n, ANSWER_BYTES - 1 - n) : -1;
        if (got <= 0) {
            out[n] = '\0';
            return !got;
        }
        n += (size_t)got;
        if (n == ANSWER_BYTES - 1)
            n /= 2; /* what matters stands near the beginning */
    }
}

static bool start(const char *const *words, int out, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null",
                                     O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null",
                                     O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    int bad = posix_spawnp(pid, words[0], &files, NULL,
                           (char *const *)(uintptr_t)words, environ);
    posix_spawn_file_actions_destroy(&files);
    return !bad;
}

/* What a program prints; false: it is not there or says nothing in time. */
static bool ask(const char *const *words, char out[ANSWER_BYTES])
{
    int ends[2], status = 0;
    pid_t pid = 0;
    if (pipe2(ends, O_CLOEXEC))
        return false;
    bool is_there = start(words, ends[1], &pid);
    close(ends[1]);
    bool has_said = is_there && read_answer(ends[0], out);
    close(ends[0]);
    if (is_there && !has_said)
        kill(pid, SIGKILL);
    while (is_there && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return has_said && WIFEXITED(status) && !WEXITSTATUS(status);
}

static bool number_of(const char *text, int64_t *out)
{
    char *end = NULL;
    *out = text ? strtoll(text, &end, 10) : 0;
    return text && end != text && !*end && *out > 0;
}

static bool ask_slurm(const char *job, int64_t now, double *seconds)
{
    const char *const words[] = {"scontrol", "-o", "show", "job", job, NULL};
    static char text[ANSWER_BYTES];
    return ask(words, text) && nci_walltime_slurm_left(text, now, seconds);
}

static bool ask_pbs(const char *job, int64_t now, double *seconds)
{
    const char *const words[] = {"qstat", "-f", job, NULL};
    static char text[ANSWER_BYTES];
    return ask(words, text) && nci_walltime_pbs_left(text, now, seconds);
}

bool nci_walltime_left(char *(*look)(const char *name), double *seconds)
{
    int64_t now = (int64_t)time(NULL), n;
    const char *slurm = look("SLURM_JOB_ID"), *pbs = look("PBS_JOBID");
    if (slurm && number_of(look("SLURM_JOB_END_TIME"), &n))
        return left_until(n, now, seconds);
    if (slurm)
        return ask_slurm(slurm, now, seconds);
    if (!pbs)
        return false;
    if (ask_pbs(pbs, now, seconds))
        return true;
    /* Torque tells the length, not the beginning. */
    return number_of(look("PBS_WALLTIME"), &n) &&
           left_until(now + n, now, seconds);
}
