/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_PREDICT_H
#define NCI_ENGINE_PREDICT_H
/* What a plan will take, before it runs. */
#include "engine/executor.h"

typedef struct nci_prediction {
    int64_t least; /* managed bytes of the largest task with its inputs: the
                      least limit, with all else spilled */
    bool spills;   /* chunks will go to disk */
    int64_t peak;  /* managed bytes with the executor's threads and limit, at
                      most; `kept` is not in it */
    int64_t kept;  /* bytes for decoded tiles that later passes read again */
    int64_t want;  /* bytes that would keep all of these */
} nci_prediction;

/* nci_predict replays the plan in order; no task runs. */
ncg_status nci_predict(const nci_executor *executor, const nci_plan *plan,
                       const nci_source_table *sources, nci_prediction *out,
                       ncg_error *err);

#endif
