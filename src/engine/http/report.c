/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The report as JSON and as metrics. Names are escaped for each: nothing that
 * a worker calls itself changes what the text means.
 */
#include "engine/http/report.h"

#include <string.h>

#include "base/mem.h"

void nci_report_fini(nci_report *r)
{
    nci_free(r->workers);
    nci_free(r->runs);
    *r = (nci_report){0};
}

static void add_work(nci_report_work *to, const nci_report_work *more)
{
    to->tasks += more->tasks;
    to->done += more->done;
    to->running += more->running;
    to->waiting += more->waiting;
    to->memory += more->memory;
    to->fetched += more->fetched;
    to->moved += more->moved;
    to->spilled += more->spilled;
    to->recomputed += more->recomputed;
    to->stolen += more->stolen;
    to->chunks_read += more->chunks_read;
    to->bytes_read += more->bytes_read;
    to->bytes_decoded += more->bytes_decoded;
}

nci_report_work nci_report_total(const nci_report *r)
{
    nci_report_work total = r->past;
    for (size_t i = 0; i < r->nruns; i++)
        add_work(&total, &r->runs[i].work);
    return total;
}

/* ---- JSON ---------------------------------------------------------------- */

static void add_number(nci_text *text, const char *name, int64_t value)
{
    nci_text_add(text, ", \"%s\": %lld", name, (long long)value);
}

static void json_worker(const nci_report_worker *w, nci_text *text)
{
    const char *state = w->is_leaving ? "leaving"
                        : w->is_silent ? "silent"
                                       : "active";
    nci_text_add(text, "{\"name\": ");
    nci_text_add_json(text, w->name);
    nci_text_add(text, ", \"host\": ");
    nci_text_add_json(text, w->host);
    add_number(text, "pid", w->pid);
    nci_text_add(text, ", \"resources\": ");
    nci_text_add_json(text, w->resources);
    add_number(text, "threads", w->threads);
    add_number(text, "memory_limit", w->limit);
    add_number(text, "memory", w->memory);
    add_number(text, "running", w->running);
    add_number(text, "sent", w->sent);
    add_number(text, "queued", w->queued);
    nci_text_add(text, ", \"state\": \"%s\"}", state);
}

static void json_work(const nci_report_work *w, nci_text *text)
{
    nci_text_add(text, "{\"tasks\": %lld", (long long)w->tasks);
    add_number(text, "done", w->done);
    add_number(text, "running", w->running);
    add_number(text, "waiting", w->waiting);
    add_number(text, "memory", w->memory);
    add_number(text, "fetched", w->fetched);
    add_number(text, "moved", w->moved);
    add_number(text, "spilled", w->spilled);
    add_number(text, "recomputed", w->recomputed);
    add_number(text, "stolen", w->stolen);
    add_number(text, "chunks_read", w->chunks_read);
    add_number(text, "bytes_read", w->bytes_read);
    add_number(text, "bytes_decoded", w->bytes_decoded);
    nci_text_add(text, "}");
}

static void json_run(const nci_report_run *run, nci_text *text)
{
    nci_text_add(text, "{\"number\": %u, \"state\": \"%s\"", run->number,
                 run->state);
    if (*run->waits_for) {
        nci_text_add(text, ", \"waits_for\": ");
        nci_text_add_json(text, run->waits_for);
    }
    nci_text_add(text, ", \"work\": ");
    json_work(&run->work, text);
    nci_text_add(text, "}");
}

static void json_rest(const nci_report *r, nci_text *text)
{
    const nci_report_values *v = &r->values;
    const nci_net_stats *n = &r->net;
    nci_report_work total = nci_report_total(r);
    nci_text_add(text,
                 "],\n \"computations_over\": {\"finished\": %lld, "
                 "\"failed\": %lld, \"canceled\": %lld},\n \"total\": ",
                 (long long)r->finished, (long long)r->failed,
                 (long long)r->canceled);
    json_work(&total, text);
    nci_text_add(text, ",\n \"calls\": {\"waiting\": %lld",
                 (long long)v->waiting);
    add_number(text, "queued", v->queued);
    add_number(text, "running", v->running);
    add_number(text, "failed", v->failed);
    nci_text_add(text, "},\n \"held\": {\"values\": %lld",
                 (long long)v->values);
    add_number(text, "chunks", v->chunks);
    add_number(text, "bytes", v->bytes);
    nci_text_add(text, "},\n \"scheduler\": {\"connections\": %lld",
                 (long long)n->connections);
    add_number(text, "refused", n->refused);
    add_number(text, "messages_in", n->messages_in);
    add_number(text, "messages_out", n->messages_out);
    add_number(text, "bytes_in", n->bytes_in);
    add_number(text, "bytes_out", n->bytes_out);
    nci_text_add(text, "}}\n");
}

