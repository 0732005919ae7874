/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef NCI_IO_HDF5_OBJECT_H
#define NCI_IO_HDF5_OBJECT_H
/*
 * Object headers: a group, a data set or a named type is a list of messages,
 * spread over a first block and continuation blocks.
 */
#include "io/hdf5/reader.h"

typedef enum nci_h5_message_type {
    NCI_H5_DATASPACE = 0x01,
    NCI_H5_LINK_INFO = 0x02,
    NCI_H5_DATATYPE = 0x03,
    NCI_H5_FILL_OLD = 0x04,
    NCI_H5_FILL = 0x05,
    NCI_H5_LINK = 0x06,
    NCI_H5_EXTERNAL = 0x07,
    NCI_H5_LAYOUT = 0x08,
    NCI_H5_GROUP_INFO = 0x0a,
    NCI_H5_FILTERS = 0x0b,
    NCI_H5_ATTRIBUTE = 0x0c,
    NCI_H5_CONTINUATION = 0x10,
    NCI_H5_SYMBOL_TABLE = 0x11,
    NCI_H5_ATTRIBUTE_INFO = 0x15
} nci_h5_message_type;

typedef struct nci_h5_message {
    uint8_t type;
    bool is_shared;      /* the body says where the message really is */
    bool must_know;      /* a reader that does not know the type must give up */
    uint16_t order;      /* of creation, where attributes are tracked */
    const uint8_t *body; /* inside a block of the object */
    size_t size;
    uint64_t address; /* of the body */
} nci_h5_message;

typedef struct nci_h5_object {
    uint64_t address;
    int version;
    bool tracks_order; /* of attributes */
    nci_h5_message *messages;
    size_t count, capacity;
    nci_h5_block *blocks;
    size_t nblocks, blocks_capacity;
} nci_h5_object;

/* nci_h5_object_load reads a header of version 1 or 2 with all continuations;
 * `name` is what errors call it. nci_h5_object_fini releases it. */
ncg_status nci_h5_object_load(nci_h5 *h5, uint64_t address, const char *name,
                              nci_h5_object *out, ncg_error *err);
void nci_h5_object_fini(nci_h5_object *object);
/* nci_h5_object_find returns the first message of a type, or NULL. */
const nci_h5_message *nci_h5_object_find(const nci_h5_object *object,
                                         nci_h5_message_type type);

/* The body of a message, wherever it is: nci_h5_body_fini drops the object
 * that was loaded for a shared one. */
typedef struct nci_h5_body {
    nci_h5_cursor cursor;
    nci_h5_object owner;
} nci_h5_body;

/* nci_h5_body_open follows a message to its bytes.
 * Errors: EUNSUPPORTED: shared through the file's message heap. */
ncg_status nci_h5_body_open(nci_h5 *h5, nci_h5_message_type type,
                            bool is_shared, nci_h5_cursor body,
                            const char *name, nci_h5_body *out, ncg_error *err);
void nci_h5_body_fini(nci_h5_body *body);

#endif
