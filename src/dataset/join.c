/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many files as one data set. Headers are digested in parallel; files of equal
 * layout are one class; classes that share data variables are one group, which
 * is joined along a dimension; groups with different variables (u.nc, v.nc)
 * are merged where their coordinates agree.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dtype.h"
#include "base/hash.h"
#include "base/mem.h"
#include "dataset/join_internal.h"
#include "dataset/refs.h"

void nci_join_note(nci_join_work *work, const char *format, ...)
{
    char line[1024];
    va_list args;
    if (!work->options->note)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (nci_strings_has(&work->notes, line))
        return;
    nci_strings_add(&work->notes, line); /* at worst it is told twice */
    work->options->note(line, work->options->note_payload);
}

/* ---- digests and classes ------------------------------------------------ */

static nci_token digest_layout(const nci_header *header)
{
    nci_hash hash;
    nci_hash_init(&hash, "layout");
    nci_hash_i64(&hash, (int64_t)header->ndims);
    for (size_t i = 0; i < header->ndims; i++)
        nci_hash_text(&hash, header->dims[i].name);
    for (size_t i = 0; i < header->nvars; i++) {
        const nci_var *var = &header->vars[i];
        int64_t shape[] = {(int64_t)var->dtype, (int64_t)var->klass};
        nci_hash_text(&hash, var->name);
        nci_hash_bytes(&hash, shape, sizeof shape);
        nci_hash_bytes(&hash, var->dims, (size_t)var->rank * sizeof(int));
    }
    return nci_hash_done(&hash);
}

static nci_token digest_attrs(const nci_attrs *attrs)
{
    nci_hash hash;
    nci_hash_init(&hash, "attributes");
    for (size_t i = 0; i < attrs->count; i++) {
        const nci_attr *attr = &attrs->items[i];
        nci_hash_text(&hash, attr->name);
        nci_hash_i64(&hash, (int64_t)attr->dtype);
        if (attr->values)
            nci_hash_bytes(&hash, attr->values,
                           (size_t)attr->count * ncg_dtype_size(attr->dtype));
    }
    return nci_hash_done(&hash);
}

static ncg_status digest_file(void *arg, size_t i, ncg_error *err)
{
    nci_join_work *work = arg;
    nci_join_file *file = &work->files[i];
    const nci_header *header = work->input->headers[i];
    nci_hash hash;
    if (work->is_lifted)
        NCI_TRY(nci_join_lift(header, work->scalar, &work->lifted[i], err));
    if (work->is_lifted && work->lifted[i])
        header = work->lifted[i];
    file->header = header;
    file->layout = digest_layout(header);
    file->attrs = nci_calloc(header->nvars, sizeof *file->attrs);
    if (!file->attrs)
        return nci_fail(err, NCG_ENOMEM, "%s: digest", header->path);
    for (size_t v = 0; v < header->nvars; v++)
        file->attrs[v] = digest_attrs(&header->vars[v].attrs);
    nci_hash_init(&hash, "file");
    nci_hash_text(&hash, header->path);
    nci_hash_i64(&hash, header->size);
    nci_hash_i64(&hash, header->mtime_ns);
    file->identity = nci_hash_done(&hash);
    return NCG_OK;
}

static ncg_status make_classes(nci_join_work *work, ncg_error *err)
{
    size_t capacity = 0, nfiles = work->input->nfiles;
    for (size_t i = 0; i < nfiles; i++) {
        nci_join_file *file = &work->files[i];
        size_t k = work->nclasses;
        while (k > 0 &&
               !nci_token_equal(work->files[work->classes[k - 1].file].layout,
                                file->layout))
            k--;
        if (k > 0) {
            file->klass = (int)k - 1;
            continue;
        }
        if (!nci_grow(&work->classes, &capacity, work->nclasses + 1,
                      sizeof *work->classes))
            return nci_fail(err, NCG_ENOMEM, "grouping %zu files", nfiles);
        file->klass = (int)work->nclasses;
        work->classes[work->nclasses] =
            (nci_join_class){.file = (int)i, .group = file->klass};
        work->nclasses++;
    }
    return NCG_OK;
}

/* ---- which variables ---------------------------------------------------- */

static const char *class_name(nci_var_class klass)
{
    static const char *const names[] = {"a plain",    "an enum",
                                        "a compound", "an opaque",
                                        "a vlen",     "a user-defined"};
    return names[klass];
}

