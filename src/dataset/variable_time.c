/* SPDX-License-Identifier: BSD-3-Clause */
/* How a variable counts time: its units and calendar, or those of the
 * coordinate whose bounds it is. */
#include "dataset/calendar.h"
#include "dataset/ops.h"

bool nci_variable_is_dates(const nci_variable *coord)
{
    const char *units = nci_attrs_text(&coord->attrs, "units");
    return units && nci_time_is_units(units);
}

ncg_status nci_variable_time_units(const nci_variable *coord,
                                   nci_time_units *out, ncg_error *err)
{
    ncg_status st = nci_time_units_parse(
        nci_attrs_text(&coord->attrs, "units"),
        nci_attrs_text(&coord->attrs, "calendar"), out, err);
    return st ? nci_error_wrap(err, "%s", coord->name) : NCG_OK;
}

ncg_status nci_variable_date_units(const nci_variable *coord,
                                   nci_time_units *out, ncg_error *err)
{
    NCI_TRY(nci_variable_time_units(coord, out, err));
    if (out->calendar == NCI_CAL_NONE)
        return nci_fail(err, NCG_EUNSUPPORTED,
                        "%s: calendar \"none\" has no dates to group or "
                        "select by; isel selects by position",
                        coord->name);
    return NCG_OK;
}

ncg_status nci_model_date_units(const nci_model *model, int v, bool *is_date,
                                nci_time_units *out, ncg_error *err)
{
    const nci_variable *var = &model->vars[v];
    *is_date = nci_variable_is_dates(var);
    if (*is_date)
        return nci_variable_time_units(var, out, err);
    for (size_t i = 0; var->kind == NCI_KIND_BOUNDS && i < model->nvars; i++)
        if (nci_variable_is_dates(&model->vars[i]) &&
            nci_model_bounds(model, (int)i) == v) {
            *is_date = true;
            return nci_variable_time_units(&model->vars[i], out, err);
        }
    return NCG_OK;
}
