/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_LAUNCH_MACHINE_H
#define NCI_ENGINE_LAUNCH_MACHINE_H
/* What this process may use of its machine. */
#include "base/error.h"

/* nci_machine_threads counts the CPUs of the process's set. */
int nci_machine_threads(void);
/* nci_machine_memory: bytes that the machine has, or the process's control
 * group (of either version, or one above it) allows. */
int64_t nci_machine_memory(void);
/* nci_machine_cgroup_limit reads the least limit among the control group that
 * `groups` (the text of /proc/self/cgroup) names below `root`, and those above
 * it; 0: none. */
int64_t nci_machine_cgroup_limit(const char *root, const char *groups);

#endif