void nci_report_json(const nci_report *r, nci_text *text)
{
    nci_text_add(text,
                 "{\"cluster\": \"%s\", \"epoch\": %llu, \"version\": "
                 "\"" NCG_VERSION_STRING "\", \"uptime\": %.1f,\n "
                 "\"workers\": [",
                 r->cluster, (unsigned long long)r->epoch, r->uptime);
    for (size_t i = 0; i < r->nworkers; i++) {
        nci_text_add(text, i ? ",\n  " : "\n  ");
        json_worker(&r->workers[i], text);
    }
    nci_text_add(text, "],\n \"computations\": [");
    for (size_t i = 0; i < r->nruns; i++) {
        nci_text_add(text, i ? ",\n  " : "\n  ");
        json_run(&r->runs[i], text);
    }
    json_rest(r, text);
}

/* ---- metrics ------------------------------------------------------------- */

static void head(nci_text *text, const char *name, const char *kind,
                 const char *help)
{
    nci_text_add(text, "# HELP ncgraph_%s %s\n# TYPE ncgraph_%s %s\n", name,
                 help, name, kind);
}

static void one(nci_text *text, const char *name, const char *kind,
                const char *help, int64_t value)
{
    head(text, name, kind, help);
    nci_text_add(text, "ncgraph_%s %lld\n", name, (long long)value);
}

/* The value of a label: backslash, quote and line feed have escapes. */
static void add_label(nci_text *text, const char *string)
{
    for (const char *c = string; *c; c++) {
        unsigned char byte = (unsigned char)*c;
        if (byte == '"' || byte == '\\')
            nci_text_add(text, "\\%c", byte);
        else
            nci_text_add(text, "%c", byte < ' ' || byte > '~' ? '?' : byte);
    }
}

/* Two workers may have one name; the number of the process tells them apart. */
static void of_worker(nci_text *text, const char *name,
                      const nci_report_worker *w, int64_t value)
{
    nci_text_add(text, "ncgraph_%s{worker=\"", name);
    add_label(text, w->name);
    nci_text_add(text, "\",host=\"");
    add_label(text, w->host);
    nci_text_add(text, "\",pid=\"%lld\"} %lld\n", (long long)w->pid,
                 (long long)value);
}

typedef struct series {
    const char *name, *help;
    int64_t (*value)(const nci_report_worker *w);
} series;

static int64_t threads_of(const nci_report_worker *w)
{
    return w->threads;
}

static int64_t limit_of(const nci_report_worker *w)
{
    return w->limit;
}

static int64_t memory_of(const nci_report_worker *w)
{
    return w->memory;
}

static int64_t running_of(const nci_report_worker *w)
{
    return w->running;
}

static int64_t queued_of(const nci_report_worker *w)
{
    return w->queued;
}

static void metrics_of_workers(const nci_report *r, nci_text *text)
{
    static const series all[] = {
        {"worker_threads", "Cores of a worker.", threads_of},
        {"worker_memory_limit_bytes", "Memory limit of a worker.", limit_of},
        {"worker_memory_bytes", "Memory booked on a worker.", memory_of},
        {"worker_tasks_running", "Tasks that a worker runs.", running_of},
        {"worker_tasks_queued", "Tasks meant for a worker, not sent.",
         queued_of}};
    int64_t leaving = 0, silent = 0;
    for (size_t i = 0; i < r->nworkers; i++) {
        leaving += r->workers[i].is_leaving;
        silent += !r->workers[i].is_leaving && r->workers[i].is_silent;
    }
    head(text, "workers", "gauge", "Workers by state.");
    nci_text_add(text,
                 "ncgraph_workers{state=\"active\"} %lld\n"
                 "ncgraph_workers{state=\"leaving\"} %lld\n"
                 "ncgraph_workers{state=\"silent\"} %lld\n",
                 (long long)((int64_t)r->nworkers - leaving - silent),
                 (long long)leaving, (long long)silent);
    for (size_t k = 0; k < sizeof all / sizeof *all && r->nworkers; k++) {
        head(text, all[k].name, "gauge", all[k].help);
        for (size_t i = 0; i < r->nworkers; i++)
            of_worker(text, all[k].name, &r->workers[i],
                      all[k].value(&r->workers[i]));
    }
}

