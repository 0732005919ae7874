/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arithmetic by name: variables of one name meet, their dimensions meet by
 * name, what one of them lacks is broadcast. Dimensions come in the order of
 * the first, then those that only the second has.
 */
#include "dataset/arith.h"

#include <math.h>

#include "base/dtype.h"
#include "graph/ops/ops.h"

/* ---- operations ---------------------------------------------------------- */

static ncg_status parse_op(const char *name, int ninputs, nci_map_op *out,
                           ncg_error *err)
{
    const char *known[NCI_MAP_OP_COUNT];
    size_t n = 0;
    if (nci_map_op_parse(name, out) && nci_map_op_ninputs(*out) == ninputs &&
        nci_map_op_rule(*out) != NCI_RULE_TYPED && *out != NCI_MAP_VIEW)
        return NCG_OK;
    for (int op = 0; op < NCI_MAP_OP_COUNT; op++)
        if (nci_map_op_ninputs(op) == ninputs && op != NCI_MAP_CAST &&
            op != NCI_MAP_VIEW)
            known[n++] = nci_map_op_name(op);
    const char *near = nci_suggest(name, known, n);
    return nci_fail(err, NCG_EINVAL,
                    "no operation \"%s\" of %d data set%s%s%s%s", name, ninputs,
                    ninputs > 1 ? "s" : "", near ? " (did you mean \"" : "",
                    near ? near : "", near ? "\"?)" : "");
}

/* ---- which variables ----------------------------------------------------- */

static bool takes_part(const nci_variable *var)
{
    return var->kind == NCI_KIND_DATA && nci_variable_is_numeric(var) &&
           var->array && !var->is_enum;
}

static int find_partner(const nci_model *model, const char *name)
{
    int v = nci_model_find_var(model, name);
    return v >= 0 && takes_part(&model->vars[v]) ? v : -1;
}

static void set_result(nci_variable *var, nci_node *array_take)
{
    nci_node_release(&var->array);
    var->array = array_take;
    var->stored = array_take->dtype;
    var->storage.has_fill =
        var->storage.has_fill && nci_dtype_is_float(array_take->dtype) &&
        var->storage.elem_size == ncg_dtype_size(array_take->dtype);
    var->missing_rule = NULL;
}

/* ---- two data sets ------------------------------------------------------- */

typedef struct binary {
    nci_map_op op;
    const nci_model *a, *b; /* aligned */
    nci_model *out;
    const nci_combining *how;
    size_t ncombined;
    nci_text lost; /* names of variables that only one has */
} binary;

/* Axes of the second operand in those of the result, which are extended by
 * what only the second has. */
static ncg_status lay_second(binary *p, const nci_variable *y,
                             nci_variable *into, nci_operand *operand,
                             ncg_error *err)
{
    for (int d = 0; d < NCG_MAX_RANK; d++)
        operand->axis[d] = -1;
    for (int a = 0; a < y->rank; a++) {
        int dim, axis;
        NCI_TRY(nci_model_take_dim(p->out, p->b, y->dims[a], &dim, err));
        axis = nci_variable_axis(into, dim);
        if (axis < 0) {
            if (into->rank == NCG_MAX_RANK)
                return nci_fail(err, NCG_EINVAL,
                                "more than %d dimensions together",
                                NCG_MAX_RANK);
            axis = into->rank++;
            into->dims[axis] = dim;
            into->storage.chunk[axis] = y->storage.chunk[a];
        }
        operand->axis[axis] = a;
    }
    return NCG_OK;
}

static ncg_status make_binary(binary *p, nci_variable *into,
                              const nci_variable *x, const nci_variable *y,
                              ncg_error *err)
{
    nci_operand operands[2] = {{.node = x->array}, {.node = y->array}};
    int64_t shape[NCG_MAX_RANK] = {0};
    nci_node *result = NULL;
    NCI_TRY(lay_second(p, y, into, &operands[1], err));
    for (int d = 0; d < into->rank; d++) {
        operands[0].axis[d] = d < x->rank ? d : -1;
        shape[d] = p->out->dims[into->dims[d]].size;
    }
    NCI_TRY(nci_node_map(p->op, NCG_DTYPE_NONE, into->rank, shape, operands, 2,
                         &result, err));
    set_result(into, result);
    if (nci_arith_keeps_units(p->op) &&
        !nci_arith_same_units(&x->attrs, &y->attrs))
        nci_combining_note(p->how,
                           "%s: units differ (\"%.60s\" and \"%.60s\"): values "
                           "are combined as they are, the result has none",
                           x->name,
                           nci_attrs_text(&x->attrs, "units")
                               ? nci_attrs_text(&x->attrs, "units")
                               : "",
                           nci_attrs_text(&y->attrs, "units")
                               ? nci_attrs_text(&y->attrs, "units")
                               : "");
    return nci_arith_keep_attrs(p->op, into, &y->attrs, err);
}

