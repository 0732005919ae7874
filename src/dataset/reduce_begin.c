/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a reduction is asked to do: its options, dimensions and groups. What
 * cannot be done is refused here, before a variable is touched; what can be
 * done but may not be meant is noted.
 */
#include "dataset/reduce_internal.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

#define VERB(name, value, verb, method) [value] = verb,
static const char *const verbs[] = {NCG_OP_MAP(VERB)};

const char *nci_reducing_verb(const nci_reducing *r)
{
    if (!r->quantile)
        return verbs[r->options->op];
    return r->quantile->q ? "quantile" : "median";
}

ncg_status nci_reducing_check(const ncg_reduce_options *o, ncg_error *err)
{
    if ((unsigned)o->op >= NCG_OP_COUNT_)
        return nci_fail(err, NCG_EINVAL, "unknown reduction %d", (int)o->op);
    const char *verb = verbs[o->op];
    bool spread = o->op == NCG_OP_STD || o->op == NCG_OP_VAR;
    if (o->min_count < 0)
        return nci_fail(err, NCG_EINVAL, "%s: min_count=%lld is negative", verb,
                        (long long)o->min_count);
    if (o->ddof < 0)
        return nci_fail(err, NCG_EINVAL, "%s: ddof=%d is negative", verb,
                        o->ddof);
    if (o->ddof && !spread)
        return nci_fail(err, NCG_EINVAL,
                        "%s: ddof has a meaning for std and var only", verb);
    if (o->weights && !nci_op_takes_weights(o->op))
        return nci_fail(err, NCG_EINVAL,
                        "%s: weights have a meaning for mean, sum, std and "
                        "var only",
                        verb);
    if (o->weights && o->ddof)
        return nci_fail(err, NCG_EINVAL,
                        "%s: weights do not go with ddof=%d: leave one out",
                        verb, o->ddof);
    return NCG_OK;
}

/* ---- values that are names -------------------------------------------------
 */

bool nci_reducing_refuses(const nci_reducing *r, const nci_variable *var)
{
    ncg_op op = r->options->op;
    return var->is_enum && !nci_op_picks_a_value(op) && op != NCG_OP_COUNT &&
           op != NCG_OP_ARGMIN && op != NCG_OP_ARGMAX;
}

ncg_status nci_reducing_fail_enum(const nci_reducing *r, const char *names,
                                  ncg_error *err)
{
    return nci_fail(err, NCG_EUNSUPPORTED,
                    "%s%s%s: no %s of an enum, whose values are names; there "
                    "are min, max, count, first, last, argmin, argmax",
                    r->in->nfiles ? r->in->file_names[0] : "",
                    r->in->nfiles ? ": " : "", names, nci_reducing_verb(r));
}

static ncg_status fail_text(const nci_reducing *r, const nci_variable *var,
                            ncg_error *err)
{
    return nci_fail(err, NCG_EUNSUPPORTED,
                    "%s%s%s: text cannot be reduced: leave it out of the list "
                    "of variables",
                    r->in->nfiles ? r->in->file_names[0] : "",
                    r->in->nfiles ? ": " : "", var->name);
}

/* Where text alone was asked for, it is not the dimension that is wrong. */
static ncg_status find_dims(nci_reducing *r, ncg_error *err)
{
    ncg_status st = nci_model_parse_dims(r->in, r->options->dims, r->mask, err);
    for (size_t i = 0; st == NCG_EINVAL && i < r->in->nvars; i++)
        if (r->in->vars[i].is_asked && r->in->vars[i].rank &&
            !nci_variable_is_numeric(&r->in->vars[i]))
            return fail_text(r, &r->in->vars[i], err);
    return st;
}

/* What the user named is not left out with a note. */
static ncg_status check_asked(const nci_reducing *r, ncg_error *err)
{
    for (size_t i = 0; i < r->in->nvars; i++) {
        const nci_variable *var = &r->in->vars[i];
        if (!var->is_asked || !nci_reducing_has(r, var))
            continue;
        if (nci_reducing_refuses(r, var))
            return nci_reducing_fail_enum(r, var->name, err);
        if (!nci_variable_is_numeric(var))
            return fail_text(r, var, err);
    }
    return NCG_OK;
}

/* ---- groups ----------------------------------------------------------------
 */

/* Of this operation or of one to come: never reduced themselves. */
bool nci_reducing_is_weights(const nci_reducing *r, const nci_variable *var)
{
    return var->is_weights ||
           (r->options->weights && !strcmp(r->options->weights, var->name));
}

