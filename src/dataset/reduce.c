/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reductions of a model: every variable of numbers that has one of the
 * dimensions is reduced, coordinates become intervals, what loses its meaning
 * is left out with a note, everything else passes unchanged.
 */
#include "dataset/reduce_internal.h"

#include <string.h>

#include "base/mem.h"

static nci_reduce describe_axes(const nci_reducing *r, const nci_variable *var)
{
    const ncg_reduce_options *o = r->options;
    nci_reduce reduce = {.op = o->op,
                         .label_axis = -1,
                         .skipna = o->skipna,
                         .min_count = o->min_count,
                         .ddof = o->ddof};
    for (int a = 0; a < var->rank; a++) {
        int dim = var->dims[a];
        reduce.over[a] = r->mask[dim];
        reduce.keep[a] = r->keeps[dim] && dim != r->label_dim;
        if (dim == r->label_dim)
            reduce.label_axis = a;
    }
    if (reduce.label_axis >= 0) {
        reduce.labels = r->groups.labels;
        reduce.nlabels = r->groups.count;
    }
    return reduce;
}

/* A factor that is not known is lost in a mean, not in a sum. */
static ncg_status check_sum(const nci_reducing *r, const nci_weights *weights,
                            ncg_error *err)
{
    if (r->options->op != NCG_OP_SUM || !weights->unsure)
        return NCG_OK;
    return nci_fail(err, NCG_EINVAL,
                    "sum: weights=%s: the width of %s is not known, as there "
                    "is one position without bounds; take the sum before "
                    "that, or give weights=VARIABLE",
                    r->options->weights, weights->unsure);
}

static ncg_status reduce_var(nci_reducing *r, int index, ncg_error *err)
{
    const nci_variable *var = &r->in->vars[index];
    nci_reduce reduce = describe_axes(r, var);
    nci_weights weights = {0};
    nci_operand operand;
    bool weighted = r->options->weights != NULL, lost[NCG_MAX_RANK];
    ncg_status st = NCG_OK;
    nci_variable *to = nci_model_add_like(r->out, var, err);
    if (!to)
        return NCG_ENOMEM;
    for (int a = 0; a < var->rank; a++)
        lost[a] = nci_reducing_loses(r, var->dims[a]);
    nci_variable_set_dims(to, var, lost);
    if (weighted) {
        st = nci_weights_make(r->in, r->options->weights, r->mask, index,
                              &weights, err);
        if (!st)
            st = check_sum(r, &weights, err);
        if (!st)
            st = nci_weights_operand(r->in, &weights, index, &operand, err);
    }
    if (!st && r->quantile)
        st = nci_quantile_var(r, var, &reduce, to, err);
    else if (!st)
        st = nci_node_reduce(var->array, &reduce, weighted ? &operand : NULL,
                             &to->array, err);
    if (st)
        nci_error_wrap(err, "%s", var->name);
    if (!st)
        st = nci_cf_attrs(r, var, weighted ? &weights : NULL, to, err);
    to->is_enum =
        var->is_enum && !r->quantile && nci_op_picks_a_value(r->options->op);
    r->nreduced++;
    nci_weights_fini(&weights);
    return st;
}

static ncg_status pass_var(nci_reducing *r, const nci_variable *var,
                           ncg_error *err)
{
    nci_variable *to = nci_model_add_like(r->out, var, err);
    if (!to)
        return NCG_ENOMEM;
    nci_variable_set_dims(to, var, NULL);
    to->array = var->array ? nci_node_retain(var->array) : NULL;
    return NCG_OK;
}

/* A surface pressure that formula_terms names is data, whatever it is for. */
static bool is_formula_term(const nci_model *model, const char *name)
{
    for (size_t i = 0; i < model->nvars; i++) {
        const char *terms =
            nci_attrs_text(&model->vars[i].attrs, "formula_terms");
        nci_strings words = {0};
        bool found = terms && nci_strings_split(&words, terms, " :") &&
                     nci_strings_has(&words, name);
        nci_strings_fini(&words);
        if (found)
            return true;
    }
    return false;
}

static bool is_reducible(const nci_reducing *r, const nci_variable *var)
{
    if (!nci_variable_is_numeric(var) || nci_reducing_is_weights(r, var) ||
        nci_reducing_refuses(r, var))
        return false;
    return var->kind == NCI_KIND_DATA ||
           (var->kind == NCI_KIND_OTHER && var->rank > 1 &&
            r->options->op == NCG_OP_MEAN && !r->options->weights &&
            is_formula_term(r->in, var->name));
}

static void list_name(nci_text *list, const char *name)
{
    nci_text_add(list, "%s%s", list->length ? ", " : "", name);
}

