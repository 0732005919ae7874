/* SPDX-License-Identifier: BSD-3-Clause */
/* Which sums are taken over packed integers, and what becomes of them. */
#include "engine/kernel/packed.h"

#include <math.h>

#include "base/dtype.h"

/* So many squares of 16 bits are 2^52 at most, so many values themselves as
 * well: whole in a double. */
static const int64_t MOST_SQUARES = 1 << 20, MOST_VALUES = INT64_C(1) << 36;
/* So many times such a sum of squares still is. */
enum { MOST_EXACT = 1 << 10 };

static bool has_squares(ncg_op op)
{
    return op == NCG_OP_STD || op == NCG_OP_VAR;
}

static bool is_for_packed(const nci_fused *f)
{
    if (!f->folds || f->noperands != 1 || f->nsteps || f->result != 0 ||
        f->operands[0].kind != NCI_OPERAND_SOURCE || f->fold.is_weighted ||
        f->fold.is_wide)
        return false;
    return f->fold.op == NCG_OP_SUM || f->fold.op == NCG_OP_MEAN ||
           has_squares(f->fold.op);
}

static bool packing_of(const nci_decode *decode, nci_packing *out)
{
    out->scale = decode->has_scale ? decode->scale : 1;
    out->offset = decode->has_scale ? decode->offset : 0;
    return nci_dtype_is_integer(decode->raw) &&
           ncg_dtype_size(decode->raw) <= 2 && isfinite(out->scale) &&
           isfinite(out->offset);
}

bool nci_packing_of(const nci_source_spec *spec, const nci_fused *fused,
                    int64_t first, int64_t count, int64_t most,
                    nci_packing *out)
{
    nci_packing found, other;
    bool is_known = false;
    if (!is_for_packed(fused) ||
        most > (has_squares(fused->fold.op) ? MOST_SQUARES : MOST_VALUES))
        return false;
    bool is_joined = spec->join_axis >= 0;
    for (size_t i = is_joined ? nci_source_spec_find(spec, first) : 0;
         i < spec->nsegments; i++) {
        const nci_segment *s = &spec->segments[i];
        if (is_joined && s->start >= first + count)
            break;
        if (s->var < 0)
            continue;
        if (!packing_of(&s->decode, &other))
            return false;
        if (is_known &&
            (other.scale != found.scale || other.offset != found.offset))
            return false;
        found = other;
        is_known = true;
    }
    if (is_known)
        *out = found;
    return is_known;
}

/* n q - s^2 of whole numbers: 128 bits hold what doubles would round. */
static double exact_rest(double count, double s, double q)
{
    __extension__ typedef unsigned __int128 wide;
    uint64_t sum = (uint64_t)fabs(s);
    wide all = (wide)(uint64_t)count * (uint64_t)q;
    return (double)(all - (wide)sum * sum);
}

static void finish_cell(nci_acc *acc, int64_t c, double count)
{
    double *s = acc->value[0] + c;
    if (!acc->k) {
        *s = *s * acc->packing.scale + acc->packing.offset * count;
        return;
    }
    double *q = acc->value[1] + c, size = count > 0 ? count : 1;
    double rest = exact_rest(count, *s, *q) / size;
    *s = *s / size * acc->packing.scale + acc->packing.offset;
    *q = rest * acc->packing.scale * acc->packing.scale;
}

/* The same bits by either way, where both may be taken. */
static bool finishes_at_once(const nci_acc *acc, int64_t cell, int64_t n)
{
    int32_t most = 0;
    if (!acc->missed32)
        return false;
    for (int64_t c = cell; acc->k && c < cell + n; c++)
        most = acc->missed32[c] > most ? acc->missed32[c] : most;
    return most <= MOST_EXACT;
}

void nci_packed_finish(nci_acc *acc, int64_t cell, int64_t n)
{
    double scale = acc->packing.scale, offset = acc->packing.offset;
    double *s = acc->value[0] + cell;
    if (!finishes_at_once(acc, cell, n))
        for (int64_t c = cell; c < cell + n; c++)
            finish_cell(acc, c,
                        acc->missed64 ? (double)acc->missed64[c]
                                      : (double)acc->missed32[c]);
    else if (acc->k)
        acc->isa->unpack_deviations(acc->missed32 + cell, scale, offset, s,
                                    acc->value[1] + cell, n);
    else
        acc->isa->unpack_sums(acc->missed32 + cell, scale, offset, s, n);
}
