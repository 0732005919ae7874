#!/usr/bin/env python3
"""Write COUNT small files of one time step and eight variables each: make_many.py OUTDIR [COUNT=1000].

The case in which opening costs more than reading. Needs numpy and netCDF4.
"""
import os
import sys

import netCDF4
import numpy as np

NAMES = "tas pr psl ua va hus rsds rlds".split()


def write(path, i, lat, lon):
    with netCDF4.Dataset(path, "w") as d:
        for name, size in (("time", None), ("lat", len(lat)), ("lon", len(lon)), ("bnds", 2)):
            d.createDimension(name, size)
        t = d.createVariable("time", "f8", ("time",))
        t.setncatts(dict(units="days since 2000-01-01", calendar="standard", bounds="time_bnds"))
        t[:] = [i + 0.5]
        d.createVariable("time_bnds", "f8", ("time", "bnds"))[:] = [[i, i + 1]]
        for name, unit, values in (("lat", "degrees_north", lat), ("lon", "degrees_east", lon)):
            v = d.createVariable(name, "f8", (name,))
            v.units = unit
            v[:] = values
        rng = np.random.default_rng(i)
        for name in NAMES:
            v = d.createVariable(name, "f4", ("time", "lat", "lon"), zlib=True, shuffle=True, complevel=4, fill_value=1e20)
            v.setncatts(dict(units="1", long_name=name))
            v[0] = rng.random((len(lat), len(lon)), dtype="f4")


def main():
    outdir, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    os.makedirs(outdir, exist_ok=True)
    lat, lon = np.linspace(-90, 90, 73), np.arange(0, 360, 2.5)
    for i in range(count):
        write(os.path.join(outdir, f"f{i:05d}.nc"), i, lat, lon)


if __name__ == "__main__":
    main()
