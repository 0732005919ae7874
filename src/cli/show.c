/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Small results on standard output. The table puts variables with the same
 * dimensions side by side, one line for each point, coordinates first:
 *
 *     time [days since 1850-01-01]  tas [K]
 *     15.5                          281.2
 */
#include "cli/show.h"
#include "cli/value.h"

#include <stdlib.h>
#include <string.h>

#define VALUES_MAX 10000

typedef struct column {
    const char *name;
    char *title; /* "tas [K]" */
    size_t var;  /* index in the data set */
    nci_values values;
    bool printed;
} column;

typedef struct table {
    ncg_dataset *ds;
    column *columns;
    size_t n;
} table;

static char *make_title(const ncg_dataset *ds, const char *name)
{
    int var = ncg_dataset_find(ds, name);
    const char *units =
        var >= 0 ? ncg_dataset_attr_text(ds, var, "units") : NULL;
    return units && *units ? nci_xformat("%s [%s]", name, units)
                           : nci_xstrdup(name);
}

static ncg_status check_size(int64_t total, ncg_error *err)
{
    if (total > VALUES_MAX)
        return nci_usage(err,
                         "the result has %lld values, too many to print (the "
                         "limit is %d); write it with -o FILE.nc",
                         (long long)total, VALUES_MAX);
    return NCG_OK;
}

/* Computes all data variables, after their sizes have been added up. */
static ncg_status fill_table(table *t, ncg_error *err)
{
    size_t nvars = ncg_dataset_nvars(t->ds);
    ncg_array **arrays = nci_xalloc(nvars, sizeof *arrays);
    int64_t total = 0;
    ncg_status st = NCG_OK;
    t->columns = nci_xalloc(nvars, sizeof *t->columns);
    for (size_t i = 0; !st && i < nvars; i++) {
        if (!ncg_dataset_var_is_data(t->ds, i))
            continue;
        column *c = &t->columns[t->n];
        c->var = i;
        c->name = ncg_dataset_var_name(t->ds, i);
        c->title = make_title(t->ds, c->name);
        st = ncg_dataset_array(t->ds, c->name, &arrays[t->n++], err);
        if (!st)
            total += ncg_array_size(arrays[t->n - 1]);
    }
    if (!st)
        st = check_size(total, err);
    for (size_t i = 0; !st && i < t->n; i++)
        st = nci_values_compute(arrays[i], &t->columns[i].values, err);
    for (size_t i = 0; i < t->n; i++)
        ncg_array_release(&arrays[i]);
    free(arrays);
    return st;
}

static void table_fini(table *t)
{
    for (size_t i = 0; i < t->n; i++) {
        free(t->columns[i].title);
        nci_values_fini(&t->columns[i].values);
    }
    free(t->columns);
}

static void print_nested(const nci_values *v, int axis, int64_t *at, FILE *to)
{
    if (axis == v->rank) {
        nci_value_json(v, (*at)++, to);
        return;
    }
    fputc('[', to);
    for (int64_t i = 0; i < v->shape[axis]; i++) {
        if (i)
            fputs(", ", to);
        print_nested(v, axis + 1, at, to);
    }
    fputc(']', to);
}

static void print_json(const table *t, FILE *to)
{
    fputc('{', to);
    for (size_t i = 0; i < t->n; i++) {
        int64_t at = 0;
        fputs(i ? ",\n " : "", to);
        nci_json_text(t->columns[i].name, to);
        fputs(": ", to);
        print_nested(&t->columns[i].values, 0, &at, to);
    }
    fputs("}\n", to);
}

static bool same_dims(const ncg_dataset *ds, const column *a, const column *b)
{
    if (a->values.rank != b->values.rank)
        return false;
    for (int i = 0; i < a->values.rank; i++)
        if (ncg_dataset_var_dim(ds, a->var, i) !=
            ncg_dataset_var_dim(ds, b->var, i))
            return false;
    return true;
}

