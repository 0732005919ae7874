/* SPDX-License-Identifier: BSD-3-Clause */
/* One thing that a thread was told to do: a task, a put, a transfer to the disk
 * or back. Without the run's lock. */
#include "engine/run_internal.h"

static ncg_status put_chunk(nci_local_run *r, const nci_local_item *item,
                            ncg_error *err)
{
    const nci_layer *layer = nci_plan_layer(r->plan, item->action.task);
    int64_t index[NCG_MAX_RANK] = {0};
    nci_grid_index(&layer->grid, item->action.task - layer->base, index);
    return r->sink->put(r->sink->ctx, layer->store.output, index, item->chunk,
                        err);
}

static ncg_status run_task(nci_local_run *r, nci_lane *lane,
                           nci_local_item *item, ncg_error *err)
{
    const nci_lane_inputs inputs = {
        item->ndeps ? lane->deps + item->first_dep : NULL, item->ndeps};
    if (item->lacks_memory)
        return nci_fail(err, NCG_ENOMEM, "out of memory (inputs of a task)");
    if (atomic_load_explicit(&r->stopping, memory_order_relaxed))
        return nci_fail(err, NCG_ECANCELED, "canceled");
    return nci_lane_run_task(&r->tasks, lane, &inputs, item->action.task,
                             item->action.threads, &item->out, err);
}

static ncg_status work_off(nci_local_run *r, nci_lane *lane,
                           nci_local_item *item, ncg_error *err)
{
    switch (item->action.kind) {
    case NCI_ACTION_PUT:
        item->event.kind = NCI_EVENT_PUT_DONE;
        return put_chunk(r, item, err);
    case NCI_ACTION_SPILL:
        item->event.kind = NCI_EVENT_SPILLED;
        return nci_spill_file_write(r->spill, item->chunk, &item->copy, err);
    case NCI_ACTION_LOAD:
        item->event.kind = NCI_EVENT_LOADED;
        return nci_spill_file_read(r->spill, item->copy, &item->out, err);
    default:
        item->event.kind = NCI_EVENT_TASK_DONE;
        return run_task(r, lane, item, err);
    }
}

void nci_local_set_failed(nci_event *event, ncg_status status)
{
    bool is_task =
        event->kind == NCI_EVENT_TASK_DONE || event->kind == NCI_EVENT_PUT_DONE;
    event->kind = is_task ? NCI_EVENT_TASK_FAILED : NCI_EVENT_SPILL_FAILED;
    event->status = status;
}

ncg_status nci_local_execute(nci_local_run *r, nci_lane *lane,
                             nci_local_item *item, ncg_error *err)
{
    item->event =
        (nci_event){.task = item->action.task, .attempt = item->action.attempt};
    nci_error_clear(err);
    ncg_status st = work_off(r, lane, item, err);
    if (st) {
        nci_local_set_failed(&item->event, st);
        nci_buf_release(&item->out);
    }
    item->event.bytes = (int64_t)nci_buf_size(item->out);
    nci_buf_release(&item->chunk);
    return st;
}
