/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * join=inner within one variable: files that follow one another along the join
 * dimension but lie on different grids. In the order of their keys they are
 * cut into runs of files of one grid; each run is joined as any group is, and
 * the runs' models are put behind one another, cut to the positions that all
 * of them have. Runs must not overlap: which of two values to take where grids
 * differ is no question of steps.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dataset/combine.h"
#include "dataset/join_internal.h"

typedef struct runs {
    nci_join_group *group;
    int *grid;      /* of each member: the first member that has it */
    int *order;     /* members with steps, by their first key */
    size_t nplaced; /* of `order` */
    size_t *start;  /* of each run in `order`, and where the last one ends */
    nci_model **models;
    size_t n;
} runs;

/* ---- grids --------------------------------------------------------------- */

static bool is_grid_coord(const nci_join_var *var)
{
    return !var->is_dropped && var->axis < 0 && var->kind == NCI_KIND_COORD &&
           var->how == NCI_JOIN_NUMBER && var->desc->rank == 1;
}

/* A coordinate's values in the units of the first file. Parts with the bytes
 * of the describing file's are not kept: those are its own. */
static ncg_status read_values(nci_join_group *group, int v, int member,
                              double **out, int64_t *n, ncg_error *err)
{
    const nci_join_var *var = &group->vars[v];
    size_t from = (size_t)(var->parts[member] ? member : var->member);
    bool is_needed;
    *out = NULL;
    *n = 0;
    if (!var->parts[from])
        return NCG_OK;
    NCI_TRY(nci_join_values(group, var, from, out, n, err));
    return nci_join_rebase(group, v, from, *out, *n, &is_needed, err);
}

static ncg_status has_equal_values(nci_join_group *group, int v, int a, int b,
                                   bool *same, ncg_error *err)
{
    const nci_join_var *var = &group->vars[v];
    double *x = NULL, *y = NULL;
    int64_t n, m, at;
    if (!nci_join_header_var(group, var, (size_t)a) ||
        !nci_join_header_var(group, var, (size_t)b) ||
        (!var->parts[a] && !var->parts[b]))
        return NCG_OK;
    ncg_status st = read_values(group, v, a, &x, &n, err);
    if (!st)
        st = read_values(group, v, b, &y, &m, err);
    if (!st)
        *same = n == m && nci_join_compare(x, y, n, &at) < 2;
    nci_free(x);
    nci_free(y);
    return st;
}

static bool has_equal_sizes(const nci_join_group *group,
                            const nci_join_var *var, int a, int b)
{
    const nci_header *x = nci_join_member(group, (size_t)a)->header;
    const nci_header *y = nci_join_member(group, (size_t)b)->header;
    const nci_var *in = nci_join_header_var(group, var, (size_t)a);
    const nci_var *other = nci_join_header_var(group, var, (size_t)b);
    for (int d = 0; in && other && d < in->rank; d++)
        if (d != var->axis &&
            x->dims[in->dims[d]].size != y->dims[other->dims[d]].size)
            return false;
    return true;
}

static ncg_status is_same_grid(nci_join_group *group, int a, int b, bool *same,
                               ncg_error *err)
{
    *same = true;
    for (size_t v = 0; *same && v < group->nvars; v++)
        *same = group->vars[v].is_dropped ||
                has_equal_sizes(group, &group->vars[v], a, b);
    for (size_t v = 0; *same && v < group->nvars; v++)
        if (is_grid_coord(&group->vars[v]))
            NCI_TRY(has_equal_values(group, (int)v, a, b, same, err));
    return NCG_OK;
}

/* Finds the grid of each member; *differ where there is more than one. */
static ncg_status find_grids(runs *r, bool *differ, ncg_error *err)
{
    int nfiles = (int)r->group->nfiles;
    *differ = false;
    for (int m = 0; m < nfiles; m++) {
        r->grid[m] = m;
        for (int k = 0; k < m && r->grid[m] == m; k++) {
            bool same = false;
            if (r->grid[k] == k) /* one of each grid is looked at */
                NCI_TRY(is_same_grid(r->group, k, m, &same, err));
            r->grid[m] = same ? k : m;
        }
        *differ = *differ || r->grid[m] > 0;
    }
    return NCG_OK;
}

