/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state of a cluster as JSON: workers, computations, calls and what stays
 * on the workers.
 */
#include "engine/cluster/scheduler_kept.h"

void nci_scheduler_describe(const nci_scheduler *s, nci_text *text)
{
    static const char *const states[] = {"queued", "opening", "running",
                                         "over"};
    nci_text_add(text, "{\"workers\": [");
    for (size_t i = 0; i < s->nrolls; i++) {
        const nci_roll *roll = &s->rolls[i];
        nci_text_add(text, "%s\n  {\"name\": ", i ? "," : "");
        nci_text_add_json(text, roll->who.name);
        nci_text_add(text, ", \"host\": ");
        nci_text_add_json(text, roll->who.host);
        nci_text_add(text, ", \"resources\": ");
        nci_text_add_json(text, roll->who.resources);
        int64_t count = 0;
        int64_t held = nci_values_held(s->values, roll->number, &count);
        nci_text_add(text,
                     ", \"pid\": %lld, \"threads\": %d, \"memory\": %lld, "
                     "\"held\": %lld, \"held_bytes\": %lld, "
                     "\"silent\": %s, \"leaving\": %s}",
                     (long long)roll->who.pid, roll->who.threads,
                     (long long)roll->who.limit, (long long)count,
                     (long long)held, roll->is_silent ? "true" : "false",
                     roll->is_leaving ? "true" : "false");
    }
    nci_text_add(text, "],\n \"computations\": [");
    for (const nci_plan_run *r = s->runs; r; r = r->next) {
        nci_sched_stats now = {0};
        if (r->state == NCI_RUN_RUNNING)
            nci_sched_get_stats(r->sched, &now);
        nci_text_add(text,
                     "%s\n  {\"number\": %u, \"state\": \"%s\", "
                     "\"tasks_done\": %lld, \"memory\": %lld, "
                     "\"recomputed\": %lld, \"fetched\": %lld, "
                     "\"spilled\": %lld, \"chunks_read\": %lld, "
                     "\"bytes_read\": %lld, \"bytes_decoded\": %lld}",
                     r == s->runs ? "" : ",", r->id, states[r->state],
                     (long long)now.finished, (long long)now.managed,
                     (long long)now.recomputed, (long long)now.fetched,
                     (long long)now.spilled,
                     (long long)(r->reads.chunks_direct +
                                 r->reads.chunks_library),
                     (long long)r->reads.bytes_disk,
                     (long long)r->reads.bytes_decoded);
    }
    nci_values_stats v;
    nci_values_get_stats(s->values, &v);
    nci_text_add(text,
                 "],\n \"calls\": {\"waiting\": %lld, \"queued\": %lld, "
                 "\"running\": %lld, \"failed\": %lld},\n \"held\": "
                 "{\"values\": %lld, \"chunks\": %lld, \"bytes\": %lld},\n "
                 "\"published\": %lld,\n \"persisted\": ",
                 (long long)v.waiting, (long long)v.ready,
                 (long long)v.running, (long long)v.failed, (long long)v.there,
                 (long long)v.kept, (long long)v.bytes,
                 (long long)nci_names_count(s));
    nci_kept_describe(s, text);
    nci_text_add(text, "}\n");
}
