/* SPDX-License-Identifier: BSD-3-Clause */
#include "api/turn.h"

#include "engine/pool.h"

static _Thread_local const nci_turn *innermost;

bool nci_turn_is_inside(const ncg_context *ctx)
{
    for (const nci_turn *turn = innermost; turn; turn = turn->outer)
        if (turn->ctx == ctx)
            return true;
    return nci_pool_is_own(ctx->crew);
}

ncg_status nci_turn_begin(ncg_context *ctx, nci_turn *turn, ncg_error *err)
{
    if (nci_turn_is_inside(ctx))
        return nci_fail(err, NCG_EINVAL,
                        "a function that a computation calls cannot compute in "
                        "the same context, which it would wait for: make what "
                        "it needs an input, or use another context");
    pthread_mutex_lock(&ctx->run);
    *turn = (nci_turn){ctx, innermost};
    innermost = turn;
    return NCG_OK;
}

void nci_turn_end(nci_turn *turn)
{
    innermost = turn->outer;
    pthread_mutex_unlock(&turn->ctx->run);
}
