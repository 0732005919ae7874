/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The builder walks the expression with a view: for each axis of the node in
 * hand the domain axis it follows and the positions taken. Registers of steps
 * are numbered from STEP_BASE while operands are still being found, and get
 * their final numbers at the end.
 */
#include "graph/fuse.h"

#include <string.h>

#include "base/dtype.h"
#include "base/mem.h"
#include "graph/typed.h"

enum { STEP_BASE = NCI_STEP_BASE, MOST_KNOWN = 64 };

typedef struct view {
    int from[NCG_MAX_RANK];       /* domain axis of each node axis, -1: fixed */
    nci_pick picks[NCG_MAX_RANK]; /* domain position -> node position */
} view;

/* An element-wise node seen through a view, and the register that holds it:
 * what is used twice is loaded and computed once. */
typedef struct known {
    nci_token token;
    int reg;
} known;

typedef struct builder {
    nci_program *program;
    const nci_node *root;
    int limit; /* operands; one place is kept for the weights */
    bool has_source;
    bool is_flat; /* inputs of element-wise nodes are operands, not built */
    bool is_weight;
    int depth; /* element-wise nodes that are being built */
    known known[MOST_KNOWN];
    int nknown;
} builder;

int64_t nci_pick_at(const nci_pick *pick, int64_t i)
{
    return pick->index ? pick->index[i] : pick->start + i * pick->step;
}

ncg_status nci_pick_compose(const nci_pick *outer, const nci_pick *inner,
                            nci_pick *out, ncg_error *err)
{
    nci_pick pick = {.count = outer->count, .step = 1};
    if (outer->count == 1) { /* fixed axes are read at `start` */
        pick.start = nci_pick_at(inner, nci_pick_at(outer, 0));
        *out = pick;
        return NCG_OK;
    }
    if (!outer->index && !inner->index) {
        pick.start = inner->start + outer->start * inner->step;
        pick.step = outer->step * inner->step;
        *out = pick;
        return NCG_OK;
    }
    int64_t *index = nci_alloc((size_t)outer->count * sizeof *index);
    if (!index)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    for (int64_t i = 0; i < outer->count; i++)
        index[i] = nci_pick_at(inner, nci_pick_at(outer, i));
    pick.index = index;
    *out = pick;
    return NCG_OK;
}

static void view_fini(view *v, int rank)
{
    for (int a = 0; a < rank; a++)
        nci_free((void *)v->picks[a].index);
}

static ncg_status pick_copy(const nci_pick *from, nci_pick *to, ncg_error *err)
{
    static const nci_pick identity = {.step = 1};
    if (from->index)
        return nci_pick_compose(from, &identity, to, err);
    *to = *from;
    return NCG_OK;
}

/* ---- operands ------------------------------------------------------------ */

/* A source is read tile by tile only where it spans the domain: then each
 * position of the domain belongs to exactly one tile. */
static bool spans_domain(const nci_node *node, const view *v,
                         const nci_fused *fused)
{
    unsigned seen = 0;
    for (int a = 0; a < node->rank; a++)
        if (v->from[a] >= 0)
            seen |= 1u << v->from[a];
    for (int d = 0; d < fused->rank; d++)
        if (!(seen & 1u << d) && fused->shape[d] != 1)
            return false;
    return true;
}

static nci_token token_of(const nci_node *node, const view *v)
{
    nci_hash hash;
    nci_hash_init(&hash, "ncgraph.view/1");
    nci_hash_token(&hash, node->token);
    for (int a = 0; a < node->rank; a++) {
        const nci_pick *pick = &v->picks[a];
        nci_hash_i64(&hash, v->from[a]);
        nci_hash_i64(&hash, pick->count);
        nci_hash_i64(&hash, pick->index ? -1 : pick->start);
        nci_hash_i64(&hash, pick->index ? 0 : pick->step);
        if (pick->index)
            nci_hash_bytes(&hash, pick->index,
                           (size_t)pick->count * sizeof *pick->index);
    }
    return nci_hash_done(&hash);
}

static bool find_known(const builder *b, nci_token token, int *reg)
{
    for (int i = 0; i < b->nknown; i++)
        if (nci_token_equal(b->known[i].token, token)) {
            *reg = b->known[i].reg;
            return true;
        }
    return false;
}

static void remember(builder *b, nci_token token, int reg)
{
    if (b->nknown < MOST_KNOWN)
        b->known[b->nknown++] = (known){token, reg};
}

