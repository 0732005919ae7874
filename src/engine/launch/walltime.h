/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_ENGINE_LAUNCH_WALLTIME_H
#define NCI_ENGINE_LAUNCH_WALLTIME_H
/*
 * When the batch system will end the job that this process is part of. Slurm
 * says it in SLURM_JOB_END_TIME (since 23.02) or to who asks `scontrol`, PBS to
 * who asks `qstat`; other systems are told by --lifetime. Times of day are
 * turned into seconds from now at once, so that a clock that jumps later does
 * no harm.
 */
#include "base/error.h"

/* nci_walltime_left gives the seconds that are left, at least 0; false: no job of
 * a batch system that knows. It may ask a program, for 10 s at most. `look` is
 * getenv. */
bool nci_walltime_left(char *(*look)(const char *name), double *seconds);

/* What the programs print, at the time `now` (s since 1970). `scontrol -o show
 * job` has EndTime=; `qstat -f` has Resource_List.walltime, and when the job
 * began, without which it begins now. */
bool nci_walltime_slurm_left(const char *text, int64_t now, double *seconds);
bool nci_walltime_pbs_left(const char *text, int64_t now, double *seconds);

#endif
