/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The order of files along the join dimension, as a list of segments. Files
 * whose steps do not meet are whole segments in the order of their keys; where
 * they overlap, all steps are sorted and runs of one file become segments.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dataset/join_internal.h"

static nci_segment *add_segment(nci_join_group *group, int member,
                                int64_t file_start, int64_t count)
{
    if (!nci_grow(&group->segments, &group->segments_capacity,
                  group->nsegments + 1, sizeof *group->segments))
        return NULL;
    nci_segment *segment = &group->segments[group->nsegments++];
    memset(segment, 0, sizeof *segment);
    segment->file = member;
    segment->var = -1;
    segment->start = group->total;
    segment->count = count;
    segment->file_start = file_start;
    group->total += count;
    return segment;
}

static ncg_status whole_files(nci_join_group *group, ncg_error *err)
{
    for (size_t i = 0; i < group->nfiles; i++) {
        int m = group->order[i];
        if (group->sizes[m] == 0)
            nci_join_note(group->work, "%s: %s is empty; left out",
                          nci_join_path(group, (size_t)m), group->join_name);
        else if (!add_segment(group, m, 0, group->sizes[m]))
            return nci_fail(err, NCG_ENOMEM, "joining %zu files",
                            group->nfiles);
    }
    return NCG_OK;
}

/* 1: rises, -1: falls, 0: there are not two different steps at the start. */
static int direction(const nci_join_group *group, size_t m)
{
    const nci_us *keys = group->keys[m];
    if (group->sizes[m] < 2 || keys[0] == keys[1])
        return 0;
    return keys[0] < keys[1] ? 1 : -1;
}

static ncg_status find_direction(nci_join_group *group, ncg_error *err)
{
    size_t first = 0;
    int all = 0;
    for (size_t m = 0; m < group->nfiles; m++) {
        int one = direction(group, m);
        if (one * all < 0)
            return nci_fail(
                err, NCG_EMISMATCH,
                "%s, %s: %s %s in the first and %s in the second: "
                "turn one of them round",
                nci_join_path(group, first), nci_join_path(group, m),
                group->vars[group->key].name, all > 0 ? "rises" : "falls",
                one > 0 ? "rises" : "falls");
        if (one && !all) {
            first = m;
            all = one;
        }
    }
    group->is_falling = all < 0;
    return NCG_OK;
}

/* Keys of falling coordinates are negated: then all rise. */
static void negate_keys(nci_join_group *group)
{
    for (size_t m = 0; m < group->nfiles; m++)
        for (int64_t i = 0; i < group->sizes[m]; i++)
            group->keys[m][i] = -group->keys[m][i];
}

static int compare_members(const void *a, const void *b, void *arg)
{
    const nci_join_group *group = arg;
    int x = *(const int *)a, y = *(const int *)b;
    bool is_x = group->sizes[x] > 0, is_y = group->sizes[y] > 0;
    if (is_x != is_y)
        return is_x ? -1 : 1;
    if (is_x && group->keys[x][0] != group->keys[y][0])
        return group->keys[x][0] < group->keys[y][0] ? -1 : 1;
    return (x > y) - (x < y);
}

/* Whether the files in order have strictly rising keys throughout. */
static bool is_simple(const nci_join_group *group)
{
    const nci_us *last = NULL;
    for (size_t r = 0; r < group->nfiles; r++) {
        const nci_us *keys = group->keys[group->order[r]];
        for (int64_t i = 0; i < group->sizes[group->order[r]]; i++) {
            if (last && *last >= keys[i])
                return false;
            last = &keys[i];
        }
    }
    return true;
}

typedef struct step {
    nci_us key;
    int rank;
    int64_t position;
} step;

static int compare_steps(const void *a, const void *b)
{
    const step *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return (x->position > y->position) - (x->position < y->position);
}

static void format_key(const nci_join_group *group, nci_us key,
                       char out[NCI_DATE_TEXT])
{
    double value = nci_time_from_absolute(&group->key_units,
                                          group->is_falling ? -key : key);
    nci_date date = nci_time_decode(&group->key_units, value);
    nci_date_format(group->key_units.calendar, &date, out);
}