static ncg_status fail_two_times(const nci_reducing *r, int a, int b,
                                 ncg_error *err)
{
    return nci_fail(err, NCG_EINVAL,
                    "%s%sby=%s groups along one dimension, and both %s and %s "
                    "are times: name one of them, or choose the variables of "
                    "one with -V",
                    r->in->nfiles ? r->in->file_names[0] : "",
                    r->in->nfiles ? ": " : "", r->options->by,
                    r->in->dims[a].name, r->in->dims[b].name);
}

/* A variable along another time would be reduced as if by= were not there. */
static ncg_status check_one_time(const nci_reducing *r, ncg_error *err)
{
    const nci_model *in = r->in;
    for (size_t i = 0; i < in->nvars; i++) {
        const nci_variable *var = &in->vars[i];
        if (var->kind != NCI_KIND_DATA || !nci_variable_is_numeric(var) ||
            nci_reducing_is_weights(r, var) ||
            nci_variable_axis(var, r->label_dim) >= 0)
            continue;
        for (int a = 0; a < var->rank; a++)
            if (r->mask[var->dims[a]] &&
                in->dims[var->dims[a]].role == NCI_ROLE_TIME)
                return fail_two_times(r, r->label_dim, var->dims[a], err);
    }
    return NCG_OK;
}

/* The time among the reduced dimensions: of several the one with dates. */
static ncg_status find_time(nci_reducing *r, ncg_error *err)
{
    const nci_model *in = r->in;
    bool found_dates = false;
    for (size_t d = 0; d < in->ndims; d++) {
        if (!r->mask[d] || in->dims[d].role != NCI_ROLE_TIME)
            continue;
        int coord = nci_model_coord(in, (int)d);
        bool dates = coord >= 0 && nci_variable_is_dates(&in->vars[coord]);
        if (dates && found_dates)
            return fail_two_times(r, r->label_dim, (int)d, err);
        if (r->label_dim < 0 || dates)
            r->label_dim = (int)d;
        found_dates = found_dates || dates;
    }
    return NCG_OK;
}

/* by= groups along time; by=file along the dimension where files join. */
static ncg_status find_label_dim(nci_reducing *r, nci_by by, ncg_error *err)
{
    const nci_model *in = r->in;
    r->label_dim = -1;
    if (by == NCI_BY_FILE && in->file_of && in->join_dim >= 0)
        r->label_dim = r->mask[in->join_dim] ? in->join_dim : -1;
    else
        NCI_TRY(find_time(r, err));
    if (r->label_dim < 0)
        return nci_fail(err, NCG_EINVAL, "by=%s needs %s among the dimensions",
                        r->options->by,
                        by == NCI_BY_FILE && in->join_dim >= 0
                            ? in->dims[in->join_dim].name
                            : "time");
    if (in->dims[r->label_dim].role == NCI_ROLE_TIME)
        NCI_TRY(check_one_time(r, err));
    return nci_groups_make(in, r->label_dim, r->options->by, &r->groups, err);
}

/* Steps of one day: what a file calls "time: maximum" is then the maximum
 * within days. */
static bool has_daily_steps(const nci_model *model, int dim)
{
    nci_time_units units;
    double *times = NULL, step = 0;
    int64_t n = 0;
    int coord = nci_model_coord(model, dim);
    if (coord < 0 || !nci_variable_is_dates(&model->vars[coord]) ||
        nci_variable_time_units(&model->vars[coord], &units, NULL) ||
        nci_variable_values(&model->vars[coord], &times, &n, NULL))
        return false;
    if (n > 1)
        step = (times[1] - times[0]) * (double)units.unit_us / 86400e6;
    nci_free(times);
    return step > 0.9 && step < 1.1;
}

/* Grouped steps that are stamped at the end of their cells count to the next
 * month: true to the stamp, as other tools do, but worth a word. */
static void note_end_stamps(const nci_reducing *r)
{
    double *times = NULL, *bounds = NULL;
    int64_t n = 0, at_end = 0;
    int coord = nci_model_coord(r->in, r->label_dim);
    if (coord < 0 || r->groups.by == NCI_BY_FILE ||
        nci_bounds_values(r->in, coord, &bounds, NULL) || !bounds)
        return;
    if (!nci_variable_values(&r->in->vars[coord], &times, &n, NULL))
        for (int64_t i = 0; i < n; i++)
            at_end += times[i] >= fmax(bounds[2 * i], bounds[2 * i + 1]);
    if (n > 0 && at_end == n)
        nci_reducing_note(r,
                          "%s lies at the end of its bounds: a step that ends "
                          "at midnight is grouped with the day that begins",
                          r->in->vars[coord].name);
    nci_free(times);
    nci_free(bounds);
}

