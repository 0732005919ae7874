/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Values of explicit tasks on their way out. In one process a storing task of
 * the plan collects references to them, so nothing is copied. Between processes
 * these go as bytes: how many, how long each one is, and they themselves.
 *
 *     OFFSET         SIZE   MEANING
 *     0              8      n, little-endian, as all numbers here
 *     8              8 n    bytes of each value
 *     8 + 8 n               the values, one after the other, each from the next
 *                           multiple of 16 on
 */
#include <string.h>

#include "base/mem.h"
#include "engine/kernel/kernel.h"
#include "engine/kernel/task.h"

static void release_values(void *memory, void *payload)
{
    nci_buf **values = memory;
    size_t n = *(const size_t *)payload;
    for (size_t i = 0; i < n; i++)
        nci_buf_release(&values[i]);
    nci_free(values);
}

/* Room for n references, of which none is there yet. One block: how many there
 * are lies behind them. */
static ncg_status make_list(size_t n, nci_buf **out, ncg_error *err)
{
    size_t nbytes = 0;
    if (!nci_mul_size(n + 1, sizeof(nci_buf *), &nbytes))
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    nci_buf **values = nci_alloc(nbytes - sizeof *values + sizeof(size_t));
    if (!values)
        return nci_fail(err, NCG_ENOMEM, "out of memory");
    size_t *count = (size_t *)(values + n);
    *count = 0;
    ncg_status st = nci_buf_wrap(values, n * sizeof *values, release_values,
                                 count, out, err);
    if (st)
        nci_free(values);
    return st;
}

static void add_value(nci_buf *list, nci_buf *value_take)
{
    nci_buf **values = nci_buf_data(list);
    size_t *count = (size_t *)(values + nci_buf_size(list) / sizeof *values);
    values[(*count)++] = value_take;
}

ncg_status nci_run_store_values(const nci_dep *deps, int64_t ndeps,
                                nci_buf **out, ncg_error *err)
{
    NCI_TRY(make_list((size_t)ndeps, out, err));
    for (int64_t i = 0; i < ndeps; i++)
        add_value(*out, nci_buf_retain((nci_buf *)deps[i].buf));
    return NCG_OK;
}

/* ---- as bytes ------------------------------------------------------------ */

enum { ALIGNMENT = 16 }; /* what programs expect of memory */

static void put_u64(uint8_t *to, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get_u64(const uint8_t *from)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value |= (uint64_t)from[i] << 8 * i;
    return value;
}

static size_t align(size_t at)
{
    return (at + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

ncg_status nci_values_pack(const nci_buf *list, nci_buf **out, ncg_error *err)
{
    nci_buf *const *values = nci_buf_data(list);
    size_t n = nci_buf_size(list) / sizeof *values, size = 8 + 8 * n, at = size;
    for (size_t i = 0; i < n; i++)
        size = align(size) + nci_buf_size(values[i]);
    NCI_TRY(nci_buf_create(size, out, err));
    uint8_t *bytes = nci_buf_data(*out);
    put_u64(bytes, n);
    for (size_t i = 0; i < n; i++) {
        size_t from = align(at), nbytes = nci_buf_size(values[i]);
        put_u64(bytes + 8 + 8 * i, nbytes);
        memset(bytes + at, 0, from - at);
        if (nbytes)
            memcpy(bytes + from, nci_buf_data(values[i]), nbytes);
        at = from + nbytes;
    }
    return NCG_OK;
}

/* True where the bytes hold n values, no more and no less. */
static bool is_good(const nci_buf *packed, uint64_t n)
{
    const uint8_t *bytes = nci_buf_data(packed);
    size_t size = nci_buf_size(packed);
    if (size < 8 || get_u64(bytes) != n || n > (size - 8) / 8)
        return false;
    size_t at = 8 + 8 * (size_t)n;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t nbytes = get_u64(bytes + 8 + 8 * i);
        at = align(at);
        if (at > size || nbytes > size - at)
            return false;
        at += nbytes;
    }
    return at == size;
}

ncg_status nci_values_unpack(nci_buf *packed, int64_t n, nci_buf **out,
                             ncg_error *err)
{
    const uint8_t *bytes = nci_buf_data(packed);
    nci_buf *list = NULL;
    size_t at = 8 + 8 * (size_t)n;
    if (n < 0 || !is_good(packed, (uint64_t)n))
        return nci_fail(err, NCG_ENET, "values of tasks came damaged");
    NCI_TRY(make_list((size_t)n, &list, err));
    ncg_status st = NCG_OK;
    for (int64_t i = 0; !st && i < n; i++) {
        nci_buf *value = NULL;
        size_t nbytes = get_u64(bytes + 8 + 8 * i), from = align(at);
        st = nci_buf_view(packed, bytes + from, nbytes, &value, err);
        if (!st)
            add_value(list, value);
        at = from + nbytes;
    }
    if (st)
        nci_buf_release(&list);
    else
        *out = list;
    return st;
}