/* The value of a step in words: a date, or the number. */
static void describe_step(const nci_join_group *group, const step *at,
                          char out[NCI_DATE_TEXT])
{
    const nci_join_var *var = &group->vars[group->key];
    size_t member = (size_t)group->order[at->rank];
    double *values = NULL;
    int64_t n;
    out[0] = '\0';
    if (group->key_is_time) {
        format_key(group, group->keys[member][at->position], out);
        return;
    }
    if (nci_join_values(group, var, member, &values, &n, NULL))
        return;
    snprintf(out, NCI_DATE_TEXT, "%.9g", values[at->position]);
    nci_free(values);
}

static ncg_status fail_overlap(const nci_join_group *group, const step *a,
                               const step *b, ncg_error *err)
{
    char when[NCI_DATE_TEXT];
    const char *name = group->vars[group->key].name;
    const char *first = nci_join_path(group, (size_t)group->order[a->rank]);
    const char *second = nci_join_path(group, (size_t)group->order[b->rank]);
    describe_step(group, a, when);
    if (a->rank == b->rank)
        return nci_fail(err, NCG_EMISMATCH,
                        "%s: %s %s is there twice (--overlap first or "
                        "last keeps one)",
                        first, name, when);
    return nci_fail(err, NCG_EMISMATCH,
                    "%s, %s: both hold %s %s (--overlap first or last "
                    "keeps one)",
                    first, second, name, when);
}

/* Keeps one step of each key; returns how many there are. */
static ncg_status drop_repeated(const nci_join_group *group, step *steps,
                                size_t *count, ncg_error *err)
{
    ncg_overlap overlap = group->work->options->overlap;
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        bool is_repeated = kept && steps[kept - 1].key == steps[i].key;
        if (is_repeated && overlap == NCG_OVERLAP_ERROR)
            return fail_overlap(group, &steps[kept - 1], &steps[i], err);
        if (!is_repeated)
            steps[kept++] = steps[i];
        else if (overlap == NCG_OVERLAP_LAST)
            steps[kept - 1] = steps[i];
    }
    if (kept < *count)
        nci_join_note(group->work,
                      "%zu steps of %s are in more than one file; those of "
                      "the file that begins %s are used",
                      *count - kept, group->join_name,
                      overlap == NCG_OVERLAP_LAST ? "later" : "earlier");
    *count = kept;
    return NCG_OK;
}

static bool add_runs(nci_join_group *group, const step *steps, size_t count)
{
    for (size_t i = 0, next; i < count; i = next) {
        for (next = i + 1; next < count; next++)
            if (steps[next].rank != steps[i].rank ||
                steps[next].position != steps[next - 1].position + 1)
                break;
        if (!add_segment(group, group->order[steps[i].rank], steps[i].position,
                         (int64_t)(next - i)))
            return false;
    }
    return true;
}

static ncg_status interleave(nci_join_group *group, ncg_error *err)
{
    size_t total = 0, n = 0;
    for (size_t m = 0; m < group->nfiles; m++)
        total += (size_t)group->sizes[m];
    step *steps = nci_calloc(total, sizeof *steps);
    if (!steps)
        return nci_fail(err, NCG_ENOMEM, "sorting %zu steps", total);
    for (size_t r = 0; r < group->nfiles; r++) {
        int m = group->order[r];
        for (int64_t i = 0; i < group->sizes[m]; i++)
            steps[n++] = (step){group->keys[m][i], (int)r, i};
    }
    qsort(steps, total, sizeof *steps, compare_steps);
    ncg_status st = drop_repeated(group, steps, &total, err);
    if (!st && !add_runs(group, steps, total))
        st = nci_fail(err, NCG_ENOMEM, "sorting %zu steps", total);
    nci_free(steps);
    return st;
}

/* ---- gaps --------------------------------------------------------------- */