static ncg_status add_operand(builder *b, nci_node *node, const view *v,
                              int *reg, ncg_error *err)
{
    nci_fused *fused = &b->program->fused;
    if (fused->noperands == b->limit)
        return NCG_EUNSUPPORTED;
    nci_access *access = &fused->operands[fused->noperands];
    *access = (nci_access){.kind = NCI_OPERAND_LAYER,
                           .input = -1,
                           .dtype = node->dtype,
                           .load = b->is_weight ? NCI_CLASS_F64
                                                : nci_node_class(node),
                           .has_missing = node->has_missing,
                           .rank = node->rank};
    memcpy(access->missing, node->missing, sizeof access->missing);
    memcpy(access->shape, node->shape, sizeof access->shape);
    b->program->nodes[fused->noperands] = node;
    *reg = fused->noperands++;
    for (int a = 0; a < node->rank; a++) {
        access->from[a] = v->from[a];
        NCI_TRY(pick_copy(&v->picks[a], &access->picks[a], err));
    }
    if (node->kind == NCI_NODE_CONST) {
        access->kind = NCI_OPERAND_CONST;
        access->data = nci_buf_retain(node->data);
    } else if (nci_node_is_in_memory(node)) {
        access->kind = NCI_OPERAND_CONST;
        access->data = nci_buf_retain(node->data); /* keeps the source, too */
    } else if (node->kind == NCI_NODE_SOURCE && !b->has_source &&
               spans_domain(node, v, fused)) {
        access->kind = NCI_OPERAND_SOURCE;
        access->source = node->source;
        access->stored = node->stored;
        if (node->rank)
            access->narrowest =
                nci_axis_shortest(&node->grid.axis[node->rank - 1]);
        access->data = nci_buf_retain(node->data); /* keeps the source */
        b->has_source = true;
    }
    return NCG_OK;
}

static ncg_status find_operand(builder *b, nci_node *node, const view *v,
                               int *reg, ncg_error *err)
{
    nci_token token = token_of(node, v);
    if (find_known(b, token, reg))
        return NCG_OK;
    NCI_TRY(add_operand(b, node, v, reg, err));
    remember(b, token, *reg);
    return NCG_OK;
}

/* ---- expressions --------------------------------------------------------- */

static ncg_status build(builder *b, nci_node *node, const view *v, int *reg,
                        ncg_error *err);

static ncg_status build_select(builder *b, nci_node *node, const view *v,
                               int *reg, ncg_error *err)
{
    view inner = {{0}, {{0}}};
    ncg_status st = NCG_OK;
    for (int a = 0; !st && a < node->rank; a++) {
        inner.from[a] = v->from[a];
        st = nci_pick_compose(&v->picks[a], &node->picks[a], &inner.picks[a],
                              err);
    }
    if (!st)
        st = build(b, node->inputs[0].node, &inner, reg, err);
    view_fini(&inner, node->rank);
    return st;
}

static ncg_status build_input(builder *b, const nci_operand *operand, int rank,
                              const view *v, int *reg, ncg_error *err)
{
    view inner;
    memset(&inner, 0, sizeof inner);
    for (int a = 0; a < operand->node->rank; a++) {
        inner.from[a] = -1; /* axes of size 1 that the map leaves out */
        inner.picks[a] = (nci_pick){.count = 1, .step = 1};
    }
    for (int d = 0; d < rank; d++) {
        int a = operand->axis[d];
        if (a < 0)
            continue;
        inner.from[a] = v->from[d];
        inner.picks[a] = v->picks[d]; /* borrowed: index lists are v's */
    }
    if (b->is_weight)
        return add_operand(b, operand->node, &inner, reg, err);
    if (b->is_flat)
        return find_operand(b, operand->node, &inner, reg, err);
    return build(b, operand->node, &inner, reg, err);
}

static ncg_status build_map(builder *b, nci_node *node, const view *v, int *reg,
                            ncg_error *err)
{
    nci_fused *fused = &b->program->fused;
    int in[NCI_MAP_INPUTS] = {0};
    for (int i = 0; i < node->ninputs; i++)
        NCI_TRY(build_input(b, &node->inputs[i], node->rank, v, &in[i], err));
    return nci_typed_emit(fused, node, in, reg);
}

/* Forgets the operands and steps that a failed attempt added. */
static void roll_back(builder *b, int noperands, int nsteps)
{
    nci_fused *fused = &b->program->fused;
    for (int i = noperands; i < fused->noperands; i++) {
        nci_access *access = &fused->operands[i];
        if (access->kind == NCI_OPERAND_SOURCE)
            b->has_source = false;
        nci_buf_release(&access->data);
        for (int a = 0; a < access->rank; a++)
            nci_free((void *)access->picks[a].index);
        *access = (nci_access){0};
    }
    fused->noperands = noperands;
    fused->nsteps = nsteps;
}

