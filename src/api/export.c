/* SPDX-License-Identifier: BSD-3-Clause */
/* Graphs as text: JSON for programs, Graphviz's language for drawing. */
#include <string.h>

#include "api/walk.h"
#include "base/mem.h"

/* ---- JSON
 * ----------------------------------------------------------------------- */

/* Names come from files: whatever they hold must not end the string. */
static void add_string(nci_text *out, const char *text)
{
    nci_text_add(out, "\"");
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\')
            nci_text_add(out, "\\%c", *c);
        else if (*c < 0x20)
            nci_text_add(out, "\\u%04x", *c);
        else
            nci_text_add_bytes(out, (const char *)c, 1);
    }
    nci_text_add(out, "\"");
}

static void add_key(nci_text *out, const nci_view_layer *layer, int64_t i)
{
    ncg_key key;
    char text[NCG_KEY_TEXT_SIZE];
    nci_view_key(layer, i, &key);
    add_string(out, nci_key_text(&key, text, sizeof text));
}

static void add_sizes(nci_text *out, const nci_view_layer *layer)
{
    const nci_grid *grid = layer->grid;
    nci_text_add(out, ", \"shape\": [");
    for (int d = 0; d < grid->rank; d++)
        nci_text_add(out, "%s%lld", d ? ", " : "",
                     (long long)nci_axis_size(&grid->axis[d]));
    nci_text_add(out, "], \"chunks\": [");
    for (int d = 0; d < grid->rank; d++) {
        const nci_axis *axis = &grid->axis[d];
        nci_text_add(out, "%s[", d ? ", " : "");
        for (int64_t i = 0; i < axis->nchunks; i++)
            nci_text_add(out, "%s%lld", i ? ", " : "",
                         (long long)(axis->edge[i + 1] - axis->edge[i]));
        nci_text_add(out, "]");
    }
    nci_text_add(out, "]");
}

typedef struct needs {
    nci_text *out;
    const nci_view *view;
    bool has_one;
} needs;

static void add_need(void *ctx, size_t layer, int64_t chunk)
{
    needs *n = ctx;
    nci_text_add(n->out, "%s", n->has_one ? ", " : "");
    add_key(n->out, &n->view->layers[layer], chunk);
    n->has_one = true;
}

static ncg_status add_keys(nci_text *out, const nci_view *view, size_t number,
                           ncg_error *err)
{
    const nci_view_layer *layer = &view->layers[number];
    nci_text_add(out, ", \"keys\": [");
    for (int64_t i = 0; i < layer->ntasks; i++) {
        needs n = {out, view, false};
        nci_text_add(out, "%s\n    {\"key\": ", i ? "," : "");
        add_key(out, layer, i);
        if (layer->tasks && nci_tasks_name(layer->tasks, i)) {
            nci_text_add(out, ", \"name\": ");
            add_string(out, nci_tasks_name(layer->tasks, i));
        }
        nci_text_add(out, ", \"needs\": [");
        NCI_TRY(nci_view_deps(view, number, i, add_need, &n, err));
        nci_text_add(out, "]}");
    }
    nci_text_add(out, "]");
    return NCG_OK;
}

static ncg_status add_layer(nci_text *out, const nci_view *view, size_t number,
                            bool tasks, ncg_error *err)
{
    const nci_view_layer *layer = &view->layers[number];
    char token[33];
    nci_token_text(layer->token, token);
    nci_text_add(out, "%s\n  {\"token\": \"%s\", \"name\": ", number ? "," : "",
                 token);
    add_string(out, layer->name);
    nci_text_add(out, ", \"kind\": \"%s\", \"kernel\": ", layer->kind);
    add_string(out, layer->kernel);
    nci_text_add(out, ", \"dtype\": \"%s\"", ncg_dtype_name(layer->dtype));
    add_sizes(out, layer);
    nci_text_add(out, ", \"tasks\": %lld, \"inputs\": [",
                 (long long)layer->ntasks);
    for (size_t i = 0; i < layer->ninputs; i++) {
        nci_token_text(view->layers[layer->inputs[i]].token, token);
        nci_text_add(out, "%s\"%s\"", i ? ", " : "", token);
    }
    nci_text_add(out, "]");
    if (tasks)
        NCI_TRY(add_keys(out, view, number, err));
    nci_text_add(out, "}");
    return NCG_OK;
}