/* ---- runs ---------------------------------------------------------------- */

/* -1 where the coordinate falls in the files. */
static int direction(const nci_join_group *group)
{
    for (size_t m = 0; m < group->nfiles; m++)
        if (group->sizes[m] > 1 && group->keys[m][0] != group->keys[m][1])
            return group->keys[m][0] < group->keys[m][1] ? 1 : -1;
    return 1;
}

static int compare_members(const void *a, const void *b, void *arg)
{
    const nci_join_group *group = arg;
    int x = *(const int *)a, y = *(const int *)b;
    nci_us p = group->keys[x][0], q = group->keys[y][0];
    if (p != q)
        return (p < q ? -1 : 1) * direction(group);
    return (x > y) - (x < y);
}

/* The key of a run that stands nearest to its neighbour on that side. */
static nci_us outer_key(const runs *r, size_t run, bool last, int *member)
{
    const nci_join_group *group = r->group;
    int sign = direction(group) * (last ? 1 : -1);
    nci_us best = 0;
    *member = -1;
    for (size_t i = r->start[run]; i < r->start[run + 1]; i++) {
        int m = r->order[i];
        for (int64_t k = 0; k < group->sizes[m]; k++) {
            nci_us key = group->keys[m][k];
            if (*member >= 0 && (sign > 0 ? key <= best : key >= best))
                continue;
            best = key;
            *member = m;
        }
    }
    return best;
}

static ncg_status check_apart(const runs *r, ncg_error *err)
{
    const nci_join_group *group = r->group;
    int sign = direction(group);
    for (size_t run = 1; group->key >= 0 && run < r->n; run++) {
        int before, after;
        nci_us last = outer_key(r, run - 1, true, &before);
        nci_us first = outer_key(r, run, false, &after);
        if (sign > 0 ? last < first : last > first)
            continue;
        return nci_fail(err, NCG_EMISMATCH,
                        "%s, %s: they overlap along %s and lie on different "
                        "grids: cut them to one grid, or to different steps, "
                        "first",
                        nci_join_path(group, (size_t)before),
                        nci_join_path(group, (size_t)after), group->join_name);
    }
    return NCG_OK;
}

static ncg_status make_runs(runs *r, ncg_error *err)
{
    nci_join_group *group = r->group;
    for (size_t m = 0; m < group->nfiles; m++) {
        if (group->sizes[m] < 0)
            return nci_fail(err, NCG_EMISMATCH, "%s has no dimension %s",
                            nci_join_path(group, m), group->join_name);
        if (group->sizes[m] > 0)
            r->order[r->nplaced++] = (int)m;
    }
    if (group->key >= 0)
        qsort_r(r->order, r->nplaced, sizeof *r->order, compare_members, group);
    for (size_t i = 0; i < r->nplaced; i++)
        if (!i || r->grid[r->order[i]] != r->grid[r->order[i - 1]])
            r->start[r->n++] = i;
    r->start[r->n] = r->nplaced;
    return check_apart(r, err);
}

/* ---- one model of each run ----------------------------------------------- */

