/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_DATASET_UNITS_H
#define NCI_DATASET_UNITS_H
/*
 * Physical units, by UDUNITS-2 (the only place that calls it). The library has
 * no threads of its own: one mutex guards all calls. Its unit system is loaded
 * at first use, which costs some milliseconds: compare texts first.
 */
#include "base/error.h"

/* nci_units_equal tells whether two texts name the same unit ("K" and
 * "kelvin"); unknown units are equal when the texts are. NULL is no unit. */
bool nci_units_equal(const char *a, const char *b);
/* nci_units_convertible tells whether values of one can be turned into the
 * other ("K" and "degC"); false where one is unknown. */
bool nci_units_convertible(const char *a, const char *b);
/* nci_units_seconds gives the length of a unit of time; false where `text` is
 * not one. */
bool nci_units_seconds(const char *text, double *seconds);
/* nci_units_release frees the unit system (at the end of tests). */
void nci_units_release(void);

#endif
