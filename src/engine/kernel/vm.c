/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine/kernel/vm.h"

#include <math.h>
#include <string.h>

#include "base/dtype.h"

enum { REGISTER = NCI_BLOCK * 8 };

static size_t class_size(nci_class c)
{
    return c == NCI_CLASS_F32 ? 4 : 8;
}

static int step_inputs(const nci_step *step)
{
    return nci_map_op_ninputs(step->op);
}

static bool reads(const nci_step *step, int reg)
{
    int n = step_inputs(step);
    return step->a == reg || (n > 1 && step->b == reg) ||
           (n > 2 && step->c == reg);
}

/* The last step that reads the result of step s; nsteps: the caller does. */
static int last_use(const nci_fused *f, int s)
{
    int last = s, reg = f->noperands + s;
    if (reg == f->result || reg == f->weight)
        return f->nsteps;
    for (int t = s + 1; t < f->nsteps; t++)
        if (reads(&f->steps[t], reg))
            last = t;
    return last;
}

static bool is_wanted(const nci_fused *f, int reg)
{
    bool wanted = reg == f->result || reg == f->weight;
    for (int s = 0; s < f->nsteps && !wanted; s++)
        wanted = reads(&f->steps[s], reg);
    return wanted;
}

static void place_results(nci_vm *vm)
{
    const nci_fused *f = vm->fused;
    int busy_until[NCI_MAX_STEPS], nplaces = 0;
    for (int s = 0; s < f->nsteps; s++) {
        int p = 0;
        while (p < nplaces && busy_until[p] >= s)
            p++;
        if (p == nplaces)
            nplaces++;
        busy_until[p] = last_use(f, s);
        vm->place[s] = f->noperands + p;
    }
}

static bool has_one_value(const nci_walk *walk)
{
    for (int d = 0; d < walk->rank; d++)
        if (walk->axis[d].count > 1 &&
            (walk->axis[d].table || walk->axis[d].stride))
            return false;
    return true;
}

void nci_vm_open(nci_vm *vm, const nci_fused *fused, const nci_isa *isa,
                 const nci_walk *walks, uint8_t *registers, uint8_t *raw)
{
    *vm = (nci_vm){.fused = fused,
                   .isa = isa,
                   .map = nci_isa_map_of(isa),
                   .registers = registers,
                   .raw = raw};
    place_results(vm);
    for (int k = 0; k < fused->noperands; k++) {
        vm->is_read[k] = is_wanted(fused, k);
        vm->is_one[k] = has_one_value(&walks[k]);
    }
}

nci_class nci_vm_class(const nci_fused *fused)
{
    return fused->result < fused->noperands
               ? fused->operands[fused->result].load
               : nci_step_class(
                     &fused->steps[fused->result - fused->noperands]);
}

/* ---- operands ------------------------------------------------------------ */

static bool is_aligned(const void *p, size_t size)
{
    return (uintptr_t)p % size == 0;
}

static const void *load_f64(nci_vm *vm, const nci_view *view, nci_walk *walk,
                            int64_t n, void *raw, void *out)
{
    const void *at;
    if (!nci_view_is_plain(view)) {
        nci_view_load(view, vm->isa, walk, n, raw, out, &at);
        return out;
    }
    at = nci_view_raw(view, vm->isa, walk, n, out);
    if (at == out || is_aligned(at, 8))
        return at;
    memcpy(out, at, (size_t)n * 8);
    return out;
}

/* Floats of a file are tested as they are, and decoded only where one is
 * missing. */
static const void *load_f32(nci_vm *vm, const nci_view *view, nci_walk *walk,
                            int64_t n, void *raw, void *out)
{
    const nci_mask *mask = &view->mask;
    const void *at;
    if (view->all_missing || mask->raw != NCG_DTYPE_F32 || mask->has_scale) {
        double x[NCI_BLOCK];
        nci_view_load(view, vm->isa, walk, n, raw, x, &at);
        vm->isa->to_f32(x, n, out);
        return out;
    }
    at = nci_view_raw(view, vm->isa, walk, n, raw);
    bool tests = mask->nmissing || mask->has_range;
    if (tests && vm->isa->any_missing_f32(at, n, mask)) {
        double x[NCI_BLOCK];
        vm->isa->decode[NCG_DTYPE_F32](at, n, mask, x);
        vm->isa->to_f32(x, n, out);
        nci_view_met(view, at, n);
        return out;
    }
    if (is_aligned(at, 4))
        return at;
    memcpy(out, at, (size_t)n * 4);
    return out;
}

static const void *load_integer(nci_vm *vm, const nci_view *view,
                                nci_walk *walk, ncg_dtype dtype, int64_t n,
                                void *raw, void *out)
{
    if (view->all_missing) {
        memset(out, 0, (size_t)n * 8);
        return out;
    }
    const void *at = nci_view_raw(view, vm->isa, walk, n, raw);
    if (nci_dtype_is_wide(dtype) && is_aligned(at, 8))
        return at;
    vm->map->load[dtype](at, n, out);
    return out;
}

