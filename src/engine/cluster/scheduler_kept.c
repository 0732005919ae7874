/* SPDX-License-Identifier: BSD-3-Clause */
/* Sets of chunks that stay on workers. A chunk is a value of the machine of
 * values, under the set's serial and its own number. */
#include "engine/cluster/scheduler_kept_set.h"

#include "base/mem.h"

/* ---- finding ------------------------------------------------------------- */

kept_set *nci_kept_find(const nci_scheduler *s, nci_token space)
{
    kept_set *set = s->sets;
    while (set && !nci_token_equal(set->space, space))
        set = set->next;
    return set;
}

kept_set *nci_kept_of_id(const nci_scheduler *s, int64_t id)
{
    kept_set *set = s->sets;
    while (set && set->serial != (uint32_t)(id >> 32))
        set = set->next;
    return set;
}

int64_t nci_kept_id(const kept_set *set, int64_t chunk)
{
    return (int64_t)set->serial << 32 | chunk;
}

bool nci_kept_key(const nci_scheduler *s, int64_t id, nci_token *space,
                  int64_t *chunk)
{
    const kept_set *set = nci_kept_of_id(s, id);
    if (!set)
        return false;
    *space = set->space;
    *chunk = id & UINT32_MAX;
    return true;
}

/* ---- life of a set ------------------------------------------------------- */

static void set_free(kept_set *set)
{
    nci_buf_release(&set->body);
    nci_free(set->needs);
    nci_free(set->clients);
    nci_free(set);
}

static void drop_set(nci_scheduler *s, kept_set *set)
{
    nci_value_event release = {.kind = NCI_VALUE_RELEASE};
    for (int64_t i = 0; i < set->nchunks; i++) {
        release.id = nci_kept_id(set, i);
        if (nci_values_where(s->values, release.id, NULL) != NCI_NO_WORKER)
            nci_scheduler_value(s, &release, NULL);
    }
    kept_set **at = &s->sets;
    while (*at != set)
        at = &(*at)->next;
    *at = set->next;
    for (size_t i = 0; i < set->nneeds; i++)
        nci_kept_name(s, set->needs[i], -1, NULL);
    set_free(set);
}

/* A set that is being made stays until its run has ended. */
void nci_kept_review(nci_scheduler *s, kept_set *set)
{
    if (!set->nclients && !set->names && set->is_complete)
        drop_set(s, set);
}

bool nci_kept_need(nci_scheduler *s, kept_set *set, nci_token space)
{
    bool is_known = nci_token_equal(space, set->space);
    for (size_t i = 0; !is_known && i < set->nneeds; i++)
        is_known = nci_token_equal(space, set->needs[i]);
    if (is_known)
        return true;
    if (!nci_grow(&set->needs, &set->needs_capacity, set->nneeds + 1,
                  sizeof *set->needs))
        return false;
    if (!nci_kept_name(s, space, 1, NULL))
        set->needs[set->nneeds++] = space;
    return true;
}

void nci_kept_hold(nci_scheduler *s, nci_conn_id client, nci_token space)
{
    kept_set *set = nci_kept_find(s, space);
    for (size_t i = 0; set && i < set->nclients; i++)
        if (set->clients[i] == client)
            return;
    if (set && nci_grow(&set->clients, &set->capacity, set->nclients + 1,
                        sizeof *set->clients))
        set->clients[set->nclients++] = client;
}

void nci_kept_let_go(nci_scheduler *s, nci_conn_id client, nci_token space)
{
    kept_set *set = nci_kept_find(s, space);
    if (!set)
        return;
    for (size_t i = 0; i < set->nclients; i++)
        if (set->clients[i] == client)
            set->clients[i--] = set->clients[--set->nclients];
    nci_kept_review(s, set);
}

void nci_kept_forget(nci_scheduler *s, nci_conn_id client)
{
    for (kept_set *set = s->sets, *next; set; set = next) {
        next = set->next;
        nci_kept_let_go(s, client, set->space);
    }
}

