# SPDX-License-Identifier: BSD-3-Clause
"""Random shapes, chunkings and missing-value patterns: the answer is NumPy's,
and its bytes do not depend on -j or --mem. NCG_PROPERTY_SEED repeats one,
NCG_PROPERTY_RUNS sets how many."""
import os
import random

import clitest
from clitest import netCDF4, np, read

clitest.need_netcdf()
import reference
from differential import close

RUNS = int(os.environ.get("NCG_PROPERTY_RUNS", "40"))
SEED = int(os.environ.get("NCG_PROPERTY_SEED", "0"))


class Random(clitest.TestCase):
    def make(self, pick):
        """One to three files along the first dimension; returns the data."""
        rank = pick.randint(1, 4)
        sizes = [pick.choice([1, 2, 3, 5, 8, 13, 30]) for _ in range(rank)]
        parts = [pick.randint(1, 20) for _ in range(pick.randint(1, 3))]
        sizes[0] = sum(parts)
        rng = np.random.default_rng(pick.getrandbits(32))
        x = rng.normal(pick.choice([0, 300, -1e6]), 5, sizes)
        missing = pick.choice([0, .01, .5, .95, 1])
        x[rng.random(x.shape) < missing] = np.nan
        dtype = pick.choice(["f4", "f8", "i2", "i4"])
        if dtype in ("f4", "f8"):
            x = x.astype(dtype).astype("f8")
        else:
            x = np.round(x % 3000)
        self.packed = dtype == "i2" and pick.choice([None, (0.25, 100.)])
        self.times(pick, sizes[0])
        self.w = rng.uniform(0, 2, sizes[1]) if rank > 1 else None
        at = 0
        for k, n in enumerate(parts):
            self.write(pick, self.path("in_%d.nc" % k), x[at:at + n], at, dtype)
            at += n
        return x, dtype

    def times(self, pick, n):
        """Steps of one calendar: units, calendar, values."""
        unit, step = pick.choice([("days", 1), ("hours", 6), ("days", 9),
                                  ("seconds", 86400 * 20)])
        self.units = unit + " since 2001-11-20"
        self.calendar = pick.choice(["standard", "noleap", "360_day", "julian",
                                     "all_leap", "proleptic_gregorian"])
        self.t = np.arange(n) * float(step)

    def write(self, pick, path, x, start, dtype):
        with netCDF4.Dataset(path, "w", format=pick.choice(
                ["NETCDF4", "NETCDF4", "NETCDF4", "NETCDF3_CLASSIC"])) as d:
            names = ["time", "d1", "d2", "d3"][:x.ndim]
            for i, name in enumerate(names):
                d.createDimension(name, x.shape[i] if i or pick.random() < .3
                                  else None)
            t = d.createVariable("time", "f8", ("time",))
            t.units, t.standard_name = self.units, "time"
            t.calendar = self.calendar
            t[:] = self.t[start:start + x.shape[0]]
            if x.ndim > 1:
                d.createVariable("w", "f8", names[1:2])[:] = self.w
            how = {}
            if d.data_model == "NETCDF4" and pick.random() < .9:
                how = dict(zlib=pick.random() < .8,
                           shuffle=pick.random() < .5,
                           fletcher32=pick.random() < .3,
                           endian=pick.choice(["little", "big"]),
                           chunksizes=[pick.randint(1, n) for n in x.shape])
            fill = {"f4": np.float32(1e20), "f8": -1e30, "i2": np.int16(-1),
                    "i4": np.int32(2 ** 31 - 1)}[dtype]
            v = d.createVariable("v", dtype, names, fill_value=fill, **how)
            if self.packed:
                v.scale_factor, v.add_offset = self.packed
            v[:] = np.ma.masked_invalid(x)

    def one(self, seed):
        pick = random.Random(seed)
        for name in self.listing():
            os.remove(self.path(name))
        x, dtype = self.make(pick)
        op = pick.choice(reference.OPS)
        names = ["time", "d1", "d2", "d3"][:x.ndim]
        axes = sorted(pick.sample(range(x.ndim), pick.randint(1, x.ndim)))
        how = dict(skipna=pick.random() < .8 or op == "count")
        words = [op, *(names[a] for a in axes)]
        if not how["skipna"]:
            words.append("skipna=no")
        if pick.random() < .4:
            how["min_count"] = pick.randint(1, 6)
            words.append("min_count=%d" % how["min_count"])
        if op in ("std", "var"):
            how["ddof"] = pick.randint(0, 2)
            words.append("ddof=%d" % how["ddof"])
        elif op in ("mean", "sum") and 1 in axes and pick.random() < .5:
            words.append("weights=w")
            how["weights"] = np.broadcast_to(
                self.w.reshape([-1 if a == 1 else 1 for a in range(x.ndim)]),
                x.shape)
        by = pick.choice([None, *reference.BY]) if 0 in axes else None
        if by:
            words.append("by=" + by)
            labels = reference.keys(by, self.t, self.units, self.calendar)
            want = reference.reduce_by(op, x, axes, 0, labels, **how)
        else:
            want = reference.reduce(op, x, axes, **how)
        outs = []
        for k, run in enumerate((["-j", "1"], ["-j", "2"],
                                 ["-j", "4", "--mem", "12M"])):
            outs.append(self.path("out_%d" % k))
            self.ok("in_*.nc", "-V", "v", ":", *words, "-q", "--no-history",
                    "-o", outs[-1], *run)
            self.assertTrue(clitest.same_bytes(outs[0], outs[-1]), run)
        with netCDF4.Dataset(outs[0]) as d:
            kind = d["v"].dtype
        scale = np.nanmax(np.abs(x)) if not np.isnan(x).all() else 0
        scale = {"var": scale ** 2, "sum": scale * x.size,
                 "mean": scale, "std": scale, "range": scale}.get(op, 0)
        self.assertIsNone(close(read(outs[0], "v"), want, kind, scale),
                          "%s on %s %s, %s" % (" ".join(words), dtype,
                                               x.shape, self.calendar))

    def test_random(self):
        for seed in range(SEED, SEED + RUNS) if not SEED else [SEED]:
            with self.subTest(seed=seed):
                self.one(seed)


if __name__ == "__main__":
    clitest.main()
