/* SPDX-License-Identifier: BSD-3-Clause */
/* What this process ran, for programs. */
#include "engine/task_log.h"

ncg_status ncg_task_log_start(size_t most, ncg_error *err)
{
    nci_error_clear(err);
    return nci_task_log_start(most, err);
}

size_t ncg_task_log(double since, ncg_task_note *out, size_t room)
{
    return nci_task_log_since(since, out, room);
}
