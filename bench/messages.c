/* SPDX-License-Identifier: BSD-3-Clause */
/* Targets T3 and T4: what messages between processes cost, with a scheduler and
 * two workers of one thread each on the loopback interface.
 *
 *     messages [TASKS [ROUNDS]]                      default: 100000 5
 *
 * T3: tasks that do nothing, each with its own assignment, result and
 * completion record: independent, and as a 4-ary tree whose results are held
 * until they are used. T4: tasks that alternate between the two workers, each
 * needs what both made the round before; from the end of one to the beginning
 * of the next in the other process, payload of 2 KiB; beside a round trip of
 * 4 KiB with epoll alone. A process scrapes /metrics every second where asked
 * (target D1): SCRAPE=1. Prints JSON: medians of the rounds. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ncgraph.h"

#define NOTHING "org.ncgraph.bench.nothing/1"
#define STAMP "org.ncgraph.bench.stamp/1"

enum { PAYLOAD = 2048, LEVELS = 1000, TRIPS = 5000, MAX_ROUNDS = 64 };

static int64_t nanoseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void must(ncg_status st, const ncg_error *err)
{
    if (!st)
        return;
    fprintf(stderr, "messages: %s\n", err->message);
    exit(1);
}

/* ---- functions of tasks -------------------------------------------------- */

static ncg_status nothing(const ncg_task_call *call, ncg_error *err)
{
    (void)call, (void)err;
    return NCG_OK;
}

typedef struct stamp {
    int64_t pid, began, ended;
    char rest[PAYLOAD - 24];
} stamp;

static void drop(void *data, void *payload)
{
    (void)payload;
    free(data);
}

/* Who ran it, and when; with parameters it first takes so many ms. */
static ncg_status take_stamp(const ncg_task_call *call, ncg_error *err)
{
    (void)err;
    int64_t began = nanoseconds();
    stamp *s = calloc(1, sizeof *s);
    if (!s)
        return NCG_ENOMEM;
    if (call->nparams)
        usleep(1000 * *(const unsigned char *)call->params);
    *s = (stamp){.pid = getpid(), .began = began, .ended = nanoseconds()};
    *call->output = (ncg_value){s, sizeof *s, drop, NULL};
    return NCG_OK;
}

/* ---- processes ----------------------------------------------------------- */

static char file[96];

static int serve(char **argv)
{
    ncg_error err;
    ncg_context_options c = NCG_CONTEXT_OPTIONS_INIT;
    c.threads = 1;
    c.memory_limit = INT64_C(1) << 30;
    if (!strcmp(argv[1], "cluster")) {
        ncg_launch_options l = NCG_LAUNCH_OPTIONS_INIT;
        ncg_cluster_options o = NCG_CLUSTER_OPTIONS_INIT;
        l.context = &c;
        l.exclusive = true;
        o.scheduler_file = argv[2];
        o.interface = "127.0.0.1";
        o.launch = &l;
        must(ncg_cluster_serve(&o, &err), &err);
    } else {
        ncg_worker_options o = NCG_WORKER_OPTIONS_INIT;
        o.context = &c;
        o.scheduler_file = argv[2];
        o.interface = "127.0.0.1";
        must(ncg_worker_serve(&o, &err), &err);
    }
    return 0;
}

static pid_t start(const char *role)
{
    pid_t pid = fork();
    if (pid)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    execl("/proc/self/exe", "messages", role, file, (char *)NULL);
    _exit(127);
}

/* Until both workers are there. */
static void wait_for_workers(void)
{
    int n = 0;
    ncg_error err;
    while (n < 2) {
        char *text = NULL;
        n = 0;
        if (!ncg_cluster_status(file, &text, &err))
            for (const char *at = text; (at = strstr(at, "\"pid\"")); at++)
                n++;
        ncg_free(text);
        usleep(20000);
    }
}