ncg_status nci_kept_name(nci_scheduler *s, nci_token space, int change,
                         ncg_error *err)
{
    kept_set *set = nci_kept_find(s, space);
    if (!set)
        return nci_fail(err, NCG_ENOTFOUND,
                        "what is to be published is not held any more");
    set->names += change;
    nci_kept_review(s, set);
    return NCG_OK;
}

void nci_kept_free(nci_scheduler *s)
{
    while (s->sets) {
        kept_set *next = s->sets->next;
        set_free(s->sets);
        s->sets = next;
    }
}

/* ---- asking -------------------------------------------------------------- */

ncg_status nci_kept_locate(const nci_scheduler *s, nci_token space,
                           int64_t chunk, const nci_roll **out, int64_t *bytes,
                           ncg_error *err)
{
    const kept_set *set = nci_kept_find(s, space);
    bool is_known = set && (set->broken.status || !set->is_open ||
                            (chunk >= 0 && chunk < set->nchunks));
    if (!is_known)
        return nci_fail(err, NCG_ENOTFOUND,
                        "the cluster does not hold this array any more: "
                        "compute it again");
    if (set->broken.status) {
        *err = set->broken;
        if (set->was_made)
            nci_error_wrap(err,
                           "chunk %lld was lost with its worker and could "
                           "not be made again",
                           (long long)chunk);
        else
            nci_error_wrap(err, "what is to be persisted was not computed");
        return err->status;
    }
    uint32_t number =
        set->is_open ? nci_values_where(s->values, nci_kept_id(set, chunk),
                                        bytes)
                     : NCI_NO_WORKER;
    *out = nci_scheduler_roll((nci_scheduler *)s, number);
    return *out ? NCG_OK
                : nci_fail(err, NCG_ENET,
                           set->is_complete
                               ? "chunk %lld was lost with its worker"
                               : "chunk %lld is not there yet",
                           (long long)chunk);
}

bool nci_kept_is_coming(const nci_scheduler *s, nci_token space)
{
    const kept_set *set = nci_kept_find(s, space);
    return set && !set->broken.status &&
           (!set->is_complete || set->is_repairing);
}

void nci_kept_lost(nci_scheduler *s, int64_t id)
{
    kept_set *set = nci_kept_of_id(s, id);
    if (!set)
        return;
    set->nthere--;
    nci_kept_repair(s, set);
}

ncg_status nci_kept_missing(const nci_plan_run *r, int64_t **list, int64_t *n,
                            nci_buf **body, int *output, nci_token *space,
                            ncg_error *err)
{
    const nci_scheduler *s = r->scheduler;
    const kept_set *set = nci_kept_of_id(s, (int64_t)r->repairs << 32);
    *n = 0;
    if (!set)
        return nci_fail(err, NCG_ECANCELED, "nobody reads it any more");
    *list = nci_alloc(((size_t)set->nchunks + 1) * sizeof **list);
    if (!*list)
        return nci_fail(err, NCG_ENOMEM, "the scheduler is out of memory");
    for (int64_t i = 0; i < set->nchunks; i++)
        if (nci_values_where(s->values, nci_kept_id(set, i), NULL) ==
            NCI_NO_WORKER)
            (*list)[(*n)++] = i;
    if (!set->body)
        return nci_fail(err, NCG_ENET,
                        "what it was made of is not known any more");
    *body = nci_buf_retain(set->body);
    *output = set->output;
    *space = set->space;
    return NCG_OK;
}

void nci_kept_describe(const nci_scheduler *s, nci_text *text)
{
    const char *comma = "";
    nci_text_add(text, "[");
    for (const kept_set *set = s->sets; set; set = set->next) {
        nci_text_add(text,
                     "%s\n  {\"chunks\": %lld, \"there\": %lld, "
                     "\"clients\": %zu, \"names\": %d}",
                     comma, (long long)set->nchunks, (long long)set->nthere,
                     set->nclients, set->names);
        comma = ",";
    }
    nci_text_add(text, "]");
}