static nci_us segment_first(const nci_join_group *group, size_t s)
{
    const nci_segment *at = &group->segments[s];
    return group->keys[at->file][at->file_start];
}

static nci_us segment_last(const nci_join_group *group, size_t s)
{
    const nci_segment *at = &group->segments[s];
    return group->keys[at->file][at->file_start + at->count - 1];
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The usual step, the median of up to a thousand of them. */
static double usual_step(const nci_join_group *group)
{
    enum { MOST = 1000 };
    double steps[MOST];
    size_t n = 0;
    for (size_t s = 0; s < group->nsegments && n < MOST; s++) {
        const nci_segment *at = &group->segments[s];
        const nci_us *keys = group->keys[at->file] + at->file_start;
        if (s > 0)
            steps[n++] =
                (double)(segment_first(group, s) - segment_last(group, s - 1));
        for (int64_t i = 1; i < at->count && n < MOST; i++)
            steps[n++] = (double)(keys[i] - keys[i - 1]);
    }
    if (!n)
        return 0;
    qsort(steps, n, sizeof *steps, compare_doubles);
    return steps[n / 2];
}

static void note_gaps(nci_join_group *group)
{
    double usual = usual_step(group);
    size_t ngaps = 0, first = 0;
    for (size_t s = 1; s < group->nsegments; s++) {
        double gap =
            (double)(segment_first(group, s) - segment_last(group, s - 1));
        if (gap <= 1.5 * usual)
            continue;
        first = ngaps++ ? first : s;
    }
    if (!ngaps)
        return;
    char from[NCI_DATE_TEXT], to[NCI_DATE_TEXT];
    format_key(group, segment_last(group, first - 1), from);
    format_key(group, segment_first(group, first), to);
    nci_join_note(
        group->work,
        "%s: %zu gap%s between files, the first from %s (%s) to %s (%s)",
        group->join_name, ngaps, ngaps > 1 ? "s" : "", from,
        nci_join_path(group, (size_t)group->segments[first - 1].file), to,
        nci_join_path(group, (size_t)group->segments[first].file));
}

static void note_order_given(nci_join_group *group, const char *why)
{
    nci_join_note(group->work, "%s %s: files are joined in the order given",
                  group->join_name, why);
}

/* Orders by keys, or as given where keys are only a count in each file. */
static ncg_status order_by_key(nci_join_group *group, ncg_error *err)
{
    const nci_join_var *var = &group->vars[group->key];
    bool is_counter = !group->key_is_time &&
                      !nci_attrs_find(&var->desc->attrs, "units") &&
                      !nci_attrs_find(&var->desc->attrs, "standard_name");
    NCI_TRY(find_direction(group, err));
    if (group->is_falling)
        negate_keys(group);
    qsort_r(group->order, group->nfiles, sizeof *group->order, compare_members,
            group);
    if (is_simple(group))
        return whole_files(group, err);
    if (!is_counter || group->work->options->overlap != NCG_OVERLAP_ERROR)
        return interleave(group, err);
    for (size_t m = 0; m < group->nfiles; m++)
        group->order[m] = (int)m;
    note_order_given(group, "only counts within each file");
    return whole_files(group, err);
}

ncg_status nci_join_order(nci_join_group *group, ncg_error *err)
{
    if (!group->join_name)
        return NCG_OK;
    group->order = nci_calloc(group->nfiles, sizeof *group->order);
    if (!group->order)
        return nci_fail(err, NCG_ENOMEM, "joining %zu files", group->nfiles);
    for (size_t m = 0; m < group->nfiles; m++) {
        group->order[m] = (int)m;
        if (group->sizes[m] < 0)
            return nci_fail(err, NCG_EMISMATCH, "%s has no dimension %s",
                            nci_join_path(group, m), group->join_name);
    }
    if (group->key < 0) {
        note_order_given(group, "has no coordinate");
        return whole_files(group, err);
    }
    NCI_TRY(order_by_key(group, err));
    if (group->key_is_time)
        note_gaps(group);
    return NCG_OK;
}
