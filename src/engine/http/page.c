/* SPDX-License-Identifier: BSD-3-Clause */
/* The page for people: tables, no scripts, nothing from elsewhere. */
#include <string.h>

#include "engine/http/report.h"

static const char STYLE[] =
    "body{font:15px sans-serif;margin:2em;max-width:70em}"
    "table{border-collapse:collapse;margin:1em 0}"
    "td,th{padding:.2em .9em .2em 0;text-align:left;"
    "border-bottom:1px solid #ccc}"
    "td.n{text-align:right;font-variant-numeric:tabular-nums}";

static void add_escaped(nci_text *text, const char *string)
{
    for (const char *c = string; *c; c++) {
        unsigned char byte = (unsigned char)*c;
        if (byte == '<' || byte == '>' || byte == '&' || byte == '"' ||
            byte == '\'')
            nci_text_add(text, "&#%d;", byte);
        else
            nci_text_add(text, "%c", byte < ' ' || byte > '~' ? '?' : byte);
    }
}

static void cell(nci_text *text, const char *string)
{
    nci_text_add(text, "<td>");
    add_escaped(text, string);
    nci_text_add(text, "</td>");
}

static void cell_number(nci_text *text, int64_t value)
{
    nci_text_add(text, "<td class=n>%lld</td>", (long long)value);
}

static void cell_bytes(nci_text *text, int64_t value)
{
    char shown[32];
    nci_text_add(text, "<td class=n>%s</td>",
                 nci_format_bytes((double)value, shown));
}

static void heads(nci_text *text, const char *const *names, size_t count)
{
    nci_text_add(text, "<table><tr>");
    for (size_t i = 0; i < count; i++)
        nci_text_add(text, "<th>%s</th>", names[i]);
    nci_text_add(text, "</tr>\n");
}

static void add_workers(const nci_report *r, nci_text *text)
{
    static const char *const names[] = {"worker", "host",  "process",
                                        "state",  "cores", "running",
                                        "queued", "memory", "limit"};
    nci_text_add(text, "<h2>Workers</h2>\n");
    heads(text, names, sizeof names / sizeof *names);
    for (size_t i = 0; i < r->nworkers; i++) {
        const nci_report_worker *w = &r->workers[i];
        nci_text_add(text, "<tr>");
        cell(text, w->name);
        cell(text, w->host);
        cell_number(text, w->pid);
        cell(text, w->is_leaving ? "leaving"
                   : w->is_silent ? "silent"
                                  : "active");
        cell_number(text, w->threads);
        cell_number(text, w->running);
        cell_number(text, w->queued);
        cell_bytes(text, w->memory);
        cell_bytes(text, w->limit);
        nci_text_add(text, "</tr>\n");
    }
    nci_text_add(text, "</table>\n");
    if (!r->nworkers)
        nci_text_add(text, "<p>None: work waits for the first.</p>\n");
}

static void add_work(const nci_report_work *w, nci_text *text)
{
    cell_number(text, w->tasks);
    cell_number(text, w->done);
    cell_number(text, w->running);
    cell_number(text, w->waiting);
    cell_number(text, w->recomputed);
    cell_bytes(text, w->memory);
    cell_bytes(text, w->bytes_read);
    cell_bytes(text, w->fetched);
    cell_bytes(text, w->spilled);
    nci_text_add(text, "</tr>\n");
}

static void add_runs(const nci_report *r, nci_text *text)
{
    static const char *const names[] = {
        "computation", "state",   "tasks",       "done",
        "running",     "waiting", "done again",  "memory",
        "read",        "between workers", "to disk"};
    nci_report_work total = nci_report_total(r);
    nci_text_add(text, "<h2>Computations</h2>\n");
    heads(text, names, sizeof names / sizeof *names);
    for (size_t i = 0; i < r->nruns; i++) {
        const nci_report_run *run = &r->runs[i];
        nci_text_add(text, "<tr>");
        cell_number(text, run->number);
        nci_text_add(text, "<td>%s", run->state);
        if (*run->waits_for) {
            nci_text_add(text, ", waits for ");
            add_escaped(text, run->waits_for);
        }
        nci_text_add(text, "</td>");
        add_work(&run->work, text);
    }
    nci_text_add(text, "<tr><td>all</td><td>%lld finished, %lld failed, %lld "
                       "canceled</td>",
                 (long long)r->finished, (long long)r->failed,
                 (long long)r->canceled);
    add_work(&total, text);
    nci_text_add(text, "</table>\n");
}

static void add_held(const nci_report *r, nci_text *text)
{
    const nci_report_values *v = &r->values;
    char bytes[32];
    nci_text_add(text,
                 "<p>Calls: %lld waiting, %lld queued, %lld running, %lld "
                 "failed. Held on workers: %lld values and %lld chunks, "
                 "%s.</p>\n",
                 (long long)v->waiting, (long long)v->queued,
                 (long long)v->running, (long long)v->failed,
                 (long long)v->values, (long long)v->chunks,
                 nci_format_bytes((double)v->bytes, bytes));
}

void nci_report_page(const nci_report *r, nci_text *text)
{
    char in[32], out[32];
    nci_text_add(text,
                 "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>"
                 "<meta http-equiv=refresh content=5><title>ncgraph</title>"
                 "<style>%s</style></head><body>\n<h1>ncgraph cluster</h1>\n"
                 "<p>%s, since %.0f s. Version " NCG_VERSION_STRING ".</p>\n",
                 STYLE, r->cluster, r->uptime);
    add_workers(r, text);
    add_runs(r, text);
    add_held(r, text);
    nci_text_add(text,
                 "<p>The scheduler: %lld connections, %lld messages in, %lld "
                 "out; %s in, %s out; %lld refused.</p>\n</body></html>\n",
                 (long long)r->net.connections, (long long)r->net.messages_in,
                 (long long)r->net.messages_out,
                 nci_format_bytes((double)r->net.bytes_in, in),
                 nci_format_bytes((double)r->net.bytes_out, out),
                 (long long)r->net.refused);
}
