/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Attributes stay as far as they stay true. Those that say where a value lies
 * (coordinates, grid_mapping, cell_measures, mesh) always do. Those that say
 * what it is stay where two quantities of equal units are added, subtracted or
 * the like and both say the same; of an operation of one input, where the units
 * stay. All others are left out.
 */
#include "dataset/arith.h"

#include <string.h>

#include "base/dtype.h"
#include "dataset/units.h"

bool nci_arith_keeps_units(nci_map_op op)
{
    switch (op) {
    case NCI_MAP_ADD:
    case NCI_MAP_SUB:
    case NCI_MAP_MIN:
    case NCI_MAP_MAX:
    case NCI_MAP_FMIN:
    case NCI_MAP_FMAX:
    case NCI_MAP_MOD:
    case NCI_MAP_FMOD:
    case NCI_MAP_HYPOT:
    case NCI_MAP_COPYSIGN:
    case NCI_MAP_NEG:
    case NCI_MAP_ABS:
    case NCI_MAP_FLOOR:
    case NCI_MAP_CEIL:
    case NCI_MAP_TRUNC:
    case NCI_MAP_RINT:
        return true;
    default:
        return false;
    }
}

static bool is_where(const char *name)
{
    static const char *const where[] = {"coordinates",   "grid_mapping",
                                        "cell_measures", "mesh",
                                        "location",      "geometry"};
    for (size_t i = 0; i < sizeof where / sizeof where[0]; i++)
        if (!strcmp(name, where[i]))
            return true;
    return false;
}

/* True of the inputs, not of what is made of them. */
static bool is_spent(const char *name)
{
    static const char *const spent[] = {
        "actual_range", "valid_range", "valid_min",           "valid_max",
        "flag_values",  "flag_masks",  "ancillary_variables", "flag_meanings"};
    for (size_t i = 0; i < sizeof spent / sizeof spent[0]; i++)
        if (!strcmp(name, spent[i]))
            return true;
    return false;
}

static bool same_attr(const nci_attr *a, const nci_attr *b)
{
    return b && a->dtype == b->dtype && a->count == b->count && a->values &&
           b->values &&
           !memcmp(a->values, b->values,
                   (size_t)a->count * ncg_dtype_size(a->dtype));
}

bool nci_arith_same_units(const nci_attrs *a, const nci_attrs *b)
{
    return nci_units_equal(nci_attrs_text(a, "units"),
                           nci_attrs_text(b, "units"));
}

/* `other` NULL: an operation of one input. */
static bool stays(nci_map_op op, const nci_attrs *attrs, const nci_attr *attr,
                  const nci_attrs *other)
{
    if (is_where(attr->name))
        return true;
    if (is_spent(attr->name) || !nci_arith_keeps_units(op))
        return false;
    if (!other)
        return !strcmp(attr->name, "units") || op == NCI_MAP_FLOOR ||
               op == NCI_MAP_CEIL || op == NCI_MAP_TRUNC || op == NCI_MAP_RINT;
    if (!nci_arith_same_units(attrs, other))
        return false;
    return !strcmp(attr->name, "units") ||
           same_attr(attr, nci_attrs_find(other, attr->name));
}

ncg_status nci_arith_keep_attrs(nci_map_op op, nci_variable *var,
                                const nci_attrs *other, ncg_error *err)
{
    const char *units = nci_attrs_text(&var->attrs, "units");
    bool temperature = op == NCI_MAP_SUB && other &&
                       nci_cf_is_temperature(units) &&
                       nci_arith_same_units(&var->attrs, other);
    for (size_t i = var->attrs.count; i-- > 0;) {
        const nci_attr *attr = &var->attrs.items[i];
        if (!stays(op, &var->attrs, attr, other))
            nci_attrs_remove(&var->attrs, attr->name);
    }
    if (temperature && !nci_attrs_put_text(&var->attrs, "units_metadata",
                                           "temperature: difference"))
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    return NCG_OK;
}
