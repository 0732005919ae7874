/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One table says which attributes name variables, in which form, and what the
 * named variable then is. Both questions asked of it (what kind is each
 * variable; what belongs to a selection) walk the same references.
 */
#include "dataset/refs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "base/text.h"
#include "dataset/calendar.h"

typedef enum ref_form {
    FORM_WORDS,  /* "lat lon" */
    FORM_PAIRS,  /* "area: areacella volume: volcella": words without colon */
    FORM_MAPPING /* "crs" or "crs: x y": words with colon, or all */
} ref_form;

typedef enum ref_role {
    ROLE_COORD,
    ROLE_BOUNDS,
    ROLE_OTHER,
    ROLE_TERM /* other, unless it is a field of its own */
} ref_role;

static const struct {
    const char *attr;
    ref_form form;
    ref_role role;
} references[] = {
    {"bounds", FORM_WORDS, ROLE_BOUNDS},
    {"climatology", FORM_WORDS, ROLE_BOUNDS},
    {"coordinates", FORM_WORDS, ROLE_COORD},
    {"grid_mapping", FORM_MAPPING, ROLE_OTHER},
    {"cell_measures", FORM_PAIRS, ROLE_OTHER},
    {"ancillary_variables", FORM_WORDS, ROLE_OTHER},
    {"formula_terms", FORM_PAIRS, ROLE_TERM},
    {"mesh", FORM_WORDS, ROLE_OTHER},
    {"geometry", FORM_WORDS, ROLE_OTHER},
    {"quantization", FORM_WORDS, ROLE_OTHER},
    {"node_coordinates", FORM_WORDS, ROLE_COORD},
    {"face_coordinates", FORM_WORDS, ROLE_COORD},
    {"edge_coordinates", FORM_WORDS, ROLE_COORD},
    {"volume_coordinates", FORM_WORDS, ROLE_COORD},
    {"face_node_connectivity", FORM_WORDS, ROLE_OTHER},
    {"edge_node_connectivity", FORM_WORDS, ROLE_OTHER},
    {"volume_node_connectivity", FORM_WORDS, ROLE_OTHER},
    {"face_edge_connectivity", FORM_WORDS, ROLE_OTHER},
    {"face_face_connectivity", FORM_WORDS, ROLE_OTHER},
    {"edge_face_connectivity", FORM_WORDS, ROLE_OTHER},
    {"boundary_node_connectivity", FORM_WORDS, ROLE_OTHER},
    {"node_count", FORM_WORDS, ROLE_OTHER},
    {"part_node_count", FORM_WORDS, ROLE_OTHER},
    {"interior_ring", FORM_WORDS, ROLE_OTHER},
};
enum { NREFERENCES = sizeof references / sizeof references[0] };

int nci_refs_find(const char *from, const char *word,
                  int (*find)(const void *where, const char *name),
                  const void *where)
{
    char path[1024];
    const char *slash = strrchr(from, '/');
    if (word[0] == '/') { /* absolute; the root group's have no slash */
        int found = find(where, word);
        return found >= 0 ? found : find(where, word + 1);
    }
    while (slash && slash != from) {
        int n = snprintf(path, sizeof path, "%.*s/%s", (int)(slash - from),
                         from, word);
        int found = n > 0 && (size_t)n < sizeof path ? find(where, path) : -1;
        if (found >= 0)
            return found;
        do
            slash--;
        while (slash != from && *slash != '/');
    }
    return find(where, word);
}

/* A header's variables sorted by name: files with thousands of variables are
 * looked up quickly. */
typedef struct name_index {
    const nci_header *header;
    int *order;
} name_index;

static int compare_names(const void *a, const void *b, void *header)
{
    const nci_var *vars = ((const nci_header *)header)->vars;
    return strcmp(vars[*(const int *)a].name, vars[*(const int *)b].name);
}

static ncg_status index_create(const nci_header *header, name_index *out,
                               ncg_error *err)
{
    out->header = header;
    out->order = nci_calloc(header->nvars, sizeof *out->order);
    if (!out->order)
        return nci_fail(err, NCG_ENOMEM, "%s: names of variables",
                        header->path);
    for (size_t i = 0; i < header->nvars; i++)
        out->order[i] = (int)i;
    qsort_r(out->order, header->nvars, sizeof *out->order, compare_names,
            (void *)(uintptr_t)header);
    return NCG_OK;
}

