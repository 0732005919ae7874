/* SPDX-License-Identifier: BSD-3-Clause */
#include "graph/dump.h"

static void add_shape(const nci_grid *grid, nci_text *out)
{
    nci_text_add(out, "(");
    for (int d = 0; d < grid->rank; d++)
        nci_text_add(out, "%s%lld/%lld", d ? ", " : "",
                     (long long)nci_axis_size(&grid->axis[d]),
                     (long long)grid->axis[d].nchunks);
    nci_text_add(out, ")");
}

static const char *op_name(ncg_op op)
{
#define OP_VERB(name, value, verb, method) verb,
    static const char *const names[] = {NCG_OP_MAP(OP_VERB)};
    return (unsigned)op < NCG_OP_COUNT_ ? names[op] : "?";
}

const char *nci_layer_kind_name(const nci_layer *layer)
{
    static const char *const names[] = {[NCI_LAYER_FUSED] = "fused",
                                        [NCI_LAYER_COMBINE] = "combine",
                                        [NCI_LAYER_BLOCK] = "block",
                                        [NCI_LAYER_STORE] = "store",
                                        [NCI_LAYER_TASKS] = "tasks"};
    return names[layer->kind];
}

const char *nci_layer_kernel(const nci_layer *layer)
{
    switch (layer->kind) {
    case NCI_LAYER_FUSED:
        return layer->fused.folds ? op_name(layer->fused.fold.op) : "read";
    case NCI_LAYER_COMBINE:
        return op_name(layer->combine.fold.op);
    case NCI_LAYER_BLOCK:
        return layer->block.kernel;
    case NCI_LAYER_TASKS:
        return "functions of the program";
    default:
        return "store";
    }
}

/* What one task of the layer does, in one line. */
static void add_work(const nci_layer *layer, nci_text *out)
{
    const nci_fused *f = &layer->fused;
    if (layer->kind == NCI_LAYER_COMBINE) {
        nci_text_add(out, "%s%s", op_name(layer->combine.fold.op),
                     layer->combine.is_final ? ", finish" : "");
        return;
    }
    if (layer->kind == NCI_LAYER_STORE) {
        nci_text_add(out, "to %s", ncg_dtype_name(layer->store.to));
        return;
    }
    if (layer->kind == NCI_LAYER_BLOCK) {
        nci_text_add(out, "%s", layer->block.kernel);
        return;
    }
    if (layer->kind == NCI_LAYER_TASKS) {
        nci_text_add(out, "functions of the program");
        return;
    }
    if (f->noperands && f->operands[0].kind == NCI_OPERAND_SOURCE)
        nci_text_add(out, "read, decode");
    else
        nci_text_add(out, "take chunks");
    for (int i = 0; i < f->nsteps; i++)
        nci_text_add(out, ", %s", nci_map_op_name(f->steps[i].op));
    for (int i = 0; f->folds && i <= f->nmore; i++) {
        const nci_fused *part = nci_fused_part(f, i);
        nci_text_add(out, ", %s%s%s", part->weight >= 0 ? "weighted " : "",
                     op_name(part->fold.op), f->labels ? " by group" : "");
    }
}

void nci_plan_list(const nci_plan *plan, nci_text *out)
{
    nci_text_add(out, "layers     (sizes/chunks of each axis)\n");
    for (int i = 0; i < plan->nlayers; i++) {
        const nci_layer *layer = &plan->layers[i];
        nci_text_add(out, "  %3d  %-24s %8lld tasks  ", i, layer->name,
                     (long long)layer->ntasks);
        add_shape(&layer->grid, out);
        nci_text_add(out, "  ");
        add_work(layer, out);
        for (int k = 0; k < layer->ninputs; k++)
            nci_text_add(out, "%s%d", k ? "," : "  <- ",
                         layer->inputs[k].layer);
        nci_text_add(out, "\n");
    }
}

static const char *colour(const nci_layer *layer)
{
    switch (layer->kind) {
    case NCI_LAYER_FUSED:
        return "#cfe2f3";
    case NCI_LAYER_COMBINE:
        return "#fff2cc";
    case NCI_LAYER_BLOCK:
        return "#ead1dc";
    default:
        return "#d9ead3";
    }
}

/* Names come from files: quotes and backslashes must not end the label. */
static void add_escaped(const char *text, nci_text *out)
{
    for (; *text; text++)
        nci_text_add(out, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
}

void nci_plan_draw(const nci_plan *plan, nci_text *out)
{
    nci_text_add(out, "digraph plan {\n  rankdir=BT;\n"
                      "  node [shape=box, style=\"rounded,filled\", "
                      "fontname=\"sans-serif\"];\n");
    for (int i = 0; i < plan->nlayers; i++) {
        const nci_layer *layer = &plan->layers[i];
        nci_text_add(out, "  l%d [fillcolor=\"%s\", label=\"", i,
                     colour(layer));
        add_escaped(layer->name, out);
        nci_text_add(out, "\\n");
        add_work(layer, out);
        nci_text_add(out, "\\n%lld tasks ", (long long)layer->ntasks);
        add_shape(&layer->grid, out);
        nci_text_add(out, "\"];\n");
        for (int k = 0; k < layer->ninputs; k++)
            nci_text_add(out, "  l%d -> l%d;\n", layer->inputs[k].layer, i);
    }
    nci_text_add(out, "}\n");
}