static ncg_status take(ncg_status st, nci_text *text, char **out,
                       ncg_error *err)
{
    char *taken = st ? NULL : nci_text_take(text);
    nci_text_fini(text);
    if (st)
        return st;
    if (!taken)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    *out = taken;
    return NCG_OK;
}

ncg_status ncg_graph_json(ncg_graph *graph, bool tasks, char **text,
                          ncg_error *err)
{
    const nci_view *view = NULL;
    nci_text out = {0};
    if (!graph || !text)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(nci_graph_view(graph, &view, err));
    ncg_status st = NCG_OK;
    nci_text_add(&out, "{\"optimized\": %s, \"layers\": [",
                 graph->is_optimized ? "true" : "false");
    for (size_t i = 0; !st && i < view->nlayers; i++)
        st = add_layer(&out, view, i, tasks, err);
    nci_text_add(&out, "\n]}\n");
    return take(st, &out, text, err);
}

/* ---- Graphviz
 * ------------------------------------------------------------------------ */

static const char *colour(const nci_view_layer *layer)
{
    static const struct {
        const char *kind, *colour;
    } colours[] = {{"source", "#cfe2f3"},  {"fused", "#cfe2f3"},
                   {"const", "#efefef"},   {"reduce", "#fff2cc"},
                   {"combine", "#fff2cc"}, {"block", "#ead1dc"},
                   {"tasks", "#f9cb9c"}};
    for (size_t i = 0; i < sizeof colours / sizeof *colours; i++)
        if (!strcmp(colours[i].kind, layer->kind))
            return colours[i].colour;
    return "#d9ead3";
}

static void add_escaped(nci_text *out, const char *text)
{
    for (; *text; text++)
        nci_text_add(out, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
}

static void draw_layer(nci_text *out, const nci_view *view, size_t number)
{
    const nci_view_layer *layer = &view->layers[number];
    nci_text_add(out, "  l%zu [fillcolor=\"%s\", label=\"", number,
                 colour(layer));
    add_escaped(out, layer->name);
    nci_text_add(out, "\\n%s: ", layer->kind);
    add_escaped(out, layer->kernel);
    nci_text_add(out, "\\n%lld task%s", (long long)layer->ntasks,
                 layer->ntasks == 1 ? "" : "s");
    for (int d = 0; d < layer->grid->rank; d++)
        nci_text_add(out, "%s%lld/%lld", d ? " x " : "\\n",
                     (long long)nci_axis_size(&layer->grid->axis[d]),
                     (long long)layer->grid->axis[d].nchunks);
    nci_text_add(out, "\"];\n");
    for (size_t i = 0; i < layer->ninputs; i++)
        nci_text_add(out, "  l%zu -> l%zu;\n", layer->inputs[i], number);
}

ncg_status ncg_graph_dot(ncg_graph *graph, char **text, ncg_error *err)
{
    const nci_view *view = NULL;
    nci_text out = {0};
    if (!graph || !text)
        return nci_fail(err, NCG_EINVAL, "an argument is NULL");
    NCI_TRY(nci_graph_view(graph, &view, err));
    nci_text_add(&out, "digraph graph_ {\n  rankdir=BT;\n"
                       "  node [shape=box, style=\"rounded,filled\", "
                       "fontname=\"sans-serif\"];\n");
    for (size_t i = 0; i < view->nlayers; i++)
        draw_layer(&out, view, i);
    nci_text_add(&out, "}\n");
    return take(NCG_OK, &out, text, err);
}