static int index_find(const void *where, const char *name)
{
    const name_index *index = where;
    size_t low = 0, high = index->header->nvars;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int var = index->order[middle];
        int order = strcmp(index->header->vars[var].name, name);
        if (order == 0)
            return var;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

typedef void (*visit_fn)(void *payload, int from, int to, ref_role role);

/* Visits the variables that one attribute of `from` names. */
static bool visit_words(const name_index *index, int from, const char *text,
                        ref_form form, ref_role role, visit_fn visit,
                        void *payload)
{
    nci_strings words = {0};
    bool ok = nci_strings_split(&words, text, " \t\n\r,");
    bool has_colon = strchr(text, ':') != NULL;
    const char *name = from < 0 ? "" : index->header->vars[from].name;
    for (size_t i = 0; ok && i < words.count; i++) {
        char *word = words.items[i];
        size_t n = strlen(word);
        bool is_key = n && word[n - 1] == ':';
        if (is_key)
            word[n - 1] = '\0';
        if (form == FORM_PAIRS ? is_key
                               : form == FORM_MAPPING && has_colon && !is_key)
            continue;
        int to = nci_refs_find(name, word, index_find, index);
        if (to >= 0 && to != from)
            visit(payload, from, to, role);
    }
    nci_strings_fini(&words);
    return ok;
}

static bool visit_references(const name_index *index, int from, visit_fn visit,
                             void *payload)
{
    const nci_attrs *attrs =
        from < 0 ? &index->header->attrs : &index->header->vars[from].attrs;
    for (int i = 0; i < NREFERENCES; i++) {
        const char *text = nci_attrs_text(attrs, references[i].attr);
        if (text && !visit_words(index, from, text, references[i].form,
                                 references[i].role, visit, payload))
            return false;
    }
    return true;
}

static bool is_text(const nci_var *var)
{
    return var->dtype == NCG_DTYPE_CHAR || var->dtype == NCG_DTYPE_STRING;
}

/* Latitudes and longitudes that no `coordinates` attribute names. */
static bool is_position(const nci_var *var)
{
    const char *name = nci_attrs_text(&var->attrs, "standard_name");
    return name && var->rank <= 2 &&
           (!strcmp(name, "latitude") || !strcmp(name, "longitude"));
}

/* A time of the whole file that no `coordinates` names: without a dimension it
 * is nobody's data. */
static bool is_scalar_time(const nci_var *var)
{
    const char *name = nci_attrs_text(&var->attrs, "standard_name");
    const char *slash = strrchr(var->name, '/');
    return var->rank == 0 &&
           !strcmp(name ? name : slash ? slash + 1 : var->name, "time") &&
           nci_time_is_units(nci_attrs_text(&var->attrs, "units"));
}

static nci_var_kind own_kind(const nci_header *header, const nci_var *var)
{
    if (is_text(var) || nci_attrs_find(&var->attrs, "grid_mapping_name") ||
        nci_attrs_find(&var->attrs, "cf_role"))
        return NCI_KIND_OTHER;
    if (var->rank == 1 && !strcmp(var->name, header->dims[var->dims[0]].name))
        return NCI_KIND_COORD;
    return is_position(var) || is_scalar_time(var) ? NCI_KIND_COORD
                                                   : NCI_KIND_DATA;
}

typedef struct kinds_walk {
    const nci_header *header;
    nci_var_kind *kinds;
} kinds_walk;

static void visit_kind(void *payload, int from, int to, ref_role role)
{
    kinds_walk *walk = payload;
    const nci_var *var = &walk->header->vars[to];
    (void)from;
    if (is_text(var) || walk->kinds[to] == NCI_KIND_BOUNDS)
        return;
    if (role == ROLE_BOUNDS)
        walk->kinds[to] = NCI_KIND_BOUNDS;
    else if (role == ROLE_COORD)
        walk->kinds[to] = NCI_KIND_COORD;
    else if (walk->kinds[to] == NCI_KIND_DATA &&
             (role != ROLE_TERM || var->rank < 2))
        walk->kinds[to] = NCI_KIND_OTHER;
}

ncg_status nci_refs_kinds(const nci_header *header, nci_var_kind *kinds,
                          ncg_error *err)
{
    name_index index;
    NCI_TRY(index_create(header, &index, err));
    kinds_walk walk = {header, kinds};
    for (size_t i = 0; i < header->nvars; i++)
        kinds[i] = own_kind(header, &header->vars[i]);
    bool ok = true;
    for (int i = -1; ok && i < (int)header->nvars; i++)
        ok = visit_references(&index, i, visit_kind, &walk);
    nci_free(index.order);
    return ok ? NCG_OK
              : nci_fail(err, NCG_ENOMEM, "%s: kinds of variables",
                         header->path);
}

typedef struct close_walk {
    bool *wanted;
    int *queue; /* variables whose references are still to be walked */
    size_t count;
} close_walk;

static void visit_wanted(void *payload, int from, int to, ref_role role)
{
    close_walk *walk = payload;
    (void)from;
    (void)role;
    if (walk->wanted[to])
        return;
    walk->wanted[to] = true;
    walk->queue[walk->count++] = to;
}

/* Mesh and grid mapping name nothing that is not wanted anyway; dimensions
 * bring their coordinate variables. */
static bool close_queue(const name_index *index, close_walk *walk)
{
    const nci_header *header = index->header;
    while (walk->count) {
        int var = walk->queue[--walk->count];
        if (!visit_references(index, var, visit_wanted, walk))
            return false;
        for (int d = 0; d < header->vars[var].rank; d++) {
            int dim = header->vars[var].dims[d];
            int coord = index_find(index, header->dims[dim].name);
            if (coord >= 0)
                visit_wanted(walk, var, coord, ROLE_COORD);
        }
    }
    return true;
}

/* The scalar times of the groups that hold something wanted. */
static void want_times(const nci_header *header, bool *wanted)
{
    for (size_t t = 0; t < header->nvars; t++) {
        if (wanted[t] || !is_scalar_time(&header->vars[t]))
            continue;
        const char *name = header->vars[t].name;
        const char *slash = strrchr(name, '/');
        size_t path = slash ? (size_t)(slash - name) + 1 : 0;
        for (size_t i = 0; i < header->nvars && !wanted[t]; i++)
            wanted[t] =
                wanted[i] && !strncmp(header->vars[i].name, name, path);
    }
}

ncg_status nci_refs_close(const nci_header *header, bool *wanted,
                          ncg_error *err)
{
    name_index index;
    NCI_TRY(index_create(header, &index, err));
    close_walk walk = {wanted, nci_calloc(header->nvars, sizeof(int)), 0};
    want_times(header, wanted);
    for (size_t i = 0; walk.queue && i < header->nvars; i++)
        if (wanted[i])
            walk.queue[walk.count++] = (int)i;
    bool ok = walk.queue && close_queue(&index, &walk);
    nci_free(walk.queue);
    nci_free(index.order);
    return ok ? NCG_OK
              : nci_fail(err, NCG_ENOMEM, "%s: variables that belong together",
                         header->path);
}

/* ---- other names ----------------------------------------------------------
 */

typedef const char *(*map_fn)(void *payload, const char *word);

/* Adds one word of an attribute, mapped; its colon is no part of the name. */
static void add_mapped(nci_text *text, const char *at, size_t n,
                       ref_form form, map_fn map, void *payload)
{
    bool is_key = at[n - 1] == ':';
    char *word = nci_strndup(at, n - is_key);
    const char *fresh = NULL;
    text->failed = text->failed || !word;
    if (word && *word && !(is_key && form == FORM_PAIRS))
        fresh = map(payload, word);
    if (fresh)
        nci_text_add(text, "%s%s", fresh, is_key ? ":" : "");
    else
        nci_text_add_bytes(text, at, n);
    nci_free(word);
}

static bool rewrite(nci_attrs *attrs, const char *name, ref_form form,
                    map_fn map, void *payload)
{
    static const char blanks[] = " \t\n\r,";
    const nci_attr *attr = nci_attrs_find(attrs, name);
    const char *old = nci_attrs_text(attrs, name);
    nci_text text = {0};
    if (!old)
        return true;
    for (const char *at = old; *at;) {
        size_t n = strcspn(at, blanks);
        if (n)
            add_mapped(&text, at, n, form, map, payload);
        at += n;
        n = strspn(at, blanks);
        nci_text_add_bytes(&text, at, n);
        at += n;
    }
    bool is_string = attr->dtype == NCG_DTYPE_STRING;
    char *fresh = nci_text_take(&text);
    const char *word = fresh && is_string ? nci_intern(fresh) : NULL;
    bool ok = fresh != NULL;
    if (ok && is_string)
        ok = word && nci_attrs_put(attrs, name, NCG_DTYPE_STRING, 1, &word);
    else if (ok)
        ok = nci_attrs_put_text(attrs, name, fresh);
    nci_free(fresh);
    return ok;
}

bool nci_refs_rewrite_one(nci_attrs *attrs, const char *name, map_fn map,
                          void *payload)
{
    return rewrite(attrs, name, FORM_WORDS, map, payload);
}

bool nci_refs_rewrite(nci_attrs *attrs, map_fn map, void *payload)
{
    for (int i = 0; i < NREFERENCES; i++)
        if (!rewrite(attrs, references[i].attr, references[i].form, map,
                     payload))
            return false;
    return true;
}
