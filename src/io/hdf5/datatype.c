/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Datatypes: class and version (1), bit field (3), size (4), properties.
 *
 *   class       bit field                       properties
 *   0 fixed     0 big-endian, 3 signed          bit offset (2), precision (2)
 *   1 float     0 and 6 order, 8-15 sign at     the same, exponent at and
 *                                               bits, mantissa at and bits (1
 *                                               each), bias (4)
 *   3 string    -                               -
 *   7 reference 0-3: 0 to an object             -
 *   8 enum      -                               base type, names, values
 *   9 vlen      0-3: 1 text                     base type
 *
 * The dtype is the one that NetCDF-C names: it maps integers by precision and
 * floats by size to the machine's own types.
 */
#include "io/hdf5/message.h"

static ncg_dtype integer_dtype(unsigned precision, bool is_signed)
{
    if (precision <= 8)
        return is_signed ? NCG_DTYPE_I8 : NCG_DTYPE_U8;
    if (precision <= 16)
        return is_signed ? NCG_DTYPE_I16 : NCG_DTYPE_U16;
    if (precision <= 32)
        return is_signed ? NCG_DTYPE_I32 : NCG_DTYPE_U32;
    if (precision <= 64)
        return is_signed ? NCG_DTYPE_I64 : NCG_DTYPE_U64;
    return NCG_DTYPE_NONE;
}

static void read_fixed(nci_h5_cursor *at, uint32_t bits, nci_h5_type *type)
{
    unsigned offset = (unsigned)nci_h5_uint(at, 2);
    unsigned precision = (unsigned)nci_h5_uint(at, 2);
    type->is_big_endian = bits & 1;
    type->dtype = integer_dtype(precision, bits & 8);
    type->is_plain = type->dtype != NCG_DTYPE_NONE && !offset &&
                     precision == 8 * type->size &&
                     type->size == ncg_dtype_size(type->dtype);
}

static void read_float(nci_h5_cursor *at, uint32_t bits, nci_h5_type *type)
{
    uint64_t offset = nci_h5_uint(at, 2), precision = nci_h5_uint(at, 2);
    uint64_t exponent_at = nci_h5_uint(at, 1), exponent = nci_h5_uint(at, 1);
    uint64_t mantissa_at = nci_h5_uint(at, 1), mantissa = nci_h5_uint(at, 1);
    uint64_t bias = nci_h5_uint(at, 4), sign = bits >> 8 & 0xff;
    bool single = precision == 32 && exponent_at == 23 && exponent == 8 &&
                  mantissa == 23 && bias == 127 && sign == 31;
    bool twice = precision == 64 && exponent_at == 52 && exponent == 11 &&
                 mantissa == 52 && bias == 1023 && sign == 63;
    type->is_big_endian = bits & 1;
    if (type->size <= 8)
        type->dtype = type->size <= 4 ? NCG_DTYPE_F32 : NCG_DTYPE_F64;
    /* Bits 4 and 5: the mantissa's first bit is implied. */
    type->is_plain = (single || twice) && !offset && !mantissa_at &&
                     type->size == precision / 8 && !(bits & 0x40) &&
                     (bits >> 4 & 3) == 2;
}

/* Bases of enums and vlens: one level, so no recursion can be forced. */
static void read_base(nci_h5_cursor *at, nci_h5_type *type)
{
    nci_h5_type base = {0};
    uint64_t head = nci_h5_uint(at, 1);
    uint32_t bits = (uint32_t)nci_h5_uint(at, 3);
    base.size = (uint32_t)nci_h5_uint(at, 4);
    if ((head & 15) == NCI_H5_FIXED && type->klass == NCI_H5_ENUM) {
        read_fixed(at, bits, &base);
        type->dtype = base.dtype;
        type->is_plain = base.is_plain && base.size == type->size;
        type->is_big_endian = base.is_big_endian;
    }
    type->is_object_ref =
        (head & 15) == NCI_H5_REFERENCE && !(bits & 15) && base.size == 8;
}

static void read_class(nci_h5_cursor *at, uint32_t bits, nci_h5_type *type)
{
    switch (type->klass) {
    case NCI_H5_FIXED:
        read_fixed(at, bits, type);
        break;
    case NCI_H5_FLOAT:
        read_float(at, bits, type);
        break;
    case NCI_H5_STRING:
        type->dtype = type->size == 1 ? NCG_DTYPE_CHAR : NCG_DTYPE_STRING;
        type->is_plain = type->size == 1;
        break;
    case NCI_H5_REFERENCE:
        type->is_object_ref = !(bits & 15) && type->size == 8;
        break;
    case NCI_H5_ENUM:
        read_base(at, type);
        break;
    case NCI_H5_VLEN:
        type->is_text = (bits & 15) == 1;
        if (type->is_text)
            type->dtype = NCG_DTYPE_STRING;
        read_base(at, type);
        break;
    default:
        break;
    }
}

ncg_status nci_h5_type_read(const nci_h5 *h5, nci_h5_cursor at,
                            const char *name, nci_h5_type *out, ncg_error *err)
{
    nci_h5_type type = {0};
    uint64_t head = nci_h5_uint(&at, 1);
    uint32_t bits = (uint32_t)nci_h5_uint(&at, 3);
    type.size = (uint32_t)nci_h5_uint(&at, 4);
    (void)h5;
    if (at.failed)
        return nci_fail(err, NCG_ECORRUPT,
                        "%s: its datatype message is cut short", name);
    unsigned version = (unsigned)(head >> 4);
    if (version < 1 || version > 5)
        return nci_fail(err, NCG_EUNSUPPORTED, "%s: datatype of version %u",
                        name, version);
    if ((head & 15) >= NCI_H5_CLASS_COUNT)
        return nci_fail(err, NCG_EUNSUPPORTED, "%s: datatype of class %u", name,
                        (unsigned)(head & 15));
    type.klass = (nci_h5_class)(head & 15);
    if (!type.size)
        return nci_fail(err, NCG_ECORRUPT, "%s: datatype of no size", name);
    read_class(&at, bits, &type);
    if (at.failed)
        return nci_fail(err, NCG_ECORRUPT,
                        "%s: its datatype message is cut short", name);
    *out = type;
    return NCG_OK;
}
