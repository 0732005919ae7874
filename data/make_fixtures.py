#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Make the small generated NetCDF and HDF5 files of the tests.

    make_fixtures.py OUTDIR [PART...]

Parts (all where none is named), a folder of OUTDIR each:
    storage   one variable in every storage form: layouts, filters, indexes
    classic   CDF-1, CDF-2, CDF-5 with interleaved records
    cf        calendars, missing values, packing, grids; also from data/cdl
    sets      several files as one data set: what fits and what does not
    damaged   what must be refused with a clear error
OUTDIR/manifest.json says of each file what it is for. Numbers follow a fixed
rule (common.value), so that equal runs give equal data.
Needs numpy, netCDF4, h5py, hdf5plugin and the program ncgen.
"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "fixtures"))
# First: the filter plugins bind to the HDF5 that is loaded first, which must
# be h5py's and not netCDF4's.
import storage

import cf
import classic
import damaged
import sets

PARTS = {"storage": storage.make, "classic": classic.make, "cf": cf.make,
         "sets": sets.make, "damaged": damaged.make}


def main(arguments):
    if not arguments or any(a not in PARTS for a in arguments[1:]):
        sys.exit(__doc__)
    out = os.path.abspath(arguments[0])
    manifest = {}
    for part in arguments[1:] or PARTS:
        folder = os.path.join(out, part)
        os.makedirs(folder, exist_ok=True)
        for name, about in sorted(PARTS[part](folder).items()):
            manifest[f"{part}/{name}"] = about
    missing = [n for n in manifest if not os.path.exists(os.path.join(out, n))]
    if missing:
        sys.exit(f"make_fixtures: not made: {', '.join(missing)}")
    with open(os.path.join(out, "manifest.json"), "w") as file:
        json.dump(manifest, file, indent=1)
    print(f"{out}: {len(manifest)} files")


if __name__ == "__main__":
    main(sys.argv[1:])
