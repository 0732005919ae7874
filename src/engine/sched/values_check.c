/* SPDX-License-Identifier: BSD-3-Clause */
/* Counts of values that stay, and what must be true of them after each event.
 */
#include "engine/sched/values_internal.h"

int64_t nci_values_held(const nci_values *s, uint32_t worker, int64_t *count)
{
    const nci_value_member *m = nci_task_map_get(&s->members, worker);
    if (count)
        *count = m ? m->there.count : 0;
    return m ? m->bytes : 0;
}

void nci_values_get_stats(const nci_values *s, nci_values_stats *out)
{
    *out = (nci_values_stats){0};
    for (size_t i = 0; i < s->records.capacity; i++) {
        const nci_value *v = s->records.slots[i].value;
        if (!v)
            continue;
        out->waiting += v->state == NCI_VALUE_WAITING;
        out->ready += v->state == NCI_VALUE_QUEUED;
        out->running += v->state == NCI_VALUE_RUNNING;
        out->failed += v->state == NCI_VALUE_BROKEN && !v->is_kept;
        out->there += v->state == NCI_VALUE_THERE && !v->is_kept;
        out->kept += v->state == NCI_VALUE_THERE && v->is_kept;
        out->bytes += v->state == NCI_VALUE_THERE ? v->bytes : 0;
    }
}

static bool check_record(const nci_values *s, const nci_value *v,
                         ncg_error *err)
{
    size_t missing = 0, open = 0;
    for (size_t i = 0; i < v->ninputs; i++)
        missing += v->inputs[i].input->state != NCI_VALUE_THERE;
    for (const nci_value_edge *e = v->users; e; e = e->next)
        open += nci_value_is_open(e->user);
    const char *wrong = NULL;
    bool has_place =
        v->state == NCI_VALUE_RUNNING || v->state == NCI_VALUE_THERE;
    if (open != v->open_users)
        wrong = "its open users are miscounted";
    else if (v->state == NCI_VALUE_OPENING)
        wrong = "it was left half open";
    else if (has_place != (v->at != NULL))
        wrong = "its place and its state differ";
    else if (v->at && nci_task_map_get(&s->members, v->at->number) != v->at)
        wrong = "it is on a worker that is gone";
    else if (v->state == NCI_VALUE_WAITING && missing != v->missing)
        wrong = "its missing inputs are miscounted";
    else if (v->state == NCI_VALUE_WAITING && !missing)
        wrong = "it waits for nothing";
    else if (v->state == NCI_VALUE_QUEUED && missing)
        wrong = "it is queued without its inputs";
    else if (nci_value_is_wanted(v) && v->state == NCI_VALUE_IDLE)
        wrong = "it is wanted and nobody makes it";
    else if (!nci_value_is_wanted(v) && v->state == NCI_VALUE_THERE)
        wrong = "nobody wants it and it is kept";
    else if (!nci_value_is_wanted(v) && nci_value_is_open(v))
        wrong = "nobody wants it and it is being made";
    else if (!v->is_held && !v->users)
        wrong = "nobody can ask for it and it is known";
    else if (v->to && v->state != NCI_VALUE_THERE)
        wrong = "it moves and is not there";
    if (wrong)
        nci_fail(err, NCG_EBUG, "value %lld: %s", (long long)v->id, wrong);
    return !wrong;
}

static bool check_member(const nci_values *s, const nci_value_member *m,
                         ncg_error *err)
{
    int64_t bytes = 0;
    int moving = 0;
    bool is_over = false, waits = false;
    nci_resources left = m->all;
    for (const nci_value *v = m->there.first; v; v = v->next) {
        bytes += v->bytes;
        moving += v->to != NULL;
    }
    for (const nci_value_use *use = m->uses; use; use = use->next)
        nci_resources_add(&left, &use->class->needs, -1);
    for (int i = 0; i < left.count; i++)
        is_over = is_over || left.items[i].amount < 0;
    for (const nci_value_class *c = s->classes; c; c = c->next)
        waits = waits || (c->queue.first && nci_value_fits(m, c->queue.first));
    const char *wrong = NULL;
    if (is_over || !nci_resources_equal(&left, &m->left))
        wrong = "its resources are miscounted";
    else if (bytes != m->bytes)
        wrong = "its bytes are miscounted";
    else if (moving != m->moving)
        wrong = "what moves off it is miscounted";
    else if (m->busy > m->threads || m->running.count > m->busy)
        wrong = "it has more calls than threads";
    else if (waits || (m->is_free && s->queue.first) || nci_value_due(m))
        wrong = "it has a thread and work waits";
    if (wrong)
        nci_fail(err, NCG_EBUG, "worker %u: %s", m->number, wrong);
    return !wrong;
}

bool nci_values_check(const nci_values *s, ncg_error *err)
{
    bool is_good = true;
    for (size_t i = 0; is_good && i < s->records.capacity; i++)
        if (s->records.slots[i].value)
            is_good = check_record(s, s->records.slots[i].value, err);
    for (const nci_value_member *m = s->all; is_good && m; m = m->after)
        is_good = check_member(s, m, err);
    return is_good;
}