static bool is_known(const nci_var *var)
{
    return (var->klass == NCI_VAR_PLAIN || var->klass == NCI_VAR_ENUM) &&
           var->dtype != NCG_DTYPE_NONE;
}

/* Wants every variable that has values of ours. */
static void want_all(nci_join_work *work, nci_join_class *klass)
{
    const nci_header *header = work->files[klass->file].header;
    for (size_t v = 0; v < header->nvars; v++) {
        const nci_var *var = &header->vars[v];
        klass->wanted[v] = is_known(var);
        if (!klass->wanted[v])
            nci_join_note(work, "%s: %s: left out: values of %s type",
                          header->path, var->name, class_name(var->klass));
    }
}

static int find_named(const nci_header *header, const char *name)
{
    char path[1024];
    int v = nci_header_find_var(header, name);
    if (v >= 0 || !strchr(name, '/'))
        return v;
    snprintf(path, sizeof path, "/%s", name);
    v = nci_header_find_var(header, path);
    return v >= 0 || name[0] != '/' ? v : nci_header_find_var(header, name + 1);
}

static ncg_status want_named(nci_join_work *work, nci_join_class *klass,
                             bool *found, ncg_error *err)
{
    const nci_header *header = work->files[klass->file].header;
    for (size_t i = 0; i < work->names.count; i++) {
        int v = find_named(header, work->names.items[i]);
        if (v < 0)
            continue;
        const nci_var *var = &header->vars[v];
        if (!is_known(var))
            return nci_fail(err, NCG_EUNSUPPORTED,
                            "%s: %s: values of %s type cannot be read",
                            header->path, var->name, class_name(var->klass));
        found[i] = true;
        klass->wanted[v] = true;
        if (klass->kinds[v] == NCI_KIND_OTHER && nci_decode_is_numeric(var))
            klass->kinds[v] = NCI_KIND_DATA; /* asked for: it is data */
    }
    /* What is only referred to is not data here. */
    bool *named = nci_calloc(header->nvars, sizeof *named);
    if (!named)
        return nci_fail(err, NCG_ENOMEM, "%s: variables", header->path);
    memcpy(named, klass->wanted, header->nvars * sizeof *named);
    ncg_status st = nci_refs_close(header, klass->wanted, err);
    for (size_t v = 0; v < header->nvars; v++) {
        if (!named[v] && klass->kinds[v] == NCI_KIND_DATA)
            klass->kinds[v] = NCI_KIND_OTHER;
        klass->wanted[v] = klass->wanted[v] && is_known(&header->vars[v]);
    }
    nci_free(named);
    return st;
}

static ncg_status select_class(nci_join_work *work, nci_join_class *klass,
                               bool *found, ncg_error *err)
{
    const nci_header *header = work->files[klass->file].header;
    klass->kinds = nci_calloc(header->nvars, sizeof *klass->kinds);
    klass->wanted = nci_calloc(header->nvars, sizeof *klass->wanted);
    if (!klass->kinds || !klass->wanted)
        return nci_fail(err, NCG_ENOMEM, "%s: variables", header->path);
    NCI_TRY(nci_refs_kinds(header, klass->kinds, err));
    if (work->options->variables)
        NCI_TRY(want_named(work, klass, found, err));
    else
        want_all(work, klass);
    for (size_t v = 0; v < header->nvars; v++)
        klass->ndata += klass->wanted[v] && klass->kinds[v] == NCI_KIND_DATA;
    return NCG_OK;
}

/* The data variables of a file, those that come first. */
static void list_data(const nci_header *header, nci_text *out)
{
    nci_var_kind *kinds = nci_calloc(header->nvars, sizeof *kinds);
    bool good = kinds && !nci_refs_kinds(header, kinds, NULL);
    for (size_t v = 0; good && v < header->nvars && out->length < 200; v++)
        if (kinds[v] == NCI_KIND_DATA)
            nci_text_add(out, "%s%s", out->length ? ", " : "; there are: ",
                         header->vars[v].name);
    nci_free(kinds);
}