static const void *load(nci_vm *vm, int k, const nci_view *view, nci_walk *walk,
                        int64_t n)
{
    const nci_access *access = &vm->fused->operands[k];
    uint8_t *raw = vm->raw + k * REGISTER, *out = vm->registers + k * REGISTER;
    switch (access->load) {
    case NCI_CLASS_F64:
        return load_f64(vm, view, walk, n, raw, out);
    case NCI_CLASS_F32:
        return load_f32(vm, view, walk, n, raw, out);
    default: /* a file's raw values may have another dtype than the array */
        return load_integer(vm, view, walk,
                            access->dtype == NCG_DTYPE_BOOL ? NCG_DTYPE_BOOL
                                                            : view->mask.raw,
                            n, raw, out);
    }
}

static void fill_one(const void *value, size_t size, uint8_t *out)
{
    for (int i = 0; i < NCI_BLOCK; i++)
        memcpy(out + (size_t)i * size, value, size);
}

/* A block full of the operand's only value. */
static const void *load_one(nci_vm *vm, int k, const nci_view *view,
                            nci_walk *walk)
{
    uint8_t value[8];
    size_t size = class_size(vm->fused->operands[k].load);
    if (!vm->one[k]) {
        uint8_t *out = vm->registers + k * REGISTER;
        memcpy(value, load(vm, k, view, walk, 1), size);
        fill_one(value, size, out);
        vm->one[k] = out;
    }
    return vm->one[k];
}

/* ---- steps --------------------------------------------------------------- */

/* Limits are the largest doubles inside the type's range; those of 64 bits lie
 * just outside it, and are clamped again when they are stored. */
static void clamp(const nci_vm *vm, const double *x, int64_t n, ncg_dtype dtype,
                  double *out)
{
    int bits = 8 * (int)ncg_dtype_size(dtype);
    bool is_signed = nci_dtype_is_signed(dtype);
    double low = is_signed ? -ldexp(1, bits - 1) : 0;
    double high = ldexp(1, bits - is_signed) - (bits < 64 ? 1 : 0);
    vm->map->clamp(x, n, low, high, out);
}

static void wrap(const nci_vm *vm, ncg_dtype dtype, int64_t n, void *x)
{
    if (vm->map->wrap[dtype])
        vm->map->wrap[dtype](x, n);
}

static void run_cast(const nci_vm *vm, const nci_step *step, const void *a,
                     int64_t n, void *out)
{
    nci_class to = nci_step_class(step);
    bool is_float = step->on == NCI_CLASS_F64 || step->on == NCI_CLASS_F32;
    nci_map_fn cast = vm->map->cast[step->on][to];
    if (step->dtype == NCG_DTYPE_BOOL) {
        vm->map->truth[step->on](a, NULL, NULL, n, out);
    } else if (cast) {
        cast(a, NULL, NULL, n, out);
    } else if (is_float && !nci_dtype_is_float(step->dtype)) {
        clamp(vm, a, n, step->dtype, out);
    } else {
        memcpy(out, a, (size_t)n * class_size(to));
        if (!is_float)
            wrap(vm, step->dtype, n, out);
    }
}

/* Truth values made from others need no wrapping. */
static bool leaves_range(const nci_step *step)
{
    return nci_map_op_rule(step->op) != NCI_RULE_TRUTH &&
           step->op != NCI_MAP_WHERE && !nci_dtype_is_float(step->dtype);
}

static void run_step(const nci_vm *vm, const nci_step *step,
                     const void *const *value, int64_t n, void *out)
{
    int ninputs = step_inputs(step);
    const void *a = value[step->a];
    const void *b = ninputs > 1 ? value[step->b] : NULL;
    const void *c = ninputs > 2 ? value[step->c] : NULL;
    if (step->op == NCI_MAP_CAST) {
        run_cast(vm, step, a, n, out);
        return;
    }
    if (step->op == NCI_MAP_INVERT && step->dtype == NCG_DTYPE_BOOL) {
        vm->map->not_truth(a, NULL, NULL, n, out);
        return;
    }
    nci_map_fn fn = vm->map->row[step->on][step->op];
    if (!fn)
        fn = nci_map_scalar[step->on][step->op];
    fn(a, b, c, n, out);
    if (leaves_range(step))
        wrap(vm, step->dtype, n, out);
}

/* Values of all operands that are read and of the first `nsteps` steps; the
 * result at `into` unless that is NULL. */
static void run_steps(nci_vm *vm, const nci_view *views, nci_walk *walks,
                      int64_t n, int nsteps, void *into, const void **value)
{
    const nci_fused *f = vm->fused;
    for (int k = 0; k < f->noperands; k++)
        value[k] = !vm->is_read[k] ? NULL
                   : vm->is_one[k] ? load_one(vm, k, &views[k], &walks[k])
                                   : load(vm, k, &views[k], &walks[k], n);
    for (int s = 0; s < nsteps; s++) {
        int reg = f->noperands + s;
        void *out = into && reg == f->result
                        ? into
                        : vm->registers + vm->place[s] * REGISTER;
        run_step(vm, &f->steps[s], value, n, out);
        value[reg] = out;
    }
}

