/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_API_SHIP_H
#define NCI_API_SHIP_H
/* Sources on their way to another process: variables of files go as paths and
 * what was found in them; the other side opens the files itself. */
#include "api/handles.h"
#include "graph/codec.h"

/* nci_ship_hooks gives the hooks of a context. Encoding is EUNSUPPORTED for
 * values that only this process has; decoding is EMISMATCH where a file is not
 * what it was. */
nci_codec_hooks nci_ship_hooks(ncg_context *ctx);

#endif
