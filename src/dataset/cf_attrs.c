/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Attributes of a variable after a reduction: units, names, cell_methods, and
 * those that described the values that are gone.
 */
#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "dataset/ops.h"

static const char *const celsius[] = {
    "degC",    "degrees_C",      "degree_C",        "celsius",
    "Celsius", "degree_Celsius", "degrees_Celsius", "degreesC",
    "deg_C",   "degree_celsius"};
static const char *const fahrenheit[] = {"degF", "degrees_F", "fahrenheit",
                                         "degree_Fahrenheit", "deg_F"};

static bool is_one_of(const char *units, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(units, words[i]))
            return true;
    return false;
}
#define IS_ONE_OF(units, words)                                                \
    is_one_of(units, words, sizeof(words) / sizeof(words)[0])

bool nci_cf_is_temperature(const char *units)
{
    return units && (!strcmp(units, "K") || !strcmp(units, "kelvin") ||
                     !strcmp(units, "Kelvin") || IS_ONE_OF(units, celsius) ||
                     IS_ONE_OF(units, fahrenheit));
}

/* UDUNITS reads "K2" and "(m s-1)2"; a square of degrees with an offset has no
 * meaning, so those become kelvin or rankine, whose steps are as large. */
static void square_units(const char *units, nci_text *text)
{
    bool plain = *units != '\0';
    for (const char *at = units; *at; at++)
        plain = plain && isalpha((unsigned char)*at);
    if (!strcmp(units, "1") || !*units)
        nci_text_add(text, "1");
    else if (IS_ONE_OF(units, celsius))
        nci_text_add(text, "K2");
    else if (IS_ONE_OF(units, fahrenheit))
        nci_text_add(text, "degR2");
    else
        nci_text_add(text, plain ? "%s2" : "(%s)2", units);
}

static void multiply_units(const char *units, const char *weight,
                           nci_text *text)
{
    if (!strcmp(weight, "1"))
        nci_text_add(text, "%s", units);
    else if (!strcmp(units, "1") || !*units)
        nci_text_add(text, "%s", weight);
    else if (strpbrk(units, "/ ") || strpbrk(weight, "/"))
        nci_text_add(text, "(%s) (%s)", units, weight);
    else
        nci_text_add(text, "%s %s", units, weight);
}

static bool put_units(const nci_variable *from, ncg_op op,
                      const nci_weights *weights, nci_attrs *attrs)
{
    const char *units = nci_attrs_text(&from->attrs, "units");
    nci_text text = {0};
    if (!units || (op != NCG_OP_VAR && !(op == NCG_OP_SUM && weights)))
        return true;
    if (op == NCG_OP_VAR)
        square_units(units, &text);
    else
        multiply_units(units, weights->units, &text);
    char *result = nci_text_take(&text);
    bool ok = result && nci_attrs_put_like(attrs, "units", result);
    nci_free(result);
    return ok;
}

/* A spread of temperatures is a difference, not a point of the scale. */
static bool put_difference(const nci_variable *from, ncg_op op,
                           nci_attrs *attrs)
{
    if (op != NCG_OP_STD && op != NCG_OP_RANGE)
        return true;
    if (!nci_cf_is_temperature(nci_attrs_text(&from->attrs, "units")))
        return true;
    return nci_attrs_put_text(attrs, "units_metadata",
                              "temperature: difference");
}

/* Results that are no longer the quantity: counts, positions, truth values. */
static const char *new_quantity(ncg_op op)
{
    switch (op) {
    case NCG_OP_COUNT:
        return "number of observations of";
    case NCG_OP_PROD:
        return "product of";
    case NCG_OP_ANY:
        return "whether any is non-zero:";
    case NCG_OP_ALL:
        return "whether all are non-zero:";
    case NCG_OP_ARGMIN:
        return "position of the minimum of";
    case NCG_OP_ARGMAX:
        return "position of the maximum of";
    default:
        return NULL;
    }
}

static bool put_new_quantity(const nci_variable *from, const char *what,
                             nci_attrs *attrs)
{
    nci_text text = {0};
    const char *name = nci_attrs_text(&from->attrs, "long_name");
    if (!name)
        name = nci_attrs_text(&from->attrs, "standard_name");
    nci_text_add(&text, "%s %s", what, name ? name : from->name);
    char *title = nci_text_take(&text);
    nci_attrs_remove(attrs, "standard_name");
    nci_attrs_remove(attrs, "cell_methods");
    nci_attrs_remove(attrs, "units_metadata");
    bool ok = title && nci_attrs_put_like(attrs, "long_name", title) &&
              nci_attrs_put_like(attrs, "units", "1");
    nci_free(title);
    return ok;
}

/* What described the old values: flags unless the result is one of them, the
 * range, and how they were rounded. */
static void remove_stale(ncg_op op, nci_attrs *attrs)
{
    static const char *const flags[] = {"flag_values", "flag_masks",
                                        "flag_meanings"};
    bool is_member = op == NCG_OP_MIN || op == NCG_OP_MAX ||
                     op == NCG_OP_FIRST || op == NCG_OP_LAST;
    for (int i = 0; i < 3 && !is_member; i++)
        nci_attrs_remove(attrs, flags[i]);
    nci_attrs_remove(attrs, "actual_range");
    for (size_t i = attrs->count; i-- > 0;)
        if (!strncmp(attrs->items[i].name, "quantization", 12) ||
            !strncmp(attrs->items[i].name, "_Quantize", 9))
            nci_attrs_remove(attrs, attrs->items[i].name);
}

ncg_status nci_cf_attrs(const nci_reducing *r, const nci_variable *from,
                        const nci_weights *weights, nci_variable *to,
                        ncg_error *err)
{
    ncg_op op = r->options->op;
    const char *what = new_quantity(op);
    bool ok;
    remove_stale(op, &to->attrs);
    if (r->quantile && !nci_quantile_method_name(r->quantile))
        return NCG_OK;
    if (what) {
        ok = put_new_quantity(from, what, &to->attrs);
        if (op == NCG_OP_PROD) /* how many factors is not known */
            nci_attrs_remove(&to->attrs, "units");
    } else {
        char *methods = nci_cf_methods(r, from, weights);
        ok = methods &&
             nci_attrs_put_like(&to->attrs, "cell_methods", methods) &&
             put_units(from, op, weights, &to->attrs) &&
             put_difference(from, op, &to->attrs);
        nci_free(methods);
    }
    return ok ? NCG_OK
              : nci_fail(err, NCG_ENOMEM, "%s: out of memory", from->name);
}