/* The address stands in the scheduler file. */
static pid_t start_scraping(void)
{
    char command[512];
    pid_t pid = fork();
    if (pid)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    snprintf(command, sizeof command,
             "u=$(sed -n 's/.*\"http\": \"\\(.*\\)?\\(token=.*\\)\".*/"
             "\\1metrics?\\2/p' %s); while :; do curl -sf \"$u\" >/dev/null "
             "|| echo 'messages: no metrics' >&2; sleep 1; done",
             file);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

/* ---- T3 ------------------------------------------------------------------ */

static void add(ncg_tasks *tasks, const char *name, const char *function,
                const void *params, size_t nparams, const char *const *deps,
                size_t ndeps)
{
    ncg_error err;
    must(ncg_tasks_add_named(tasks, name, function, params, nparams, deps,
                             ndeps, NULL, &err),
         &err);
}

/* Equal lists are equal work: a number tells rounds apart. */
static void add_nothing(ncg_tasks *tasks, int64_t i, int round,
                        const int64_t *children, int n)
{
    char name[24], texts[4][24];
    const char *deps[4];
    for (int k = 0; k < n; k++) {
        snprintf(texts[k], sizeof texts[k], "t%lld", (long long)children[k]);
        deps[k] = texts[k];
    }
    snprintf(name, sizeof name, "t%lld", (long long)i);
    add(tasks, name, NOTHING, &round, sizeof round, deps, (size_t)n);
}

static double seconds_of(ncg_context *ctx, ncg_tasks *tasks, bool whole,
                         const char *last, ncg_results **results)
{
    ncg_error err;
    ncg_graph *graph = NULL;
    ncg_keys *keys = NULL;
    ncg_key key;
    must(ncg_graph_of_tasks(tasks, NULL, &graph, &err), &err);
    if (!whole)
        must(ncg_tasks_key(tasks, last, 0, &key, &err), &err);
    must(whole ? ncg_keys_tasks(tasks, &keys, &err)
               : ncg_keys_list(&key, 1, &keys, &err),
         &err);
    int64_t begin = nanoseconds();
    must(ncg_get_threads(ctx, graph, keys, results, &err), &err);
    double seconds = 1e-9 * (double)(nanoseconds() - begin);
    ncg_keys_release(&keys);
    ncg_graph_release(&graph);
    return seconds;
}

static double independent(ncg_context *ctx, int64_t n, int round)
{
    ncg_error err;
    ncg_tasks *tasks = NULL;
    ncg_results *results = NULL;
    must(ncg_tasks_create(&tasks, &err), &err);
    for (int64_t i = 0; i < n; i++)
        add_nothing(tasks, i, round, NULL, 0);
    double s = seconds_of(ctx, tasks, true, NULL, &results);
    ncg_results_release(&results);
    ncg_tasks_free(&tasks);
    return 1e6 * s / (double)n;
}

static double tree(ncg_context *ctx, int64_t n, int round)
{
    ncg_error err;
    ncg_tasks *tasks = NULL;
    ncg_results *results = NULL;
    int64_t leaves = (3 * n + 1) / 4, child = 0;
    char last[24];
    must(ncg_tasks_create(&tasks, &err), &err);
    for (int64_t i = 0; i < n; i++) {
        int64_t children[4];
        int k = 0;
        while (i >= leaves && k < 4 && child < i)
            children[k++] = child++;
        add_nothing(tasks, i, round, children, k);
    }
    snprintf(last, sizeof last, "t%lld", (long long)(n - 1));
    double s = seconds_of(ctx, tasks, false, last, &results);
    ncg_results_release(&results);
    ncg_tasks_free(&tasks);
    return 1e6 * s / (double)n;
}

/* ---- T4 ------------------------------------------------------------------ */

static void add_level(ncg_tasks *tasks, int level)
{
    char names[2][24], before[2][24];
    const char *deps[2] = {before[0], before[1]};
    for (int i = 0; i < 2; i++) {
        snprintf(names[i], sizeof names[i], "%c%d", "xy"[i], level);
        snprintf(before[i], sizeof before[i], "%c%d", "xy"[i], level - 1);
    }
    for (int i = 0; i < 2; i++)
        add(tasks, names[i], STAMP, NULL, 0, deps, 2);
}

/* Four roots of 20 ms: each worker takes two of them, those of x and of y go
 * to different ones because they have other first users. */
static void add_roots(ncg_tasks *tasks, unsigned char ms)
{
    static const char *const roots[] = {"x0", "p0", "y0", "q0"};
    static const char *const pairs[][2] = {{"x0", "p0"}, {"y0", "q0"}};
    for (int i = 0; i < 4; i++)
        add(tasks, roots[i], STAMP, &ms, 1, NULL, 0);
    add(tasks, "p1", STAMP, NULL, 0, pairs[0], 2);
    add(tasks, "q1", STAMP, NULL, 0, pairs[1], 2);
}

typedef struct hops {
    double median; /* us */
    double crossed; /* share of the tasks with an input from elsewhere */
} hops;

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* From the end of the input that was made elsewhere, if it was the last to be
 * ready, to the beginning of its user. */
static hops measure(const stamp *s)
{
    static double times[2 * LEVELS];
    int n = 0;
    for (int level = 1; level <= LEVELS; level++)
        for (int i = 0; i < 2; i++) {
            const stamp *user = &s[2 * level + i];
            for (int k = 0; k < 2; k++) {
                const stamp *in = &s[2 * level - 2 + k];
                const stamp *other = &s[2 * level - 1 - k];
                if (in->pid != user->pid && other->pid == user->pid)
                    times[n++] = 1e-3 * (double)(user->began - in->ended);
            }
        }
    if (!n)
        return (hops){0, 0};
    qsort(times, (size_t)n, sizeof *times, by_value);
    return (hops){times[n / 2], (double)n / (2 * LEVELS)};
}

static hops hop(ncg_context *ctx, int round)
{
    static stamp all[2 * LEVELS + 2];
    ncg_error err;
    ncg_tasks *tasks = NULL;
    ncg_results *results = NULL;
    must(ncg_tasks_create(&tasks, &err), &err);
    add_roots(tasks, (unsigned char)(20 + round));
    for (int level = 1; level <= LEVELS; level++)
        add_level(tasks, level);
    seconds_of(ctx, tasks, true, NULL, &results);
    for (int level = 0; level <= LEVELS; level++)
        for (int i = 0; i < 2; i++) {
            char name[24];
            ncg_key key;
            ncg_value value = {0};
            snprintf(name, sizeof name, "%c%d", "xy"[i], level);
            must(ncg_tasks_key(tasks, name, 0, &key, &err), &err);
            must(ncg_results_value(results, &key, &value, &err), &err);
            memcpy(&all[2 * level + i], value.data, sizeof *all);
        }
    ncg_results_release(&results);
    ncg_tasks_free(&tasks);
    return measure(all);
}

/* ---- the limit: a round trip with epoll ---------------------------------- */

static void move(int fd, char *bytes, bool sends)
{
    for (size_t at = 0; at < 2 * PAYLOAD;) {
        ssize_t n = sends ? write(fd, bytes + at, 2 * PAYLOAD - at)
                          : read(fd, bytes + at, 2 * PAYLOAD - at);
        if (n <= 0)
            _exit(1);
        at += (size_t)n;
    }
}

static double trips(int fd, bool first)
{
    char bytes[2 * PAYLOAD] = {0};
    int one = 1, loop = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
    static double times[TRIPS];
    for (int i = 0; i < TRIPS; i++) {
        int64_t begin = nanoseconds();
        if (first)
            move(fd, bytes, true);
        epoll_wait(loop, &event, 1, -1);
        move(fd, bytes, false);
        if (!first)
            move(fd, bytes, true);
        times[i] = 1e-3 * (double)(nanoseconds() - begin);
    }
    close(loop);
    close(fd);
    qsort(times, TRIPS, sizeof *times, by_value);
    return times[TRIPS / 2];
}

static double round_trip(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t length = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int door = socket(AF_INET, SOCK_STREAM, 0), status;
    if (bind(door, (struct sockaddr *)&at, sizeof at) || listen(door, 1))
        exit(1);
    getsockname(door, (struct sockaddr *)&at, &length);
    pid_t pid = fork();
    if (!pid) {
        trips(accept(door, NULL, NULL), false);
        _exit(0);
    }
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&at, sizeof at))
        exit(1);
    double us = trips(fd, true);
    close(door);
    waitpid(pid, &status, 0);
    return us;
}