/* ---- dimensions ------------------------------------------------------------
 */

/* The node's own check knows no names. */
static ncg_status check_sizes(const nci_reducing *r, ncg_error *err)
{
    const nci_model *in = r->in;
    for (size_t d = 0; d < in->ndims; d++)
        if (r->mask[d] && in->dims[d].size == 0)
            return nci_fail(err, NCG_EINVAL,
                            "%s%s%s has no positions: there is nothing to "
                            "reduce",
                            in->nfiles ? in->file_names[0] : "",
                            in->nfiles ? ": " : "", in->dims[d].name);
    return NCG_OK;
}

/* Averages over values on a compressed or ragged dimension mix what lies
 * apart: CF 8.2 and 9.3. */
static ncg_status check_gathered(const nci_reducing *r, ncg_error *err)
{
    const nci_model *in = r->in;
    for (size_t i = 0; i < in->nvars; i++) {
        const nci_variable *var = &in->vars[i];
        const char *sample = nci_attrs_text(&var->attrs, "sample_dimension");
        int dim = sample ? nci_model_find_dim(in, sample) : -1;
        if (nci_attrs_find(&var->attrs, "compress") && var->rank == 1)
            dim = var->dims[0];
        const char *instance =
            nci_attrs_text(&var->attrs, "instance_dimension");
        if (instance && var->rank == 1)
            dim = var->dims[0];
        if (dim >= 0 && r->mask[dim])
            return nci_fail(err, NCG_EINVAL,
                            "dimension %s holds gathered or ragged data (%s); "
                            "a reduction over it would mix them",
                            in->dims[dim].name, var->name);
    }
    return NCG_OK;
}

/* Cells change their size along latitudes, and along y where the latitude is
 * an array over it. */
static bool is_meridional(const nci_model *model, int dim)
{
    if (model->dims[dim].role != NCI_ROLE_Y)
        return model->dims[dim].role == NCI_ROLE_LAT;
    for (size_t i = 0; i < model->nvars; i++)
        if (model->vars[i].rank == 2 && model->vars[i].kind == NCI_KIND_COORD &&
            model->vars[i].dims[0] == dim &&
            nci_variable_role(&model->vars[i]) == NCI_ROLE_LAT)
            return true;
    return false;
}

static void note_unweighted(const nci_reducing *r)
{
    if (r->quantile || r->options->op != NCG_OP_MEAN || r->options->weights)
        return;
    for (size_t d = 0; d < r->in->ndims; d++)
        if (r->mask[d] && is_meridional(r->in, (int)d)) {
            nci_reducing_note(r,
                              "%s is averaged without weights; weights=area "
                              "weights by the cells' areas",
                              r->in->dims[d].name);
            return;
        }
}

/* ---- the whole -------------------------------------------------------------
 */

ncg_status nci_reducing_init(nci_reducing *r, ncg_error *err)
{
    const nci_model *in = r->in;
    nci_by by;
    r->label_dim = -1;
    r->mask = nci_calloc(in->ndims + 1, sizeof *r->mask);
    r->keeps = nci_calloc(in->ndims + 1, sizeof *r->keeps);
    if (!r->mask || !r->keeps)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    NCI_TRY(find_dims(r, err));
    NCI_TRY(check_asked(r, err));
    NCI_TRY(check_sizes(r, err));
    NCI_TRY(check_gathered(r, err));
    NCI_TRY(nci_by_parse(r->options->by, &by, err));
    if (by)
        NCI_TRY(find_label_dim(r, by, err));
    for (size_t d = 0; d < in->ndims; d++)
        r->keeps[d] = r->mask[d] && (r->options->keepdims ||
                                     in->dims[d].role == NCI_ROLE_TIME ||
                                     (int)d == r->label_dim);
    if (by) {
        r->is_daily = has_daily_steps(in, r->label_dim);
        note_end_stamps(r);
    }
    note_unweighted(r);
    NCI_TRY(nci_model_begin(in, &r->out, err));
    return r->quantile ? nci_quantile_begin(r, err) : NCG_OK;
}

void nci_reducing_fini(nci_reducing *r)
{
    nci_model_release(&r->out);
    nci_groups_fini(&r->groups);
    nci_text_fini(&r->lost);
    nci_text_fini(&r->textual);
    nci_text_fini(&r->enums);
    nci_free(r->mask);
    nci_free(r->keeps);
}