static ncg_status add_data(binary *p, int v, ncg_error *err)
{
    const nci_variable *x = &p->a->vars[v];
    int w = find_partner(p->b, x->name);
    if (w < 0 || !takes_part(x)) {
        nci_text_add(&p->lost, "%s%s", p->lost.length ? ", " : "", x->name);
        return NCG_OK;
    }
    NCI_TRY(nci_model_take(p->out, p->a, v, err));
    nci_variable *into = &p->out->vars[p->out->nvars - 1];
    ncg_status st = make_binary(p, into, x, &p->b->vars[w], err);
    if (st)
        return nci_error_wrap(err, "%s", x->name);
    p->ncombined++;
    return NCG_OK;
}

/* What describes stays, unless the two say different things. */
static ncg_status add_other(binary *p, int v, ncg_error *err)
{
    const nci_variable *x = &p->a->vars[v];
    int w = nci_model_find_var(p->b, x->name);
    bool same = true;
    if (w >= 0)
        NCI_TRY(nci_variables_equal(p->how, p->a, v, p->b, w, &same, err));
    if (!same) {
        nci_combining_note(p->how, "%s differs between the data sets: left out",
                           x->name);
        return NCG_OK;
    }
    return nci_model_take(p->out, p->a, v, err);
}

/* Of the second: what describes dimensions that the result has. */
static ncg_status add_second(binary *p, int w, ncg_error *err)
{
    const nci_variable *y = &p->b->vars[w];
    if (nci_model_find_var(p->a, y->name) >= 0)
        return NCG_OK;
    if (y->kind == NCI_KIND_DATA) {
        nci_text_add(&p->lost, "%s%s", p->lost.length ? ", " : "", y->name);
        return NCG_OK;
    }
    for (int d = 0; y->kind != NCI_KIND_BOUNDS && d < y->rank; d++)
        if (nci_model_find_dim(p->out, p->b->dims[y->dims[d]].name) < 0)
            return NCG_OK;
    return nci_model_take(p->out, p->b, w, err);
}

static ncg_status combine_all(binary *p, ncg_error *err)
{
    for (size_t v = 0; v < p->a->nvars; v++)
        if (p->a->vars[v].kind == NCI_KIND_DATA)
            NCI_TRY(add_data(p, (int)v, err));
        else
            NCI_TRY(add_other(p, (int)v, err));
    if (!p->ncombined)
        return nci_fail(err, NCG_EINVAL,
                        "the data sets share no variable of numbers; there "
                        "are: %.300s; rename one of them",
                        p->lost.data ? p->lost.data : "none");
    for (size_t w = 0; w < p->b->nvars; w++)
        NCI_TRY(add_second(p, (int)w, err));
    if (p->lost.length)
        nci_combining_note(p->how,
                           "left out, not being numbers in both data "
                           "sets: %.300s",
                           p->lost.data);
    return nci_cf_references(p->a, NULL, p->out, err);
}

static ncg_status binary_aligned(binary *p, nci_model **out, ncg_error *err)
{
    NCI_TRY(nci_model_begin(p->a, &p->out, err));
    ncg_status st = combine_all(p, err);
    if (!st && p->lost.failed)
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    nci_text_fini(&p->lost);
    if (st) {
        nci_model_release(&p->out);
        return st;
    }
    nci_model_prune(p->out);
    nci_model_find_roles(p->out);
    *out = p->out;
    return NCG_OK;
}