/* ---- all ----------------------------------------------------------------- */

typedef struct round_times {
    double independent[MAX_ROUNDS], tree[MAX_ROUNDS], hop[MAX_ROUNDS];
    double trip[MAX_ROUNDS], crossed[MAX_ROUNDS];
} round_times;

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, by_value);
    return values[n / 2];
}

static void run(int64_t n, int rounds)
{
    static round_times t;
    ncg_error err;
    ncg_context *ctx = NULL;
    must(ncg_context_connect(file, 60, NULL, &ctx, &err), &err);
    independent(ctx, n / 10, -1);
    for (int r = 0; r < rounds; r++) {
        t.independent[r] = independent(ctx, n, r);
        t.tree[r] = tree(ctx, n, r);
        t.trip[r] = round_trip();
        hops h = hop(ctx, r);
        t.hop[r] = h.median;
        t.crossed[r] = h.crossed;
    }
    ncg_context_destroy(&ctx);
    double trip = median(t.trip, rounds), h = median(t.hop, rounds);
    printf("{\"tasks\": %lld, \"rounds\": %d,\n"
           " \"noop_us_per_task\": %.2f, \"tree_us_per_task\": %.2f,\n"
           " \"hop_us\": %.1f, \"round_trip_us\": %.1f, \"ratio\": %.2f, "
           "\"crossed\": %.2f}\n",
           (long long)n, rounds, median(t.independent, rounds),
           median(t.tree, rounds), h, trip, h / trip,
           median(t.crossed, rounds));
}

int main(int argc, char **argv)
{
    ncg_error err;
    pid_t pids[4];
    int npids = 0, status;
    must(ncg_task_register(NULL, NOTHING, nothing, NULL, &err), &err);
    must(ncg_task_register(NULL, STAMP, take_stamp, NULL, &err), &err);
    if (argc == 3 && (argv[1][0] == 'c' || argv[1][0] == 'w'))
        return serve(argv);
    int64_t n = argc > 1 ? atoll(argv[1]) : 100000;
    int rounds = argc > 2 ? atoi(argv[2]) : 5;
    snprintf(file, sizeof file, "/tmp/messages-%d.json", (int)getpid());
    pids[npids++] = start("cluster");
    pids[npids++] = start("worker");
    pids[npids++] = start("worker");
    wait_for_workers();
    if (getenv("SCRAPE"))
        pids[npids++] = start_scraping();
    run(n, rounds < 1 ? 1 : rounds > MAX_ROUNDS ? MAX_ROUNDS : rounds);
    must(ncg_cluster_stop(file, &err), &err);
    if (npids > 3)
        kill(pids[3], SIGTERM);
    for (int i = 0; i < npids; i++)
        waitpid(pids[i], &status, 0);
    return 0;
}
