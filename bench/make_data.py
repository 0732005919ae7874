#!/usr/bin/env python3
"""Write the benchmark data set: daily half-degree fields, one file a month, two variables, in one storage layout.

    make_data.py OUTDIR [--months 36] [--layout LAYOUT] [--grid 361x720]

Layouts: deflate tiled packed zstd blosc classic contiguous. All hold the same numbers (packed ones to 16 bits); `t2m` is
complete, `sst` is missing over a made-up land. Needs numpy, netCDF4 and, for zstd and blosc, hdf5plugin.
"""
import argparse
import os

import netCDF4
import numpy as np

LAYOUTS = "deflate tiled packed zstd blosc classic contiguous".split()
DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]


def storage(layout, n, ny, nx):
    deflate = dict(zlib=True, complevel=4, shuffle=True)
    daily = (1, ny, nx)
    return {"deflate": dict(chunksizes=daily, **deflate), "packed": dict(chunksizes=daily, **deflate),
            "tiled": dict(chunksizes=(n, -(-ny // 4), -(-nx // 4)), **deflate),
            "zstd": dict(compression="zstd", complevel=3, shuffle=True, chunksizes=daily),
            "blosc": dict(compression="blosc_lz4", complevel=5, blosc_shuffle=1, chunksizes=daily),
            "classic": {}, "contiguous": dict(contiguous=True)}[layout]


def waves(rng, n, ny, nx, size):
    """Noise that is smooth over `size` grid points: bilinear between random corners."""
    corners = rng.standard_normal((n, ny // size + 2, nx // size + 2), dtype="f4")
    y, x = np.arange(ny) / size, np.arange(nx) / size
    j, i = y.astype(int), x.astype(int)
    fy, fx = (y - j).astype("f4")[:, None], (x - i).astype("f4")[None]
    at = lambda dj, di: corners[:, (j + dj)[:, None], (i + di)[None]]
    return (at(0, 0) * (1 - fy) + at(1, 0) * fy) * (1 - fx) + (at(0, 1) * (1 - fy) + at(1, 1) * fy) * fx


def temperature(rng, days, lat, nx):
    ny, phi = len(lat), np.deg2rad(lat)[None, :, None]
    season = np.cos(2 * np.pi * (days - 15) / 365)[:, None, None].astype("f4")
    mean = 288 - 40 * np.abs(np.sin(phi)) ** 1.5 - 12 * season * np.sin(phi)
    weather = 3 * waves(rng, len(days), ny, nx, 24) + 0.7 * waves(rng, len(days), ny, nx, 6)
    return (mean + weather + 0.05 * rng.standard_normal((len(days), ny, nx), dtype="f4")).astype("f4")


def define_axes(d, layout, n, lat, lon):
    d.Conventions, d.title = "CF-1.8", "made-up daily temperature"
    for name, size in (("time", n if layout == "contiguous" else None), ("lat", len(lat)), ("lon", len(lon)), ("bnds", 2)):
        d.createDimension(name, size)
    t = d.createVariable("time", "f8", ("time",))
    t.setncatts(dict(units="days since 1991-01-01", calendar="noleap", bounds="time_bnds", standard_name="time", axis="T"))
    d.createVariable("time_bnds", "f8", ("time", "bnds"))
    for name, axis, long, unit, values in (("lat", "Y", "latitude", "degrees_north", lat),
                                           ("lon", "X", "longitude", "degrees_east", lon)):
        v = d.createVariable(name, "f4", (name,))
        v.setncatts(dict(units=unit, standard_name=long, axis=axis))
        v[:] = values


def define_field(d, name, layout, n, ny, nx):
    dims, kw = ("time", "lat", "lon"), storage(layout, n, ny, nx)
    if layout == "packed":
        v = d.createVariable(name, "i2", dims, fill_value=-32767, **kw)
        v.scale_factor, v.add_offset = np.float64(0.002), np.float64(270)
    else:
        v = d.createVariable(name, "f4", dims, fill_value=np.float32(1e20), **kw)
    v.setncatts(dict(units="K", cell_methods="time: mean", long_name=name))
    v.set_auto_maskandscale(False)
    return v


def raw(values, missing, layout):
    if layout == "packed":
        return np.where(missing, -32767, np.round((values - 270.0) / 0.002)).astype("i2")
    return np.where(missing, np.float32(1e20), values)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("outdir")
    p.add_argument("--months", type=int, default=36)
    p.add_argument("--layout", choices=LAYOUTS, default="deflate")
    p.add_argument("--grid", default="361x720")
    a = p.parse_args()
    ny, nx = map(int, a.grid.split("x"))
    os.makedirs(a.outdir, exist_ok=True)
    rng = np.random.default_rng(7)
    lat, lon = np.linspace(90, -90, ny, dtype="f4"), np.arange(nx, dtype="f4") * (360 / nx)
    land = waves(rng, 1, ny, nx, max(ny // 9, 1))[0] > 0.35
    day = 0
    for m in range(a.months):
        n = DAYS[m % 12]
        days = day + np.arange(n)
        day += n
        values = temperature(rng, days, lat, nx)
        path = os.path.join(a.outdir, f"t_{1991 + m // 12}{m % 12 + 1:02d}.nc")
        with netCDF4.Dataset(path, "w", format="NETCDF3_64BIT_DATA" if a.layout == "classic" else "NETCDF4") as d:
            define_axes(d, a.layout, n, lat, lon)
            d["time"][:], d["time_bnds"][:] = days + 0.5, np.stack([days, days + 1], 1)
            define_field(d, "t2m", a.layout, n, ny, nx)[:] = raw(values, np.zeros((ny, nx), bool), a.layout)
            define_field(d, "sst", a.layout, n, ny, nx)[:] = raw(values, land, a.layout)


if __name__ == "__main__":
    main()
