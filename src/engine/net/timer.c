/* SPDX-License-Identifier: BSD-3-Clause */
/* Timers of the driver, on the control loop. They are begun and ended by jobs,
 * so that any thread may ask for it. */
#include "base/mem.h"
#include "engine/net/net_internal.h"

struct nci_net_timer {
    uv_timer_t uv;
    nci_net *net;
    uint64_t ms;
    bool repeat;
    void (*fn)(void *ctx);
    void *ctx;
    nci_loop_job begin, end;
};

static void on_time(uv_timer_t *uv)
{
    nci_net_timer *timer = uv->data;
    timer->fn(timer->ctx);
}

static void begin(void *ctx)
{
    nci_net_timer *timer = ctx;
    uv_timer_init(&timer->net->control.loop.uv, &timer->uv);
    timer->uv.data = timer;
    uv_timer_start(&timer->uv, on_time, timer->ms,
                   timer->repeat ? timer->ms : 0);
}

static void free_timer(uv_handle_t *handle)
{
    nci_free(handle->data);
}

static void end(void *ctx)
{
    nci_net_timer *timer = ctx;
    uv_close((uv_handle_t *)&timer->uv, free_timer);
}

ncg_status nci_net_timer_start(nci_net *net, int64_t ms, bool repeat,
                               void (*fn)(void *ctx), void *ctx,
                               nci_net_timer **out, ncg_error *err)
{
    nci_net_timer *timer = nci_calloc(1, sizeof *timer);
    if (!timer)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    timer->net = net;
    timer->ms = ms > 0 ? (uint64_t)ms : 0;
    timer->repeat = repeat;
    timer->fn = fn;
    timer->ctx = ctx;
    timer->begin = (nci_loop_job){.fn = begin, .ctx = timer};
    timer->end = (nci_loop_job){.fn = end, .ctx = timer};
    *out = timer; /* before fn is called */
    nci_loop_post_job(&net->control.loop, &timer->begin);
    return NCG_OK;
}

void nci_net_timer_stop(nci_net_timer **slot)
{
    nci_net_timer *timer = *slot;
    *slot = NULL;
    if (!timer)
        return;
    if (nci_loop_is_mine(&timer->net->control.loop) && timer->uv.data) {
        uv_timer_stop(&timer->uv);
        end(timer);
    } else {
        nci_loop_post_job(&timer->net->control.loop, &timer->end);
    }
}
