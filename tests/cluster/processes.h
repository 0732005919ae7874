/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_TESTS_CLUSTER_PROCESSES_H
#define NCG_TESTS_CLUSTER_PROCESSES_H
/*
 * A cluster for a test program: scheduler and workers are the program itself,
 * started again with other words. main calls processes_serve first.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "test.h"

enum { MOST_PROCESSES = 16 };

typedef struct processes {
    char dir[64], file[96];
    pid_t pids[MOST_PROCESSES];
    int n;
} processes;

static inline int processes_end(ncg_status st, const ncg_error *err)
{
    if (st)
        fprintf(stderr, "%s\n", err->message);
    return st != 0;
}

/* True: this was a process of a cluster, and *code is its exit code. */
static inline bool processes_serve(int argc, char **argv, int *code)
{
    ncg_error err;
    ncg_context_options c = NCG_CONTEXT_OPTIONS_INIT;
    c.threads = 2;
    c.memory_limit = 64 << 20;
    if (argc == 3 && !strcmp(argv[1], "cluster")) {
        ncg_launch_options l = NCG_LAUNCH_OPTIONS_INIT;
        ncg_cluster_options o = NCG_CLUSTER_OPTIONS_INIT;
        l.context = &c;
        l.exclusive = true;
        o.scheduler_file = argv[2];
        o.interface = "127.0.0.1";
        o.launch = &l;
        *code = processes_end(ncg_cluster_serve(&o, &err), &err);
        return true;
    }
    if ((argc == 4 || argc == 5) && !strcmp(argv[1], "worker")) {
        ncg_worker_options o = NCG_WORKER_OPTIONS_INIT;
        o.context = &c;
        o.scheduler_file = argv[2];
        o.interface = "127.0.0.1";
        o.name = argv[3];
        o.resources = argv[4]; /* or NULL */
        o.restarts = -1;
        *code = processes_end(ncg_worker_serve(&o, &err), &err);
        return true;
    }
    return false;
}

static inline void processes_start_with(processes *p, const char *role,
                                        const char *name, const char *has)
{
    pid_t test = getpid(), pid = fork();
    assert_true(pid >= 0 && p->n < MOST_PROCESSES);
    if (!pid) {
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* also when the test crashes */
        if (getppid() != test)
            _exit(0);
        execl("/proc/self/exe", "test", role, p->file, name, has, (char *)NULL);
        _exit(127);
    }
    setpgid(pid, pid);
    p->pids[p->n++] = pid;
}

static inline void processes_start(processes *p, const char *role,
                                   const char *name)
{
    processes_start_with(p, role, name, NULL);
}

/* How often a word stands in the status of the cluster. */
static inline int processes_count(const processes *p, const char *word)
{
    ncg_error err;
    char *text = NULL;
    int n = 0;
    if (ncg_cluster_status(p->file, &text, &err))
        return -1;
    for (const char *at = text; (at = strstr(at, word)); at++)
        n++;
    ncg_free(text);
    return n;
}

static inline void processes_pause(void)
{
    const struct timespec moment = {0, 20000000};
    nanosleep(&moment, NULL);
}

static inline double processes_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static inline void processes_await(const processes *p, const char *word,
                                   int count)
{
    double end = processes_now() + 60;
    while (processes_count(p, word) != count) {
        if (processes_now() > end)
            fail_msg("the status never has %s %d times", word, count);
        processes_pause();
    }
}

static inline void processes_worker_with(processes *p, const char *name,
                                         const char *has)
{
    char word[64];
    snprintf(word, sizeof word, "\"name\": \"%s\"", name);
    processes_start_with(p, "worker", name, has);
    processes_await(p, word, 1);
}

static inline void processes_worker(processes *p, const char *name)
{
    processes_worker_with(p, name, NULL);
}

static inline void processes_begin(processes *p)
{
    *p = (processes){.n = 0};
    strcpy(p->dir, "/tmp/ncgraph-test-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->file, sizeof p->file, "%s/s.json", p->dir);
    processes_start(p, "cluster", NULL);
    processes_await(p, "\"workers\"", 1);
}

/* The scheduler and its nanny are killed. */
static inline void processes_lose_scheduler(const processes *p)
{
    kill(-p->pids[0], SIGKILL);
    while (waitpid(p->pids[0], NULL, 0) < 0 && errno == EINTR)
        ;
}

/* Another one is started with the same file. */
static inline void processes_schedule_again(processes *p)
{
    processes_start(p, "cluster", NULL);
    p->pids[0] = p->pids[--p->n];
}

/* The process that works for a nanny. */
static inline pid_t processes_child(pid_t nanny)
{
    char path[64];
    int pid = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)nanny,
             (int)nanny);
    FILE *f = fopen(path, "r");
    if (!f || fscanf(f, "%d", &pid) != 1)
        pid = 0;
    if (f)
        fclose(f);
    return pid;
}

static inline ncg_context *processes_connect(const processes *p)
{
    ncg_error err;
    ncg_context *ctx = NULL;
    ncg_context_options c = NCG_CONTEXT_OPTIONS_INIT;
    c.threads = 1;
    CHECK_OK(ncg_context_connect(p->file, 60, &c, &ctx, &err));
    return ctx;
}

static inline void processes_remove(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    char path[400];
    while (d && (e = readdir(d))) {
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        unlink(path);
    }
    if (d)
        closedir(d);
    rmdir(dir);
}

/* Stops the cluster; all processes end well, in time. */
static inline void processes_stop(processes *p)
{
    ncg_error err;
    double end = processes_now() + 60;
    CHECK_OK(ncg_cluster_stop(p->file, &err));
    for (int i = 0; i < p->n; i++) {
        int status = 0;
        pid_t got = 0;
        while (!got && processes_now() < end) {
            got = waitpid(p->pids[i], &status, WNOHANG);
            if (!got)
                processes_pause();
        }
        if (!got) {
            kill(-p->pids[i], SIGKILL);
            fail_msg("process %d of the cluster does not end", i);
        }
    }
    processes_remove(p->dir);
}

#endif