static int compare_ints(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

static ncg_status join_run(const runs *r, size_t run, nci_model **out,
                           ncg_error *err)
{
    const nci_join_group *group = r->group;
    nci_join_group part = {.work = group->work, .key = -1};
    size_t first = r->start[run];
    part.nfiles = r->start[run + 1] - first;
    part.files = nci_calloc(part.nfiles, sizeof *part.files);
    if (!part.files)
        return nci_fail(err, NCG_ENOMEM, "joining %zu files", part.nfiles);
    for (size_t i = 0; i < part.nfiles; i++)
        part.files[i] = group->files[r->order[first + i]];
    qsort(part.files, part.nfiles, sizeof *part.files, compare_ints);
    ncg_status st = nci_join_group_vars(&part, err);
    if (!st)
        st = nci_join_check_layout(&part, err);
    if (!st)
        st = nci_join_find_axis(&part, err);
    if (!st)
        st = nci_join_finish(&part, out, err);
    nci_join_group_fini(&part);
    return st;
}

/* Grids that differ by rounding have one coordinate: the first one's. */
static void share_coords(const runs *r, size_t run)
{
    size_t first = 0;
    int grid = r->grid[r->order[r->start[run]]];
    while (r->grid[r->order[r->start[first]]] != grid)
        first++;
    const nci_model *from = r->models[first];
    nci_model *to = r->models[run];
    for (size_t v = 0; first < run && v < to->nvars; v++) {
        nci_variable *var = &to->vars[v];
        int at = nci_model_find_var(from, var->name);
        const char *dim = var->rank == 1 ? to->dims[var->dims[0]].name : NULL;
        if (at < 0 || !dim || strcmp(dim, var->name) != 0 ||
            !strcmp(dim, r->group->join_name))
            continue;
        nci_node *array = nci_node_retain(from->vars[at].array);
        nci_node_release(&var->array);
        var->array = array;
    }
}

/* Whether a scalar coordinate of the first run is the same in all. */
static ncg_status is_same_scalar(const runs *r, size_t v, bool *same,
                                 ncg_error *err)
{
    nci_combining exact = {.join = NCG_JOIN_EXACT};
    const nci_model *first = r->models[0];
    *same = true;
    for (size_t k = 1; *same && k < r->n; k++) {
        int at = nci_model_find_var(r->models[k], first->vars[v].name);
        *same = at >= 0 && r->models[k]->vars[at].rank == 0;
        if (*same)
            NCI_TRY(nci_variables_equal(&exact, first, (int)v, r->models[k], at,
                                        same, err));
    }
    return NCG_OK;
}

/* A scalar that differs between runs belongs to neither. */
static ncg_status drop_scalars(runs *r, ncg_error *err)
{
    for (size_t v = 0; v < r->models[0]->nvars; v++) {
        const nci_variable *var = &r->models[0]->vars[v];
        const char *name = nci_intern(var->name);
        bool same = true;
        if (var->rank > 0 || var->kind != NCI_KIND_COORD)
            continue;
        NCI_TRY(is_same_scalar(r, v, &same, err));
        if (same)
            continue;
        nci_join_note(r->group->work,
                      "%s, ...: %s differs between files; left out",
                      nci_join_path(r->group, 0), name);
        for (size_t k = 0; k < r->n; k++) {
            nci_model *without = NULL;
            if (nci_model_find_var(r->models[k], name) < 0)
                continue;
            NCI_TRY(nci_model_drop(r->models[k], &name, 1, &without, err));
            nci_model_release(&r->models[k]);
            r->models[k] = without;
        }
        v--;
    }
    return NCG_OK;
}

/* Names the files of two runs that have nothing in common: what fails later
 * knows no names of files. */
static ncg_status check_shared(const runs *r, size_t run, ncg_error *err)
{
    const nci_model *first = r->models[0];
    ncg_status st = NCG_OK;
    for (size_t d = 0; !st && run && d < first->ndims; d++) {
        nci_index pair[2] = {{.var = -1}, {.var = -1}};
        nci_joined joined = {0};
        const char *name = first->dims[d].name;
        if (!strcmp(name, r->group->join_name))
            continue;
        st = nci_index_read(first, name, &pair[0], err);
        if (!st)
            st = nci_index_read(r->models[run], name, &pair[1], err);
        if (!st)
            st = nci_index_join(pair, 2, NCG_JOIN_INNER, &joined, err);
        nci_joined_fini(&joined);
        nci_index_fini(&pair[0]);
        nci_index_fini(&pair[1]);
    }
    return st ? nci_error_wrap(
                    err, "%s, %s", nci_join_path(r->group, (size_t)r->order[0]),
                    nci_join_path(r->group, (size_t)r->order[r->start[run]]))
              : NCG_OK;
}

/* ---- the whole ----------------------------------------------------------- */

/* What lies in the files is the first file's, as in any group. */
static ncg_status take_first(void *ctx, nci_node *a, nci_node *b, bool *out,
                             ncg_error *err)
{
    (void)ctx;
    (void)a;
    (void)b;
    (void)err;
    *out = true;
    return NCG_OK;
}

static ncg_status check_cut(const runs *r, const nci_model *model,
                            ncg_error *err)
{
    for (size_t d = 0; d < model->ndims; d++) {
        const char *name = model->dims[d].name;
        int64_t size = model->dims[d].size, most = size;
        if (!strcmp(name, r->group->join_name))
            continue;
        for (size_t k = 0; k < r->n; k++) {
            int at = nci_model_find_dim(r->models[k], name);
            int64_t n = at < 0 ? size : r->models[k]->dims[at].size;
            most = n > most ? n : most;
        }
        if (!size && most)
            return nci_fail(err, NCG_EMISMATCH,
                            "%s, ...: no position of %s is in all files",
                            nci_join_path(r->group, 0), name);
        if (size < most)
            nci_join_note(r->group->work,
                          "%s, ...: %s cut to the %lld positions that all "
                          "files share",
                          nci_join_path(r->group, 0), name, (long long)size);
    }
    return NCG_OK;
}

/* Tells the file of each step, for by=file. */
static ncg_status take_files(const runs *r, nci_model *model, ncg_error *err)
{
    const nci_join_group *group = r->group;
    int dim = nci_model_find_dim(model, group->join_name);
    int64_t at = 0, total = model->dims[dim].size;
    int32_t *file_of = nci_calloc((size_t)total, sizeof *file_of);
    if (!file_of)
        return nci_fail(err, NCG_ENOMEM, "%lld steps", (long long)total);
    for (size_t k = 0; k < r->n; k++) {
        const nci_model *part = r->models[k];
        int own = nci_model_find_dim(part, group->join_name);
        int64_t n = part->dims[own].size;
        int32_t only = group->files[r->order[r->start[k]]];
        for (int64_t i = 0; i < n && at < total; i++)
            file_of[at++] = part->file_of ? part->file_of[i] : only;
    }
    nci_free(model->file_of);
    model->file_of = file_of;
    model->join_dim = dim;
    return NCG_OK;
}

static ncg_status join_runs(runs *r, nci_model **out, ncg_error *err)
{
    nci_model *model = NULL;
    nci_combining how = {.join = NCG_JOIN_INNER,
                         .compat = NCG_COMPAT_EQUAL,
                         .equal = take_first,
                         .note = r->group->work->options->note,
                         .note_payload = r->group->work->options->note_payload};
    NCI_TRY(make_runs(r, err));
    for (size_t k = 0; k < r->n; k++) {
        NCI_TRY(join_run(r, k, &r->models[k], err));
        share_coords(r, k);
        NCI_TRY(check_shared(r, k, err));
    }
    NCI_TRY(drop_scalars(r, err));
    ncg_status st = nci_models_concat((const nci_model *const *)r->models, r->n,
                                      r->group->join_name, &how, &model, err);
    if (st)
        return nci_error_wrap(err, "%s, ...", nci_join_path(r->group, 0));
    st = check_cut(r, model, err);
    if (!st)
        st = take_files(r, model, err);
    if (st)
        nci_model_release(&model);
    else
        *out = model;
    return st;
}

ncg_status nci_join_inner(nci_join_group *group, nci_model **out,
                          bool *is_joined, ncg_error *err)
{
    size_t n = group->nfiles + 1;
    bool differ = false;
    runs r = {.group = group,
              .grid = nci_calloc(n, sizeof *r.grid),
              .order = nci_calloc(n, sizeof *r.order),
              .start = nci_calloc(n, sizeof *r.start),
              .models = nci_calloc(n, sizeof *r.models)};
    ncg_status st = NCG_OK;
    if (!r.grid || !r.order || !r.start || !r.models)
        st = nci_fail(err, NCG_ENOMEM, "joining %zu files", group->nfiles);
    if (!st)
        st = find_grids(&r, &differ, err);
    if (!st && differ)
        st = join_runs(&r, out, err);
    *is_joined = differ;
    nci_models_release(r.models, r.n);
    nci_free(r.models);
    nci_free(r.start);
    nci_free(r.order);
    nci_free(r.grid);
    return st;
}