static ncg_status fail_unknown(nci_join_work *work, const char *name,
                               ncg_error *err)
{
    const nci_header *header = work->files[0].header;
    const char **words = nci_calloc(header->nvars, sizeof *words);
    nci_text there = {0};
    if (!words)
        return nci_fail(err, NCG_ENOMEM, "no variable \"%s\"", name);
    for (size_t v = 0; v < header->nvars; v++)
        words[v] = header->vars[v].name;
    const char *near = nci_suggest(name, words, header->nvars);
    if (near) {
        nci_fail(err, NCG_EINVAL,
                 "%s: no variable \"%s\"; did you mean \"%s\"?", header->path,
                 name, near);
    } else {
        list_data(header, &there);
        nci_fail(err, NCG_EINVAL, "%s: no variable \"%s\"%s", header->path,
                 name, there.data && !there.failed ? there.data : "");
    }
    nci_text_fini(&there);
    nci_free(words);
    return NCG_EINVAL;
}

static ncg_status select_variables(nci_join_work *work, ncg_error *err)
{
    ncg_status st = NCG_OK;
    const char *list = work->options->variables;
    bool *found = NULL;
    if (list && !nci_strings_split(&work->names, list, ", \t\n"))
        return nci_fail(err, NCG_ENOMEM, "names of variables");
    if (list && !work->names.count)
        return nci_fail(err, NCG_EINVAL, "the list of variables is empty");
    found = nci_calloc(work->names.count + 1, sizeof *found);
    if (!found)
        return nci_fail(err, NCG_ENOMEM, "names of variables");
    for (size_t k = 0; !st && k < work->nclasses; k++)
        st = select_class(work, &work->classes[k], found, err);
    for (size_t i = 0; !st && i < work->names.count; i++)
        if (!found[i])
            st = fail_unknown(work, work->names.items[i], err);
    nci_free(found);
    return st;
}

/* ---- groups ------------------------------------------------------------- */

typedef struct name_of_class {
    const char *name;
    int klass;
} name_of_class;

static int compare_names(const void *a, const void *b)
{
    const name_of_class *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : (x->klass > y->klass) - (x->klass < y->klass);
}

static int find_root(const nci_join_work *work, int klass)
{
    while (work->classes[klass].group != klass)
        klass = work->classes[klass].group;
    return klass;
}

static void unite(nci_join_work *work, int a, int b)
{
    int x = find_root(work, a), y = find_root(work, b);
    /* The lower one is the root: groups stand in the caller's order. */
    if (x < y)
        work->classes[y].group = x;
    else
        work->classes[x].group = y;
}

/* Unites classes that share a data variable. */
static ncg_status unite_classes(nci_join_work *work, ncg_error *err)
{
    size_t total = 0, n = 0;
    for (size_t k = 0; k < work->nclasses; k++)
        total += work->classes[k].ndata;
    name_of_class *names = nci_calloc(total, sizeof *names);
    if (!names)
        return nci_fail(err, NCG_ENOMEM, "grouping files");
    for (size_t k = 0; k < work->nclasses; k++) {
        const nci_join_class *klass = &work->classes[k];
        const nci_header *header = work->files[klass->file].header;
        for (size_t v = 0; v < header->nvars; v++)
            if (klass->wanted[v] && klass->kinds[v] == NCI_KIND_DATA)
                names[n++] = (name_of_class){header->vars[v].name, (int)k};
    }
    qsort(names, n, sizeof *names, compare_names);
    for (size_t i = 1; i < n; i++)
        if (!strcmp(names[i - 1].name, names[i].name))
            unite(work, names[i - 1].klass, names[i].klass);
    nci_free(names);
    for (size_t k = 0; k < work->nclasses; k++)
        work->classes[k].group = find_root(work, (int)k);
    return NCG_OK;
}

/* Files without any data variable are left out where others have some. */
static bool is_left_out(nci_join_work *work, size_t klass)
{
    if (work->classes[klass].ndata)
        return false;
    for (size_t k = 0; k < work->nclasses; k++) {
        if (!work->classes[k].ndata)
            continue;
        nci_join_note(work, "%s: left out: it holds no data variable%s",
                      work->files[work->classes[klass].file].header->path,
                      work->options->variables ? " that is asked for" : "");
        return true;
    }
    return false;
}

