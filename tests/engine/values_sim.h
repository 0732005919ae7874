/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCG_TESTS_ENGINE_VALUES_SIM_H
#define NCG_TESTS_ENGINE_VALUES_SIM_H
/* A simulated cluster for the machine of values. */
#include "engine/sched/values.h"

typedef struct values_sim values_sim;

/* values_sim_create: NULL without memory; nci_free. */
values_sim *values_sim_create(void);
/* values_sim_play plays what follows from the seed, with faults built into the
 * machine; NULL, or which promise was broken. */
const char *values_sim_play(values_sim *sim, uint64_t seed, unsigned faults);

#endif