const void *nci_vm_block(nci_vm *vm, const nci_view *views, nci_walk *walks,
                         int64_t n, void *into, const double **weight)
{
    const nci_fused *f = vm->fused;
    const void *value[NCI_MAX_OPERANDS + NCI_MAX_STEPS];
    run_steps(vm, views, walks, n, f->nsteps, into, value);
    if (weight)
        *weight = f->weight >= 0 ? value[f->weight] : NULL;
    return value[f->result];
}

const nci_step *nci_vm_last(const nci_fused *f)
{
    bool is_last = f->nsteps && f->result == f->noperands + f->nsteps - 1;
    return is_last && f->weight < 0 ? &f->steps[f->nsteps - 1] : NULL;
}

nci_vm_pair nci_vm_inputs(nci_vm *vm, const nci_view *views, nci_walk *walks,
                          int64_t n)
{
    const nci_step *last = nci_vm_last(vm->fused);
    const void *value[NCI_MAX_OPERANDS + NCI_MAX_STEPS];
    run_steps(vm, views, walks, n, vm->fused->nsteps - 1, NULL, value);
    return (nci_vm_pair){value[last->a],
                         step_inputs(last) > 1 ? value[last->b] : NULL};
}

const void *nci_vm_finish(nci_vm *vm, const nci_vm_pair *inputs, int64_t n)
{
    const nci_fused *f = vm->fused;
    const nci_step *last = nci_vm_last(f);
    const void *value[NCI_MAX_OPERANDS + NCI_MAX_STEPS] = {NULL};
    void *out = vm->registers + vm->place[f->nsteps - 1] * REGISTER;
    value[last->a] = inputs->a;
    if (inputs->b)
        value[last->b] = inputs->b;
    run_step(vm, last, value, n, out);
    return out;
}

/* ---- results ------------------------------------------------------------- */

static ncg_dtype dtype_of_result(const nci_fused *f)
{
    return f->result < f->noperands ? f->operands[f->result].dtype
                                    : f->steps[f->result - f->noperands].dtype;
}

bool nci_vm_is_small(const nci_fused *fused)
{
    ncg_dtype dtype = dtype_of_result(fused);
    return nci_dtype_is_integer(dtype) && !nci_dtype_is_wide(dtype);
}

const double *nci_vm_doubles(const nci_vm *vm, const void *result, int64_t n,
                             double *temp, bool *any_missing)
{
    nci_mask mask;
    nci_class c = nci_vm_class(vm->fused);
    *any_missing = false;
    switch (c) {
    case NCI_CLASS_F64:
        *any_missing = vm->isa->any_nan(result, n);
        return result;
    case NCI_CLASS_F32:
        nci_mask_plain(NCG_DTYPE_F32, NULL, &mask);
        *any_missing = vm->isa->decode[NCG_DTYPE_F32](result, n, &mask, temp);
        return temp;
    default:
        if (nci_dtype_is_wide(dtype_of_result(vm->fused)))
            vm->map->cast[c][NCI_CLASS_F64](result, NULL, NULL, n, temp);
        else
            vm->map->small_to_f64(result, n, temp);
        return temp;
    }
}

bool nci_vm_stores_as_is(const nci_fused *fused)
{
    nci_class c = nci_vm_class(fused);
    return nci_class_of(fused->out) == c &&
           class_size(c) == ncg_dtype_size(fused->out);
}

static void put(const nci_vm *vm, const uint8_t *x, int64_t n, uint8_t *out,
                double *temp)
{
    const nci_fused *f = vm->fused;
    nci_class c = nci_vm_class(f);
    if (nci_vm_stores_as_is(f)) {
        memmove(out, x, (size_t)n * class_size(c));
        return;
    }
    if (c == NCI_CLASS_I64 || c == NCI_CLASS_U64) {
        vm->map->save[f->out]((const int64_t *)(const void *)x, n, out);
        return;
    }
    bool any;
    const double *d = nci_vm_doubles(vm, x, n, temp, &any);
    nci_encode(
        vm->isa, d, n, f->out,
        f->has_missing && !nci_dtype_is_float(f->out) ? f->missing : NULL, out);
}

void nci_vm_store(const nci_vm *vm, const void *result, const nci_run *run,
                  uint8_t *data, double *temp)
{
    const uint8_t *x = result;
    size_t size = ncg_dtype_size(vm->fused->out);
    size_t from = class_size(nci_vm_class(vm->fused));
    if (!run->table && run->stride == 1) {
        put(vm, x, run->count, data + (size_t)run->offset * size, temp);
        return;
    }
    for (int64_t i = 0; i < run->count; i++)
        put(vm, x + (size_t)i * from, 1,
            data + (size_t)nci_run_at(run, i) * size, temp);
}
