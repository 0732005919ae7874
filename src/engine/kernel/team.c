/* SPDX-License-Identifier: BSD-3-Clause */
/* Teams are per calling thread in libgomp: ending one leaves the others. */
#include "engine/kernel/team.h"

#ifdef _OPENMP
#include <omp.h>
#endif

void nci_team_end(int threads)
{
#if defined(_OPENMP) && _OPENMP >= 201511
    if (threads > 1)
        omp_pause_resource(omp_pause_soft, omp_get_initial_device());
#else
    (void)threads;
#endif
}
