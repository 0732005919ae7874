/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * BLOCK tasks: the boxes that a kernel asked for are taken from the chunks of
 * its inputs, as they are where one chunk is the box, gathered otherwise; then
 * the kernel makes its chunk.
 */
#include <string.h>

#include "base/mem.h"
#include "engine/kernel/registry.h"
#include "engine/kernel/task.h"

typedef struct call {
    const nci_layer *layer;
    int64_t index[NCG_MAX_RANK];
    ncg_chunk *inputs;
    uint8_t **gathered; /* owned, one an input; NULL: taken as it is */
    ncg_chunk output;
    ncg_kernel_call it;
    const nci_kernel *kernel; /* NULL: not known here */
    bool gathers;
} call;

static const nci_layer *input_layer(const nci_plan *plan,
                                    const nci_layer *layer, int i)
{
    return &plan->layers[layer->inputs[i].layer];
}

static void describe_input(const nci_block_arg *arg, const int64_t *index,
                           ncg_chunk *out)
{
    nci_box box;
    nci_block_box(arg, index, &box);
    *out = (ncg_chunk){.dtype = arg->dtype,
                       .rank = arg->rank,
                       .has_missing = arg->has_missing};
    memcpy(out->missing, arg->missing, sizeof out->missing);
    memcpy(out->start, box.start, sizeof out->start);
    memcpy(out->count, box.count, sizeof out->count);
    memcpy(out->shape, arg->shape, sizeof out->shape);
}

static void describe_output(const nci_layer *layer, int64_t chunk,
                            ncg_chunk *out)
{
    nci_box box = nci_grid_box(&layer->grid, chunk);
    *out = (ncg_chunk){.dtype = layer->dtype,
                       .rank = box.rank,
                       .has_missing = layer->block.has_missing};
    memcpy(out->missing, layer->block.missing, sizeof out->missing);
    memcpy(out->start, box.start, sizeof out->start);
    memcpy(out->count, box.count, sizeof out->count);
    for (int d = 0; d < box.rank; d++)
        out->shape[d] = nci_axis_size(&layer->grid.axis[d]);
}

static nci_box box_of(const ncg_chunk *chunk)
{
    nci_box box = {.rank = chunk->rank};
    memcpy(box.start, chunk->start, sizeof box.start);
    memcpy(box.count, chunk->count, sizeof box.count);
    return box;
}

static bool same_box(const nci_box *a, const nci_box *b)
{
    for (int d = 0; d < a->rank; d++)
        if (a->start[d] != b->start[d] || a->count[d] != b->count[d])
            return false;
    return true;
}

static void call_fini(call *c)
{
    for (int i = 0; c->gathered && i < c->layer->block.nargs; i++)
        nci_free(c->gathered[i]);
    nci_free(c->gathered);
    nci_free(c->inputs);
}

static ncg_status call_init(call *c, const nci_layer *layer, int64_t chunk,
                            nci_kernel_table *kernels, int threads,
                            ncg_error *err)
{
    const nci_block_work *work = &layer->block;
    size_t n = (size_t)work->nargs + 1;
    *c = (call){.layer = layer};
    c->kernel = nci_kernel_find(kernels, work->kernel);
    c->gathers = c->kernel && c->kernel->gathers;
    c->inputs = nci_calloc(n, sizeof *c->inputs);
    c->gathered = nci_calloc(n, sizeof *c->gathered);
    if (!c->inputs || !c->gathered)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    nci_grid_index(&layer->grid, chunk, c->index);
    for (int i = 0; i < work->nargs; i++)
        describe_input(&work->args[i], c->index, &c->inputs[i]);
    describe_output(layer, chunk, &c->output);
    c->it = (ncg_kernel_call){.struct_size = sizeof c->it,
                              .inputs = c->inputs,
                              .ninputs = (size_t)work->nargs,
                              .output = &c->output,
                              .index = c->index,
                              .threads = threads};
    if (work->params) {
        c->it.params = nci_buf_data(work->params);
        c->it.nparams = nci_buf_size(work->params);
    }
    if (c->kernel)
        c->it.payload = c->kernel->payload;
    return NCG_OK;
}

static void gather(const nci_layer *from, const nci_box *box,
                   const nci_dep *deps, int64_t ndeps, size_t size,
                   uint8_t *to)
{
    for (int64_t k = 0; k < ndeps; k++) {
        nci_box piece = nci_grid_box(&from->array, deps[k].task - from->base);
        nci_copy_box(to, box, nci_buf_data(deps[k].buf), &piece, size);
    }
}

/* Takes input i from the deps, which are those of input i. */
static ncg_status take_input(call *c, const nci_layer *from, int i,
                             const nci_dep *deps, int64_t ndeps, ncg_error *err)
{
    ncg_chunk *chunk = &c->inputs[i];
    size_t size = ncg_dtype_size(chunk->dtype);
    nci_box box = box_of(chunk);
    if (nci_box_is_empty(&box))
        return NCG_OK;
    if (c->gathers) {
        gather(from, &box, deps, ndeps, size, c->output.data);
        chunk->data = c->output.data;
        return NCG_OK;
    }
    if (ndeps == 1) {
        nci_box whole = nci_grid_box(&from->array, deps[0].task - from->base);
        if (same_box(&whole, &box)) {
            chunk->data = nci_buf_data(deps[0].buf);
            return NCG_OK;
        }
    }
    c->gathered[i] = nci_alloc_aligned((size_t)nci_box_size(&box) * size);
    if (!c->gathered[i])
        return nci_fail(err, NCG_ENOMEM, "out of memory (%s)", c->layer->name);
    gather(from, &box, deps, ndeps, size, c->gathered[i]);
    chunk->data = c->gathered[i];
    return NCG_OK;
}