static ncg_status build_or_cut(builder *b, nci_node *node, const view *v,
                               int *reg, ncg_error *err)
{
    const nci_fused *fused = &b->program->fused;
    int noperands = fused->noperands, nsteps = fused->nsteps;
    int nknown = b->nknown;
    nci_token token = token_of(node, v);
    if (find_known(b, token, reg))
        return NCG_OK;
    if (b->depth == NCI_MAX_STEPS) /* each takes a step: no use to go down */
        return find_operand(b, node, v, reg, err);
    b->depth++;
    ncg_status st = build_map(b, node, v, reg, err);
    b->depth--;
    if (st == NCG_EUNSUPPORTED) {
        roll_back(b, noperands, nsteps);
        b->nknown = nknown;
        if (node != b->root)
            return find_operand(b, node, v, reg, err);
        b->is_flat = true;
        return build_map(b, node, v, reg, err);
    }
    if (!st)
        remember(b, token, *reg);
    return st;
}

/* An element-wise node that does not fit into this program becomes a layer of
 * its own, as an operand; where it is the whole program, its inputs do. */
static ncg_status build(builder *b, nci_node *node, const view *v, int *reg,
                        ncg_error *err)
{
    switch (node->kind) {
    case NCI_NODE_SELECT:
        return build_select(b, node, v, reg, err);
    case NCI_NODE_MAP:
        if (node->map == NCI_MAP_VIEW)
            return build_input(b, &node->inputs[0], node->rank, v, reg, err);
        return build_or_cut(b, node, v, reg, err);
    default:
        return find_operand(b, node, v, reg, err);
    }
}

/* ---- the whole program ----------------------------------------------------
 */

static int final_register(const nci_fused *fused, int reg, int source)
{
    if (reg >= STEP_BASE)
        return reg - STEP_BASE + fused->noperands;
    if (reg == source)
        return 0;
    return reg == 0 ? source : reg;
}

/* A source that is wanted in two ways, x + x.T, is read once: as a layer of its
 * own, whose chunks both take. */
static void share_source(nci_program *program)
{
    nci_fused *fused = &program->fused;
    nci_node *source = NULL;
    int at = 0;
    for (int i = 0; i < fused->noperands; i++)
        if (fused->operands[i].kind == NCI_OPERAND_SOURCE)
            source = program->nodes[at = i];
    for (int i = 0; source && i < fused->noperands; i++)
        if (i != at && nci_token_equal(program->nodes[i]->token, source->token))
            fused->operands[at].kind = NCI_OPERAND_LAYER;
    if (source && fused->operands[at].kind == NCI_OPERAND_LAYER)
        nci_buf_release(&fused->operands[at].data);
}

/* The source becomes operand 0; registers get their final numbers. */
static void number_registers(nci_program *program)
{
    nci_fused *fused = &program->fused;
    int source = 0;
    for (int i = 0; i < fused->noperands; i++)
        if (fused->operands[i].kind == NCI_OPERAND_SOURCE)
            source = i;
    nci_access access = fused->operands[0];
    fused->operands[0] = fused->operands[source];
    fused->operands[source] = access;
    nci_node *node = program->nodes[0];
    program->nodes[0] = program->nodes[source];
    program->nodes[source] = node;
    for (int i = 0; i < fused->nsteps; i++) {
        nci_step *step = &fused->steps[i];
        step->a = final_register(fused, step->a, source);
        step->b = final_register(fused, step->b, source);
        step->c = final_register(fused, step->c, source);
    }
    fused->result = final_register(fused, fused->result, source);
    if (program->weight >= 0)
        program->weight = final_register(fused, program->weight, source);
    fused->weight = program->weight;
}

static view whole_view(const nci_node *node)
{
    view v;
    memset(&v, 0, sizeof v);
    for (int a = 0; a < node->rank; a++) {
        v.from[a] = a;
        v.picks[a] = (nci_pick){.count = node->shape[a], .step = 1};
    }
    return v;
}

void nci_program_fini(nci_program *program)
{
    builder b = {.program = program};
    roll_back(&b, 0, 0);
}

ncg_status nci_fuse(nci_node *root, const nci_operand *weights,
                    nci_program *out, ncg_error *err)
{
    nci_program program = {.weight = -1};
    builder b = {
        .program = &program, .root = root, .limit = NCI_MAX_OPERANDS - 1};
    program.fused.rank = root->rank;
    program.fused.label_axis = -1;
    memcpy(program.fused.shape, root->shape, sizeof program.fused.shape);
    view v = whole_view(root);
    ncg_status st = build(&b, root, &v, &program.fused.result, err);
    b.limit = NCI_MAX_OPERANDS;
    b.is_weight = true; /* weights are few: computed once, not in every tile */
    if (!st && weights)
        st = build_input(&b, weights, root->rank, &v, &program.weight, err);
    if (st) {
        nci_program_fini(&program);
        return st == NCG_EUNSUPPORTED
                   ? nci_fail(err, NCG_EBUG, "expression too large")
                   : st;
    }
    nci_typed_tidy(&program.fused);
    share_source(&program);
    number_registers(&program);
    *out = program;
    return NCG_OK;
}
