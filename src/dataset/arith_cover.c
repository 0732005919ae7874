/* SPDX-License-Identifier: BSD-3-Clause */
/* One position that stands for many. */
#include "dataset/arith.h"

#include <math.h>

#include "base/mem.h"
#include "dataset/units.h"

/* A mean over time keeps a time of one position, whose bounds are the period.
 * Where these hold every position of the other data set, it stands for all. */
static ncg_status covers(const nci_model *model, const nci_index *one,
                         const nci_index *many, bool *out, ncg_error *err)
{
    double *bounds = NULL;
    *out = false;
    if (one->var < 0 || many->var < 0 || one->count != 1 || many->count < 2 ||
        one->is_text || many->is_text || one->is_time != many->is_time ||
        (one->is_time && one->units.calendar != many->units.calendar) ||
        (!one->is_time && !nci_units_equal(one->unit_text, many->unit_text)))
        return NCG_OK;
    NCI_TRY(nci_bounds_values(model, one->var, &bounds, err));
    *out = bounds != NULL;
    for (int64_t i = 0; *out && i < many->count; i++) {
        double x = nci_index_value(many, i, one);
        *out =
            x >= fmin(bounds[0], bounds[1]) && x <= fmax(bounds[0], bounds[1]);
    }
    nci_free(bounds);
    return NCG_OK;
}

/* Takes the dimension away, with its coordinate and bounds. */
static ncg_status squeeze(nci_model **model, const nci_index *one,
                          ncg_error *err)
{
    nci_model *old = *model, *picked = NULL;
    const nci_pick pick = {.count = 1, .step = 1};
    const char *names[2] = {one->name, NULL};
    int bounds = nci_model_bounds(old, one->var);
    const nci_pick **picks = nci_calloc(old->ndims + 1, sizeof *picks);
    bool *drop = nci_calloc(old->ndims + 1, sizeof *drop);
    ncg_status st = NCG_OK;
    if (!picks || !drop) {
        st = nci_fail(err, NCG_ENOMEM, "out of memory");
    } else {
        picks[one->dim] = &pick;
        drop[one->dim] = true;
        st = nci_model_pick(old, picks, drop, &picked, err);
    }
    names[1] = bounds < 0 ? NULL : old->vars[bounds].name;
    if (!st)
        st = nci_model_drop(picked, names, bounds < 0 ? 1 : 2, model, err);
    if (picked)
        nci_model_release(&picked);
    nci_free(picks);
    nci_free(drop);
    if (!st)
        nci_model_release(&old);
    return st;
}

static ncg_status squeeze_where_covered(nci_model **model,
                                        const nci_model *other,
                                        const char *name, ncg_error *err)
{
    nci_index one = {.var = -1}, many = {.var = -1};
    bool is_covered = false;
    NCI_TRY(nci_index_read(*model, name, &one, err));
    ncg_status st = nci_index_read(other, name, &many, err);
    if (!st)
        st = covers(*model, &one, &many, &is_covered, err);
    if (!st && is_covered)
        st = squeeze(model, &one, err);
    nci_index_fini(&one);
    nci_index_fini(&many);
    return st;
}

ncg_status nci_model_without_covering(const nci_model *from,
                                      const nci_model *other, nci_model **out,
                                      ncg_error *err)
{
    nci_model *model = NULL;
    NCI_TRY(nci_model_copy(from, &model, err));
    ncg_status st = NCG_OK;
    for (size_t d = 0; !st && d < from->ndims; d++)
        st = squeeze_where_covered(&model, other, from->dims[d].name, err);
    if (st)
        nci_model_release(&model);
    else
        *out = model;
    return st;
}
