/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of HDF5's filters, as The HDF Group registers them, for messages. */
#include "io/filter.h"

/* Packages that have the plugin: Debian's, or the wheel hdf5plugin, whose folder
 * HDF5_PLUGIN_PATH must name. */
#define COMMON "hdf5-filter-plugin"
#define BLOSC "hdf5-filter-plugin-blosc-serial"
#define ZFP "hdf5-filter-plugin-zfp-serial"
#define LZF "hdf5-plugin-lzf"
#define WHEEL "hdf5plugin of PyPI, its folder in HDF5_PLUGIN_PATH"

static const struct {
    uint32_t id;
    const char *name;
    const char *package; /* NULL: none that is known */
} names[] = {
    {1, "deflate", NULL},
    {2, "shuffle", NULL},
    {3, "fletcher32", NULL},
    {4, "szip", NULL},
    {5, "nbit", NULL},
    {6, "scaleoffset", NULL},
    {305, "lzo", NULL},
    {307, "bzip2", COMMON},
    {32000, "lzf", LZF},
    {32001, "blosc", BLOSC},
    {32002, "mafisc", NULL},
    {32003, "snappy", NULL},
    {32004, "lz4", COMMON},
    {32005, "apax", NULL},
    {32006, "cbf", NULL},
    {32007, "jpeg-xr", NULL},
    {32008, "bitshuffle", COMMON},
    {32009, "spdp", NULL},
    {32010, "lpc-rice", NULL},
    {32011, "ccsds-123", NULL},
    {32012, "jpeg-ls", NULL},
    {32013, "zfp", ZFP},
    {32014, "fpzip", NULL},
    {32015, "zstd", WHEEL},
    {32016, "b3d", NULL},
    {32017, "sz", WHEEL},
    {32018, "fcidecomp", WHEEL},
    {32019, "jpeg", NULL},
    {32020, "vbz", NULL},
    {32021, "fapec", NULL},
    {32022, "bitgroom", NULL},
    {32023, "granular bitround", NULL},
    {32024, "sz3", WHEEL},
    {32025, "delta-rice", NULL},
    {32026, "blosc2", WHEEL},
    {32027, "flac", NULL},
    {32028, "sperr", WHEEL},
    {32029, "terse/prolix", NULL},
    {32030, "ffmpeg", NULL},
};

const char *nci_filter_name(uint32_t id)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].id == id)
            return names[i].name;
    return "unknown";
}

ncg_status nci_filter_missing(uint32_t id, const char *where, ncg_error *err)
{
    const char *package = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].id == id)
            package = names[i].package;
    return nci_fail(err, NCG_EUNSUPPORTED,
                    "%s (%u) filter not built in%s; install its HDF5 plugin"
                    "%s%s%s, or repack with h5repack -f NONE where it is "
                    "installed",
                    nci_filter_name(id), (unsigned)id, where,
                    package ? " (" : "", package ? package : "",
                    package ? ")" : "");
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
