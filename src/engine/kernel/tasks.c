/* SPDX-License-Identifier: BSD-3-Clause */
/* Explicit tasks: the program's function gets the values of its inputs and
 * leaves one. Values travel as buffers. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "engine/kernel/registry.h"
#include "engine/kernel/task.h"

/* ---- running ----------------------------------------------------------------
 */

/* The inputs of most tasks fit in here. */
enum { FEW = 8 };

typedef struct call {
    ncg_value few_values[FEW];
    ncg_value *values;
    ncg_chunk *chunks;          /* NULL: no input is a chunk */
    const ncg_chunk **chunk_of; /* one an input */
    ncg_value output;
    ncg_task_fn fn;
    ncg_task_call it;
} call;

static void describe_chunk(const nci_layer *from, const nci_dep *dep,
                           ncg_chunk *out)
{
    nci_box box = nci_grid_box(&from->array, dep->task - from->base);
    *out = (ncg_chunk){.dtype = from->dtype,
                       .rank = box.rank,
                       .data = nci_buf_data(dep->buf),
                       .has_missing = from->block.has_missing};
    memcpy(out->missing, from->block.missing, sizeof out->missing);
    for (int d = 0; d < box.rank; d++) {
        out->start[d] = box.start[d];
        out->count[d] = box.count[d];
        out->shape[d] = nci_axis_size(&from->array.axis[d]);
    }
}

static void call_fini(call *c)
{
    if (c->values != c->few_values)
        nci_free(c->values);
    nci_free(c->chunks);
    nci_free(c->chunk_of);
}

static ncg_status call_init(call *c, const nci_plan *plan,
                            const nci_layer *layer, const nci_dep *deps,
                            int64_t ndeps, ncg_error *err)
{
    size_t n = (size_t)ndeps, nchunks = 0, at = 0;
    c->chunks = NULL;
    c->chunk_of = NULL;
    c->output = (ncg_value){0};
    c->values = n <= FEW ? c->few_values : nci_alloc(n * sizeof *c->values);
    for (size_t i = 0; i < n; i++)
        nchunks += deps[i].input != layer->tasks.self;
    if (nchunks) {
        c->chunks = nci_alloc(nchunks * sizeof *c->chunks);
        c->chunk_of = nci_calloc(n, sizeof *c->chunk_of);
    }
    if (!c->values || (nchunks && (!c->chunks || !c->chunk_of)))
        return nci_fail(err, NCG_ENOMEM, "out of memory (inputs of a task)");
    for (size_t i = 0; i < n; i++) {
        c->values[i] = (ncg_value){.data = nci_buf_data(deps[i].buf),
                                   .nbytes = nci_buf_size(deps[i].buf)};
        if (deps[i].input == layer->tasks.self)
            continue;
        describe_chunk(&plan->layers[layer->inputs[deps[i].input].layer],
                       &deps[i], &c->chunks[at]);
        c->chunk_of[i] = &c->chunks[at++];
    }
    return NCG_OK;
}

/* Which function it is, and with what it is called. */
static ncg_status find_function(const nci_task_env *env, const nci_tasks *tasks,
                                int64_t task, call *c, ncg_error *err)
{
    const nci_task_kind *kind = nci_tasks_kind(tasks, task);
    c->fn = kind->fn;
    c->it.payload = nci_tasks_payload(tasks, task);
    c->it.params = nci_tasks_params(tasks, task, &c->it.nparams);
    if (c->fn)
        return NCG_OK;
    const nci_kernel *found = nci_kernel_find_task(env->kernels, kind->name);
    if (!found)
        return nci_fail(err, NCG_ENOTFOUND,
                        "function %s is not registered in this process: call "
                        "ncg_task_register in every program of the cluster",
                        kind->name);
    c->fn = found->task;
    c->it.payload = found->payload;
    return NCG_OK;
}

/* The name of a task for messages. */
static const char *say(const nci_tasks *tasks, int64_t task, char out[64])
{
    const char *name = nci_tasks_name(tasks, task);
    if (name)
        snprintf(out, 64, "task \"%.50s\"", name);
    else
        snprintf(out, 64, "task %lld", (long long)task);
    return out;
}

static void drop(ncg_value *value)
{
    if (value->release)
        value->release(value->data, value->payload);
    *value = (ncg_value){0};
}

static ncg_status run_function(call *c, const nci_tasks *tasks, int64_t task,
                               ncg_error *err)
{
    const nci_task_kind *kind = nci_tasks_kind(tasks, task);
    char name[64];
    ncg_error own;
    own.message[0] = '\0';
    own.sys = 0;
    ncg_status st = c->fn(&c->it, &own);
    if (st) {
        drop(&c->output);
        return nci_fail_sys(err, st, own.sys, "%s failed: %s",
                            say(tasks, task, name),
                            own.message[0] ? own.message : ncg_status_text(st));
    }
    if (!kind->nbytes || c->output.nbytes <= (size_t)kind->nbytes)
        return NCG_OK;
    size_t nbytes = c->output.nbytes;
    drop(&c->output);
    return nci_fail(err, NCG_EKERNEL,
                    "%s left %zu bytes, ncg_tasks_sizes allows %lld",
                    say(tasks, task, name), nbytes, (long long)kind->nbytes);
}

ncg_status nci_run_explicit(const nci_task_env *env, const nci_layer *layer,
                            int64_t task, const nci_dep *deps, int64_t ndeps,
                            nci_buf **out, ncg_error *err)
{
    const nci_tasks *tasks = layer->tasks.tasks;
    call c;
    ncg_status st = call_init(&c, env->plan, layer, deps, ndeps, err);
    if (!st) {
        c.it = (ncg_task_call){.struct_size = sizeof c.it,
                               .inputs = c.values,
                               .ninputs = (size_t)ndeps,
                               .chunks = c.chunk_of,
                               .output = &c.output};
        st = find_function(env, tasks, task, &c, err);
    }
    if (!st)
        st = run_function(&c, tasks, task, err);
    if (!st) {
        st = nci_buf_wrap(c.output.data, c.output.nbytes, c.output.release,
                          c.output.payload, out, err);
        if (st)
            drop(&c.output);
    }
    call_fini(&c);
    return st;
}