static void metrics_of_work(const nci_report *r, nci_text *text)
{
    nci_report_work w = nci_report_total(r);
    head(text, "tasks", "gauge", "Tasks of computations under way, by state.");
    nci_text_add(text,
                 "ncgraph_tasks{state=\"waiting\"} %lld\n"
                 "ncgraph_tasks{state=\"running\"} %lld\n",
                 (long long)w.waiting, (long long)w.running);
    one(text, "tasks_done_total", "counter", "Tasks done.", w.done);
    one(text, "tasks_recomputed_total", "counter",
        "Tasks run again because a worker was lost.", w.recomputed);
    one(text, "tasks_stolen_total", "counter",
        "Tasks taken from one worker for another.", w.stolen);
    one(text, "memory_bytes", "gauge", "Bytes booked on all workers.",
        w.memory);
    one(text, "fetched_bytes_total", "counter",
        "Bytes that workers fetched from each other.", w.fetched);
    one(text, "moved_bytes_total", "counter",
        "Bytes that leaving workers handed over.", w.moved);
    one(text, "spilled_bytes_total", "counter",
        "Bytes written to spill directories.", w.spilled);
    one(text, "storage_chunks_read_total", "counter",
        "Chunks read from input files.", w.chunks_read);
    one(text, "storage_read_bytes_total", "counter",
        "Bytes read from input files.", w.bytes_read);
    one(text, "storage_decoded_bytes_total", "counter",
        "Bytes of input after decoding.", w.bytes_decoded);
}

static void metrics_of_runs(const nci_report *r, nci_text *text)
{
    one(text, "computations", "gauge", "Computations under way and queued.",
        (int64_t)r->nruns);
    head(text, "computations_total", "counter",
         "Computations that are over, by outcome.");
    nci_text_add(text,
                 "ncgraph_computations_total{outcome=\"finished\"} %lld\n"
                 "ncgraph_computations_total{outcome=\"failed\"} %lld\n"
                 "ncgraph_computations_total{outcome=\"canceled\"} %lld\n",
                 (long long)r->finished, (long long)r->failed,
                 (long long)r->canceled);
}

static void metrics_of_values(const nci_report *r, nci_text *text)
{
    const nci_report_values *v = &r->values;
    head(text, "calls", "gauge", "Calls of functions, by state.");
    nci_text_add(text,
                 "ncgraph_calls{state=\"waiting\"} %lld\n"
                 "ncgraph_calls{state=\"queued\"} %lld\n"
                 "ncgraph_calls{state=\"running\"} %lld\n"
                 "ncgraph_calls{state=\"failed\"} %lld\n",
                 (long long)v->waiting, (long long)v->queued,
                 (long long)v->running, (long long)v->failed);
    one(text, "held_values", "gauge", "Results of calls that are held.",
        v->values);
    one(text, "held_chunks", "gauge", "Chunks held between computations.",
        v->chunks);
    one(text, "held_bytes", "gauge", "Bytes of both.", v->bytes);
}

void nci_report_metrics(const nci_report *r, nci_text *text)
{
    head(text, "info", "gauge", "Version and cluster.");
    nci_text_add(text,
                 "ncgraph_info{version=\"" NCG_VERSION_STRING
                 "\",cluster=\"%s\"} 1\n",
                 r->cluster);
    one(text, "uptime_seconds", "gauge", "Since the scheduler began.",
        (int64_t)r->uptime);
    metrics_of_workers(r, text);
    metrics_of_runs(r, text);
    metrics_of_work(r, text);
    metrics_of_values(r, text);
    one(text, "scheduler_connections", "gauge", "Open connections.",
        r->net.connections);
    one(text, "scheduler_refused_total", "counter",
        "Connections that were refused.", r->net.refused);
    one(text, "scheduler_messages_in_total", "counter", "Messages received.",
        r->net.messages_in);
    one(text, "scheduler_messages_out_total", "counter", "Messages sent.",
        r->net.messages_out);
    one(text, "scheduler_bytes_in_total", "counter", "Bytes received.",
        r->net.bytes_in);
    one(text, "scheduler_bytes_out_total", "counter", "Bytes sent.",
        r->net.bytes_out);
}
