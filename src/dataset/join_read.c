/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading the small variables of all files, in parallel over files. What lies
 * along the join dimension is kept for each file; of other coordinates a file's
 * values are kept only where their bytes differ from the first file's; so of
 * small data that do not lie along it, which are compared here and stay lazy.
 */
#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "dataset/join_internal.h"

/* What is larger is not compared between files. */
static const int64_t COMPARE_VALUES = INT64_C(1) << 16;

static int find_axis(const nci_join_group *group, const nci_join_var *var)
{
    const nci_header *header =
        nci_join_member(group, (size_t)var->member)->header;
    for (int d = 0; group->join_name && d < var->desc->rank; d++)
        if (!strcmp(header->dims[var->desc->dims[d]].name, group->join_name))
            return d;
    return -1;
}

static ncg_status read_part(const nci_join_group *group,
                            const nci_join_var *var, size_t member, void **out,
                            ncg_error *err)
{
    const nci_join_input *input = group->work->input;
    const nci_header *header = nci_join_member(group, member)->header;
    const nci_var *in = nci_join_header_var(group, var, member);
    int64_t shape[NCG_MAX_RANK];
    size_t nbytes;
    /* The box is the file's own, whatever dimension is put before it. */
    const nci_header *own = input->headers[group->files[member]];
    const nci_var *stored = &own->vars[in - header->vars];
    nci_var_shape(own, stored, shape);
    nci_box box = nci_box_whole(stored->rank, shape);
    int64_t n = nci_join_count(group, var, member);
    if (!nci_mul_size((size_t)n, ncg_dtype_size(in->dtype), &nbytes) ||
        !(*out = nci_calloc(nbytes + 1, 1)))
        return nci_fail(err, NCG_ENOMEM, "%s: %s: %lld values", header->path,
                        var->name, (long long)n);
    if (!n)
        return NCG_OK;
    ncg_status st = input->read(input->ctx, group->files[member],
                                (int)(in - header->vars), &box, *out, err);
    if (st) {
        nci_free(*out);
        *out = NULL;
    }
    return st;
}

static bool is_kept(const nci_join_var *var)
{
    return var->axis >= 0 ||
           (var->kind == NCI_KIND_COORD && var->desc->rank == 0 &&
            var->how == NCI_JOIN_NUMBER);
}

bool nci_join_is_compared(const nci_join_group *group, const nci_join_var *var)
{
    bool is_read = var->kind == NCI_KIND_COORD && var->how == NCI_JOIN_NUMBER;
    bool is_data = var->kind == NCI_KIND_DATA && var->axis < 0 &&
                   group->join_name && group->nfiles > 1 &&
                   nci_dtype_is_numeric(var->desc->dtype);
    return (is_read || is_data) && !var->is_dropped &&
           nci_join_count(group, var, (size_t)var->member) <= COMPARE_VALUES;
}

static bool is_wanted(const nci_join_group *group, const nci_join_var *var)
{
    return !var->is_dropped && (var->how != NCI_JOIN_LAZY ||
                                nci_join_is_compared(group, var));
}

/* Frees a part whose bytes are those of the file that describes it. */
static void drop_equal(const nci_join_group *group, nci_join_var *var,
                       size_t member)
{
    size_t own = (size_t)var->member;
    int64_t n = nci_join_count(group, var, member);
    const nci_var *in = nci_join_header_var(group, var, member);
    if (!var->parts[own] || in->dtype != var->desc->dtype ||
        n != nci_join_count(group, var, own) ||
        !nci_join_same_attrs(group, var, member) ||
        memcmp(var->parts[own], var->parts[member],
               (size_t)n * ncg_dtype_size(in->dtype)))
        return;
    nci_free(var->parts[member]);
    var->parts[member] = NULL;
}

/* Data are read here to be compared only: what cannot be read stops those who
 * want it, not the opening. */
static ncg_status read_if_possible(const nci_join_group *group,
                                   nci_join_var *var, size_t member,
                                   ncg_error *err)
{
    ncg_error own = {0};
    ncg_status st = read_part(group, var, member, &var->parts[member], &own);
    bool is_optional = var->how == NCI_JOIN_LAZY && st != NCG_ENOMEM &&
                       st != NCG_ECANCELED;
    if (st && !is_optional && err)
        *err = own;
    return is_optional ? NCG_OK : st;
}

static ncg_status read_member(void *arg, size_t member, ncg_error *err)
{
    nci_join_group *group = arg;
    for (size_t v = 0; v < group->nvars; v++) {
        nci_join_var *var = &group->vars[v];
        if (!is_wanted(group, var) || var->parts[member] ||
            !nci_join_header_var(group, var, member))
            continue;
        bool keep = is_kept(var);
        if (!keep && !nci_join_is_compared(group, var))
            continue;
        NCI_TRY(read_if_possible(group, var, member, err));
        if (!keep && var->parts[member])
            drop_equal(group, var, member);
    }
    return NCG_OK;
}

ncg_status nci_join_read(nci_join_group *group, ncg_error *err)
{
    const nci_join_input *input = group->work->input;
    for (size_t v = 0; v < group->nvars; v++) {
        nci_join_var *var = &group->vars[v];
        size_t own = (size_t)var->member;
        var->axis = find_axis(group, var);
        if (is_wanted(group, var))
            NCI_TRY(read_if_possible(group, var, own, err));
    }
    if (group->nfiles == 1)
        return NCG_OK;
    return input->parallel(input->ctx, group->nfiles, read_member, group, err);
}

void nci_join_free_parts(nci_join_group *group)
{
    for (size_t v = 0; v < group->nvars; v++) {
        nci_join_var *var = &group->vars[v];
        for (size_t m = 0; var->parts && m < group->nfiles; m++) {
            nci_free(var->parts[m]);
            var->parts[m] = NULL;
        }
    }
}

ncg_status nci_join_values(const nci_join_group *group, const nci_join_var *var,
                           size_t member, double **out, int64_t *count,
                           ncg_error *err)
{
    int64_t n = nci_join_count(group, var, member);
    nci_decode decode;
    NCI_TRY(nci_join_decode(group, var, member, &decode, NULL, err));
    double *values = nci_calloc((size_t)n, sizeof *values);
    if (!values)
        return nci_fail(err, NCG_ENOMEM, "%s: %s: %lld values",
                        nci_join_path(group, member), var->name, (long long)n);
    nci_decode_array(&decode, var->parts[member], n, NCG_DTYPE_F64, NULL,
                     values);
    *out = values;
    *count = n;
    return NCG_OK;
}