/* Bounds go with their coordinate, without a word of their own. */
static ncg_status handle_var(nci_reducing *r, int index, ncg_error *err)
{
    const nci_variable *var = &r->in->vars[index];
    if (!nci_reducing_has(r, var))
        return pass_var(r, var, err);
    if (nci_cf_is_interval(r, index))
        return nci_cf_interval(r, index, err);
    if (is_reducible(r, var))
        return reduce_var(r, index, err);
    if (var->kind == NCI_KIND_BOUNDS || nci_reducing_is_weights(r, var))
        return NCG_OK;
    list_name(nci_reducing_refuses(r, var)   ? &r->enums
              : nci_variable_is_numeric(var) ? &r->lost
                                             : &r->textual,
              var->name);
    return NCG_OK;
}

static void note_left_out(const nci_reducing *r)
{
    if (r->lost.length)
        nci_reducing_note(r, "left out, having lost a dimension: %s",
                          r->lost.data);
    if (r->textual.length)
        nci_reducing_note(r, "left out, as there are no numbers to reduce: %s",
                          r->textual.data);
    if (r->enums.length)
        nci_reducing_note(r, "left out, as there is no %s of an enum: %s",
                          nci_reducing_verb(r), r->enums.data);
}

static bool has_only_weights(const nci_reducing *r)
{
    const char *weights = r->options->weights;
    int var = weights ? nci_model_find_var(r->in, weights) : -1;
    return var >= 0 && nci_reducing_has(r, &r->in->vars[var]);
}

static void resize_dims(nci_reducing *r)
{
    for (size_t d = 0; d < r->in->ndims; d++)
        if (r->keeps[d])
            r->out->dims[d].size = (int)d == r->label_dim ? r->groups.count : 1;
    int join = r->out->join_dim;
    if (join < 0 || !r->mask[join])
        return;
    nci_free(r->out->file_of);
    r->out->file_of = NULL;
    r->out->join_dim = -1;
}

static ncg_status run(nci_reducing *r, ncg_error *err)
{
    NCI_TRY(nci_reducing_init(r, err));
    resize_dims(r);
    for (size_t i = 0; i < r->in->nvars; i++)
        NCI_TRY(handle_var(r, (int)i, err));
    if (!r->nreduced && r->enums.length)
        return nci_reducing_fail_enum(r, r->enums.data, err);
    if (!r->nreduced && has_only_weights(r))
        return nci_fail(err, NCG_EINVAL,
                        "%s: of the data variables only the weights %s lie "
                        "along the dimensions that are reduced",
                        nci_reducing_verb(r), r->options->weights);
    note_left_out(r);
    bool *lost = nci_calloc(r->in->ndims + 1, sizeof *lost);
    if (!lost)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (size_t d = 0; d < r->in->ndims; d++)
        lost[d] = nci_reducing_loses(r, (int)d);
    ncg_status st = nci_cf_references(r->in, lost, r->out, err);
    nci_free(lost);
    if (!st)
        nci_model_prune(r->out);
    return st;
}

static ncg_status reduce_model(const nci_model *model,
                               const ncg_reduce_options *options,
                               nci_quantile_spec *quantile, nci_note_fn note,
                               void *note_payload, nci_model **out,
                               ncg_error *err)
{
    nci_reducing r = {.in = model,
                      .options = options,
                      .quantile = quantile,
                      .label_dim = -1,
                      .note = note,
                      .note_payload = note_payload};
    ncg_status st = run(&r, err);
    if (!st) {
        *out = r.out;
        r.out = NULL;
    }
    nci_reducing_fini(&r);
    return st;
}

ncg_status nci_model_reduce(const nci_model *model,
                            const ncg_reduce_options *options, nci_note_fn note,
                            void *note_payload, nci_model **out, ncg_error *err)
{
    NCI_TRY(nci_reducing_check(options, err));
    return reduce_model(model, options, NULL, note, note_payload, out, err);
}

ncg_status nci_model_quantile(const nci_model *model,
                              const nci_quantile_request *request,
                              const ncg_reduce_options *options,
                              nci_note_fn note, void *note_payload,
                              nci_model **out, ncg_error *err)
{
    nci_quantile_spec spec = {.q = request->q,
                              .nq = request->nq,
                              .has_axis = request->q && request->nq > 1,
                              .method = request->method,
                              .limit = request->limit,
                              .dim = -1};
    ncg_reduce_options plain = *options;
    plain.op = NCG_OP_MEAN;
    if (options->weights || options->ddof)
        return nci_fail(err, NCG_EINVAL,
                        "quantile: neither weights nor ddof have a meaning");
    if (options->min_count > 1)
        return nci_fail(err, NCG_EINVAL, "quantile: min_count has no meaning");
    return reduce_model(model, &plain, &spec, note, note_payload, out, err);
}