ncg_status nci_model_binary(const char *op, const nci_model *a,
                            const nci_model *b, const nci_combining *how,
                            nci_model **out, ncg_error *err)
{
    nci_model *both[2] = {NULL, NULL}, *aligned[2] = {NULL, NULL};
    binary p = {.how = how};
    NCI_TRY(parse_op(op, 2, &p.op, err));
    ncg_status st = nci_model_without_covering(a, b, &both[0], err);
    if (!st)
        st = nci_model_without_covering(b, a, &both[1], err);
    if (!st)
        st = nci_models_align((const nci_model *const *)both, 2, how, NULL,
                              aligned, err);
    p.a = aligned[0];
    p.b = aligned[1];
    if (!st)
        st = binary_aligned(&p, out, err);
    nci_models_release(aligned, 2);
    nci_models_release(both, 2);
    return st;
}

/* ---- numbers and functions ----------------------------------------------- */

/* As a number in Python takes part: it does not change the dtype of floats, nor
 * that of integers which hold it. */
static ncg_dtype scalar_dtype(const nci_node *array, double number)
{
    ncg_dtype dtype = array->dtype;
    uint8_t bytes[8];
    if (array->has_missing)
        return nci_dtype_real(dtype);
    if (nci_dtype_is_float(dtype))
        return dtype;
    if (number != rint(number) || fabs(number) > 9007199254740992.0)
        return NCG_DTYPE_F64;
    if (dtype == NCG_DTYPE_BOOL)
        return NCG_DTYPE_I64;
    nci_dtype_put(dtype, bytes, number);
    return nci_dtype_get(dtype, bytes) == number ? dtype : NCG_DTYPE_I64;
}

typedef struct single {
    nci_map_op op;
    bool has_number, reversed;
    double number;
} single;

static ncg_status make_single(const single *s, nci_node *array, nci_node **out,
                              ncg_error *err)
{
    nci_node *inputs[2] = {array, NULL}, *number = NULL;
    if (!s->has_number)
        return nci_ops_map(s->op, NCG_DTYPE_NONE, inputs, 1, out, err);
    NCI_TRY(nci_array_f64(scalar_dtype(array, s->number), 0, NULL, &s->number,
                          &number, err));
    inputs[s->reversed ? 0 : 1] = number;
    inputs[s->reversed ? 1 : 0] = array;
    ncg_status st = nci_ops_map(s->op, NCG_DTYPE_NONE, inputs, 2, out, err);
    nci_node_release(&number);
    return st;
}

static ncg_status apply(const single *s, const nci_model *model,
                        const nci_combining *how, nci_model **out,
                        ncg_error *err)
{
    /* A number has no units: nothing is known of the result's. */
    static const nci_attrs unknown;
    bool is_limit = s->op == NCI_MAP_MIN || s->op == NCI_MAP_MAX ||
                    s->op == NCI_MAP_FMIN || s->op == NCI_MAP_FMAX;
    nci_model *fresh = NULL;
    size_t count = 0;
    NCI_TRY(nci_model_copy(model, &fresh, err));
    ncg_status st = NCG_OK;
    for (size_t v = 0; !st && v < fresh->nvars; v++) {
        nci_variable *var = &fresh->vars[v];
        nci_node *result = NULL;
        if (var->kind != NCI_KIND_DATA || !var->array)
            continue;
        if (!takes_part(var)) {
            nci_combining_note(how, "%s stays as it is, not being numbers",
                               var->name);
            continue;
        }
        st = make_single(s, var->array, &result, err);
        if (st) {
            st = nci_error_wrap(err, "%s", var->name);
            break;
        }
        set_result(var, result);
        count++;
        if (!is_limit || !s->has_number)
            st = nci_arith_keep_attrs(s->op, var,
                                      s->has_number ? &unknown : NULL, err);
    }
    if (!st && !count)
        st = nci_fail(err, NCG_EINVAL,
                      "the data set has no data variable of numbers");
    if (st)
        nci_model_release(&fresh);
    else
        *out = fresh;
    return st;
}

ncg_status nci_model_scalar(const char *op, const nci_model *model,
                            double number, bool reversed,
                            const nci_combining *how, nci_model **out,
                            ncg_error *err)
{
    single s = {.has_number = true, .number = number, .reversed = reversed};
    NCI_TRY(parse_op(op, 2, &s.op, err));
    return apply(&s, model, how, out, err);
}

ncg_status nci_model_map(const char *op, const nci_model *model,
                         const nci_combining *how, nci_model **out,
                         ncg_error *err)
{
    single s = {.has_number = false};
    NCI_TRY(parse_op(op, 1, &s.op, err));
    return apply(&s, model, how, out, err);
}
