/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_SERIAL_H
#define NCI_ENGINE_SERIAL_H
/*
 * Running a plan task after task in the calling thread, in the plain order:
 * for debugging, and as the referee of everything that runs tasks otherwise.
 */
#include "engine/executor.h"

/* nci_serial_run is nci_executor_run without threads; the executor gives the
 * kernels and the memory limit. */
ncg_status nci_serial_run(nci_executor *executor, const nci_plan *plan,
                          const nci_source_table *sources,
                          const nci_sink *sink, const _Atomic bool *cancel,
                          void (*progress)(void *ctx, int64_t tasks_done,
                                           int64_t managed),
                          void *progress_ctx, nci_run_stats *stats,
                          ncg_error *err);
/* nci_serial_task runs one task and, before it, those that it needs; what it
 * leaves is dropped. */
ncg_status nci_serial_task(nci_executor *executor, const nci_plan *plan,
                           const nci_source_table *sources, int64_t task,
                           ncg_error *err);

#endif