static ncg_status group_init(nci_join_work *work, int root,
                             nci_join_group *group, ncg_error *err)
{
    size_t nfiles = work->input->nfiles;
    *group = (nci_join_group){.work = work, .key = -1};
    group->files = nci_calloc(nfiles, sizeof *group->files);
    if (!group->files)
        return nci_fail(err, NCG_ENOMEM, "grouping %zu files", nfiles);
    for (size_t i = 0; i < nfiles; i++)
        if (work->classes[work->files[i].klass].group == root)
            group->files[group->nfiles++] = (int)i;
    return nci_join_group_vars(group, err);
}

ncg_status nci_join_finish(nci_join_group *group, nci_model **out,
                           ncg_error *err)
{
    NCI_TRY(nci_join_check_shapes(group, err));
    NCI_TRY(nci_join_check_units(group, err));
    NCI_TRY(nci_join_check_values(group, err));
    NCI_TRY(nci_join_order(group, err));
    return nci_join_build(group, out, err);
}

static ncg_status join_group(nci_join_work *work, int root, nci_model **out,
                             ncg_error *err)
{
    nci_join_group group;
    bool is_joined = false;
    ncg_status st = group_init(work, root, &group, err);
    if (!st)
        st = nci_join_check_layout(&group, err);
    if (!st)
        st = nci_join_find_axis(&group, err);
    if (!st && group.join_name && work->options->join == NCG_JOIN_INNER)
        st = nci_join_inner(&group, out, &is_joined, err);
    if (!st && !is_joined)
        st = nci_join_finish(&group, out, err);
    nci_join_group_fini(&group);
    return st;
}

static ncg_status join_groups(nci_join_work *work, nci_model **out,
                              ncg_error *err)
{
    nci_model *all = NULL;
    ncg_status st = NCG_OK;
    const char *first_path = NULL;
    for (size_t k = 0; !st && k < work->nclasses; k++) {
        nci_model *model = NULL;
        const char *path = work->files[work->classes[k].file].header->path;
        if (work->classes[k].group != (int)k || is_left_out(work, k))
            continue;
        st = join_group(work, (int)k, &model, err);
        if (!st && all) {
            st = nci_join_merge(work, &all, model, first_path, path, err);
            nci_model_release(&model);
        } else if (!st) {
            all = model;
            first_path = path;
        }
    }
    if (st)
        nci_model_release(&all);
    else
        *out = all;
    return st;
}

static void work_fini(nci_join_work *work)
{
    for (size_t i = 0; work->files && i < work->input->nfiles; i++)
        nci_free(work->files[i].attrs);
    for (size_t i = 0; work->lifted && i < work->input->nfiles; i++)
        nci_join_lift_free(&work->lifted[i]);
    nci_free(work->lifted);
    for (size_t k = 0; k < work->nclasses; k++) {
        nci_free(work->classes[k].kinds);
        nci_free(work->classes[k].wanted);
    }
    nci_free(work->files);
    nci_free(work->classes);
    nci_strings_fini(&work->names);
    nci_strings_fini(&work->notes);
}

static ncg_status join_files(nci_join_work *work, nci_model **out,
                             ncg_error *err)
{
    const nci_join_input *input = work->input;
    work->files = nci_calloc(input->nfiles, sizeof *work->files);
    work->lifted = nci_calloc(input->nfiles, sizeof(nci_header *));
    if (!work->files || !work->lifted)
        return nci_fail(err, NCG_ENOMEM, "joining %zu files", input->nfiles);
    NCI_TRY(input->parallel(input->ctx, input->nfiles, digest_file, work, err));
    NCI_TRY(make_classes(work, err));
    NCI_TRY(select_variables(work, err));
    NCI_TRY(unite_classes(work, err));
    return join_groups(work, out, err);
}

ncg_status nci_join(const nci_join_input *input,
                    const nci_join_options *options, nci_model **out,
                    ncg_error *err)
{
    nci_join_work work = {.input = input, .options = options};
    if (!input->nfiles)
        return nci_fail(err, NCG_EINVAL, "no input files");
    ncg_status st = join_files(&work, out, err);
    if (st && work.scalar && !work.is_lifted) {
        nci_join_work again = {.input = input,
                               .options = options,
                               .notes = work.notes,
                               .scalar = work.scalar,
                               .is_lifted = true};
        work.notes = (nci_strings){0};
        work_fini(&work);
        work = again;
        st = join_files(&work, out, err);
    }
    work_fini(&work);
    return st;
}
