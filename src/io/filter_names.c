/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of HDF5's filters, as The HDF Group registers them, for messages. */
#include "io/filter.h"

static const struct {
    uint32_t id;
    const char *name;
} names[] = {
    {1, "deflate"},        {2, "shuffle"},
    {3, "fletcher32"},     {4, "szip"},
    {5, "nbit"},           {6, "scaleoffset"},
    {305, "lzo"},          {307, "bzip2"},
    {32000, "lzf"},        {32001, "blosc"},
    {32002, "mafisc"},     {32003, "snappy"},
    {32004, "lz4"},        {32005, "apax"},
    {32006, "cbf"},        {32007, "jpeg-xr"},
    {32008, "bitshuffle"}, {32009, "spdp"},
    {32010, "lpc-rice"},   {32011, "ccsds-123"},
    {32012, "jpeg-ls"},    {32013, "zfp"},
    {32014, "fpzip"},      {32015, "zstd"},
    {32016, "b3d"},        {32017, "sz"},
    {32018, "fcidecomp"},  {32019, "jpeg"},
    {32020, "vbz"},        {32021, "fapec"},
    {32022, "bitgroom"},   {32023, "granular bitround"},
    {32024, "sz3"},        {32025, "delta-rice"},
    {32026, "blosc2"},     {32027, "flac"},
    {32028, "sperr"},      {32029, "terse/prolix"},
    {32030, "ffmpeg"},
};

const char *nci_filter_name(uint32_t id)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].id == id)
            return names[i].name;
    return "unknown";
}

bool nci_filter_changes_nothing(uint32_t id)
{
    return id == 32022 || id == 32023;
}

bool nci_filter_is_built_in(uint32_t id)
{
    return id == NCI_FILTER_SHUFFLE || id == NCI_FILTER_FLETCHER32 ||
           nci_filter_changes_nothing(id) || nci_codec_find(id);
}