static ncg_status take_inputs(call *c, const nci_plan *plan,
                              const nci_dep *deps, int64_t ndeps,
                              ncg_error *err)
{
    int64_t at = 0;
    for (int i = 0; i < c->layer->block.nargs; i++) {
        int64_t first = at;
        while (at < ndeps && deps[at].input == i)
            at++;
        NCI_TRY(take_input(c, input_layer(plan, c->layer, i), i, deps + first,
                           at - first, err));
    }
    return NCG_OK;
}

static ncg_status run_kernel(call *c, ncg_error *err)
{
    const nci_kernel *kernel = c->kernel;
    if (!kernel)
        return nci_fail(err, NCG_ENOTFOUND,
                        "%s: kernel %s is not known here: register it with "
                        "ncg_kernel_register",
                        c->layer->name, c->layer->block.kernel);
    ncg_error own;
    nci_error_clear(&own);
    ncg_status st = kernel->run(&c->it, &own);
    if (!st)
        return NCG_OK;
    return nci_fail(err, st, "%s: kernel %s failed: %s", c->layer->name,
                    kernel->name,
                    own.message[0] ? own.message : ncg_status_text(st));
}

/* The chunk of an input that is the output as it lies: its own, where nobody
 * else wants it, or a view of it; *out stays NULL where there is none. */
static ncg_status pass_on(const call *c, const nci_plan *plan,
                          const nci_dep *deps, int64_t ndeps, nci_buf **out,
                          ncg_error *err)
{
    if (!c->kernel || !c->kernel->passes || ndeps != 1)
        return NCG_OK;
    const nci_layer *from = input_layer(plan, c->layer, deps[0].input);
    nci_box box = box_of(&c->inputs[deps[0].input]);
    nci_box whole = nci_grid_box(&from->array, deps[0].task - from->base);
    if (!same_box(&whole, &box))
        return NCG_OK;
    if (from->nusers == 1) {
        *out = nci_buf_retain((nci_buf *)deps[0].buf);
        return NCG_OK;
    }
    return nci_buf_view(deps[0].buf, nci_buf_data(deps[0].buf),
                        nci_buf_size(deps[0].buf), out, err);
}

ncg_status nci_run_block(const nci_task_env *env, const nci_layer *layer,
                         int64_t chunk, const nci_dep *deps, int64_t ndeps,
                         nci_buf **out, ncg_error *err)
{
    call c;
    nci_buf *buf = NULL;
    int64_t nbytes = nci_plan_bytes(env->plan, layer->base + chunk);
    ncg_status st =
        call_init(&c, layer, chunk, env->kernels, env->threads, err);
    if (!st)
        st = pass_on(&c, env->plan, deps, ndeps, out, err);
    if (st || *out)
        goto done;
    st = nci_buf_create((size_t)nbytes, &buf, err);
    if (!st) {
        c.output.data = nci_buf_data(buf);
        st = take_inputs(&c, env->plan, deps, ndeps, err);
    }
    if (!st)
        st = run_kernel(&c, err);
    if (st)
        nci_buf_release(&buf);
    else
        *out = buf;
done:
    call_fini(&c);
    return st;
}

/* Whether input i is one whole chunk, so that nothing is gathered. */
static bool is_one_chunk(const call *c, const nci_layer *from, int i)
{
    nci_box box = box_of(&c->inputs[i]);
    int64_t index[NCG_MAX_RANK];
    for (int a = 0; a < box.rank; a++)
        index[a] = nci_axis_find(&from->array.axis[a], box.start[a]);
    nci_box whole =
        nci_grid_box(&from->array, nci_grid_number(&from->array, index));
    return same_box(&whole, &box);
}

int64_t nci_block_scratch(const nci_plan *plan, nci_kernel_table *kernels,
                          const nci_layer *layer, int64_t chunk, int threads)
{
    call c;
    int64_t bytes = 0;
    if (call_init(&c, layer, chunk, kernels, threads, NULL)) {
        call_fini(&c);
        return 0; /* no memory for a few numbers: the task itself will fail */
    }
    for (int i = 0; !c.gathers && i < layer->block.nargs; i++) {
        nci_box box = box_of(&c.inputs[i]);
        if (!nci_box_is_empty(&box) &&
            !is_one_chunk(&c, input_layer(plan, layer, i), i))
            bytes += nci_box_size(&box) *
                     (int64_t)ncg_dtype_size(c.inputs[i].dtype);
    }
    if (c.kernel && c.kernel->scratch)
        bytes += c.kernel->scratch(&c.it);
    call_fini(&c);
    return bytes;
}

int nci_block_threads(const nci_layer *layer, int64_t chunk, int available)
{
    const nci_kernel *kernel = nci_kernel_find(NULL, layer->block.kernel);
    int threads = 1;
    call c;
    if (!kernel || !kernel->threads)
        return 1;
    if (!call_init(&c, layer, chunk, NULL, available, NULL))
        threads = kernel->threads(&c.it, available);
    call_fini(&c);
    return threads < 1 ? 1 : threads < available ? threads : available;
}