/* The coordinate of one dimension, or positions where it has none. */
static ncg_status read_axis(ncg_dataset *ds, const char *name, int64_t size,
                            column *out, ncg_error *err)
{
    ncg_array *array = NULL;
    out->name = name;
    out->title = make_title(ds, name);
    if (ncg_dataset_find(ds, name) >= 0) {
        ncg_status st = ncg_dataset_array(ds, name, &array, err);
        if (!st && ncg_array_rank(array) == 1 && ncg_array_size(array) == size)
            st = nci_values_compute(array, &out->values, err);
        ncg_array_release(&array);
        if (st || out->values.data)
            return st;
    }
    out->values.dtype = NCG_DTYPE_I64;
    out->values.rank = 1;
    out->values.size = size;
    out->values.data = nci_xalloc((size_t)size, sizeof(int64_t));
    for (int64_t i = 0; i < size; i++)
        ((int64_t *)out->values.data)[i] = i;
    return NCG_OK;
}

/* The lines of a block: cells[row][column], the first row holds the titles. */
static void print_cells(char **cells, int64_t rows, size_t columns, FILE *to)
{
    int *width = nci_xalloc(columns, sizeof *width);
    for (int64_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++) {
            int n = (int)strlen(cells[(size_t)r * columns + c]);
            width[c] = n > width[c] ? n : width[c];
        }
    for (int64_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++) {
            const char *cell = cells[(size_t)r * columns + c];
            if (c + 1 < columns)
                fprintf(to, "%-*s  ", width[c], cell);
            else
                fprintf(to, "%s\n", cell);
        }
    free(width);
}

static char *cell_text(const nci_values *v, int64_t i)
{
    return nci_value_is_missing(v, i) ? nci_xstrdup("-") : nci_value_text(v, i);
}

/* Position along `axis` of the value number `i` in row-major order. */
static int64_t unravel(const nci_values *v, int axis, int64_t i)
{
    for (int k = v->rank - 1; k > axis; k--)
        i /= v->shape[k];
    return i % v->shape[axis];
}

static void print_block(column **group, size_t n, const column *axes, FILE *to)
{
    const nci_values *shape = &group[0]->values;
    size_t rank = (size_t)shape->rank, columns = rank + n;
    int64_t rows = shape->size + 1;
    char **cells = nci_xalloc((size_t)rows * columns, sizeof *cells);
    for (size_t c = 0; c < columns; c++) {
        const column *col = c < rank ? &axes[c] : group[c - rank];
        cells[c] = nci_xstrdup(col->title);
        for (int64_t i = 0; i < shape->size; i++) {
            int64_t at = c < rank ? unravel(shape, (int)c, i) : i;
            cells[(size_t)(i + 1) * columns + c] = cell_text(&col->values, at);
        }
    }
    print_cells(cells, rows, columns, to);
    for (size_t i = 0; i < (size_t)rows * columns; i++)
        free(cells[i]);
    free(cells);
}

/* Prints the column `first` and those after it with the same dimensions. */
static ncg_status print_group(table *t, size_t first, FILE *to, ncg_error *err)
{
    column axes[NCG_MAX_RANK];
    column **group = nci_xalloc(t->n, sizeof *group);
    const column *head = &t->columns[first];
    size_t n = 0;
    ncg_status st = NCG_OK;
    memset(axes, 0, sizeof axes);
    for (size_t i = first; i < t->n; i++)
        if (!t->columns[i].printed && same_dims(t->ds, head, &t->columns[i])) {
            t->columns[i].printed = true;
            group[n++] = &t->columns[i];
        }
    for (int k = 0; !st && k < head->values.rank; k++) {
        int dim = ncg_dataset_var_dim(t->ds, head->var, k);
        const char *name =
            dim < 0 ? "index" : ncg_dataset_dim_name(t->ds, (size_t)dim);
        st = read_axis(t->ds, name, head->values.shape[k], &axes[k], err);
    }
    if (!st)
        print_block(group, n, axes, to);
    for (int k = 0; k < head->values.rank; k++) {
        free(axes[k].title);
        nci_values_fini(&axes[k].values);
    }
    free(group);
    return st;
}

ncg_status nci_show(ncg_dataset *ds, bool json, ncg_error *err)
{
    table t = {ds, NULL, 0};
    ncg_status st = fill_table(&t, err);
    if (!st && json)
        print_json(&t, stdout);
    for (size_t i = 0, blocks = 0; !st && !json && i < t.n; i++) {
        if (t.columns[i].printed)
            continue;
        if (blocks++)
            putchar('\n');
        st = print_group(&t, i, stdout, err);
    }
    if (!st && (fflush(stdout) || ferror(stdout)))
        st = nci_refuse(err, NCG_EOUTPUT, "cannot write to standard output");
    table_fini(&t);
    return st;
}
