/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_KERNEL_TEAM_H
#define NCI_ENGINE_KERNEL_TEAM_H
/*
 * The end of a thread's OpenMP team. libgomp keeps the threads of a finished
 * region and lets them spin for some milliseconds, on cores that the scheduler
 * has given to others by then. The wait policy is no remedy for a library:
 * libgomp reads its environment when it is loaded, before any code of ours.
 */

/* nci_team_end ends the calling thread's idle team after a task that ran on
 * `threads` cores; nothing to do for one. */
void nci_team_end(int threads);

#endif
