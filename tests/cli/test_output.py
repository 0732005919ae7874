# SPDX-License-Identifier: BSD-3-Clause
"""What the command writes and prints: files, history, tables, JSON, notes."""
import json
import os
import re

import clitest
from clitest import netCDF4, np, read, write_grid

clitest.need_netcdf()


class Save(clitest.TestCase):
    def setUp(self):
        super().setUp()
        write_grid(self.path("a.nc"))
        write_grid(self.path("b.nc"), start=12)

    def attr(self, path, name, var=None):
        with netCDF4.Dataset(self.path(path)) as d:
            return (d[var] if var else d).getncattr(name)

    def test_history(self):
        self.ok("a.nc", "b.nc", ":", "sel", "lat=-30..30", ":", "mean", "time",
                "-o", "it's.nc", env={"SOURCE_DATE_EPOCH": "86400"})
        self.assertEqual(
            self.attr("it's.nc", "history").splitlines()[0],
            "1970-01-02T00:00:00Z ncgraph %s: ncgraph a.nc b.nc : sel "
            "lat=-30..30 : mean time -o 'it'\\''s.nc'"
            % self.ok("--version").out.split()[1])
        self.ok("it's.nc", ":", "mean", "lat", "-o", "n.nc", "--no-history")
        self.assertEqual(self.attr("n.nc", "history"),
                         self.attr("it's.nc", "history"))
        self.ok("it's.nc", ":", "mean", "lat", "-o", "m.nc")
        lines = self.attr("m.nc", "history").splitlines()
        self.assertEqual(len(lines), 2)
        self.assertEqual(lines[1], self.attr("it's.nc", "history"))

    def test_formats(self):
        kinds = {"nc4": "NETCDF4", "nc4c": "NETCDF4_CLASSIC",
                 "nc3": "NETCDF3_CLASSIC", "nc64": "NETCDF3_64BIT_OFFSET",
                 "nc5": "NETCDF3_64BIT_DATA"}
        for option, name in kinds.items():
            out = option + "_out.nc"
            self.ok("a.nc", ":", "mean", "time", "-f", option, "-o", out)
            with netCDF4.Dataset(self.path(out)) as d:
                self.assertEqual(d.data_model, name)
            self.assertTrue(np.array_equal(read(self.path(out), "tas"),
                                           read(self.path("nc4_out.nc"), "tas"),
                                           equal_nan=True))

    def test_compression(self):
        for option, level in (("none", None), ("0", None), ("1", 1), ("9", 9)):
            self.ok("a.nc", "-z", option, "-o", "z.nc", "-O")
            with netCDF4.Dataset(self.path("z.nc")) as d:
                filters = d["tas"].filters()
                self.assertEqual(filters["complevel"] if filters["zlib"]
                                 else None, level)

    def test_dtype(self):
        write_grid(self.path("i.nc"), dtype="i2")
        for option, name in (("f4", "float32"), ("f8", "float64"),
                             ("in", "int16")):
            self.ok("i.nc", ":", "mean", "time", "--dtype", option, "-o",
                    option + ".nc")
            with netCDF4.Dataset(self.path(option + ".nc")) as d:
                self.assertEqual(d["tas"].dtype, np.dtype(name))

    def test_keepdims(self):
        self.ok("a.nc", ":", "mean", "lat", "lon", "-o", "d.nc")
        self.ok("a.nc", ":", "mean", "lat", "lon", "-o", "k.nc", "--keepdims")
        with netCDF4.Dataset(self.path("d.nc")) as d:
            self.assertEqual(d["tas"].shape, (12,))
        with netCDF4.Dataset(self.path("k.nc")) as d:
            self.assertEqual(d["tas"].shape, (12, 1, 1))

    def test_time_stamp(self):
        for where, value in (("first", -15.25), ("mid", 11 * 15.25),
                             ("last", 11.5 * 30.5)):
            self.ok("a.nc", ":", "mean", "time", "--time-stamp", where, "-o",
                    where + ".nc")
            self.assertEqual(float(np.ravel(read(self.path(where + ".nc"),
                                                      "time"))[0]),
                             value)

    def test_copy(self):
        self.ok("a.nc", "b.nc", "-o", "all.nc")
        both = np.concatenate([read(self.path("a.nc"), "tas"),
                               read(self.path("b.nc"), "tas")])
        self.assertTrue(np.array_equal(read(self.path("all.nc"), "tas"), both,
                                       equal_nan=True))

    def test_inputs_in_any_order_and_form(self):
        os.mkdir(self.path("dir"))
        for name in ("a.nc", "b.nc"):
            os.link(self.path(name), self.path("dir/" + name))
        with open(self.path("list.txt"), "w") as f:
            f.write("b.nc\na.nc\n")
        os.link(self.path("a.nc"), self.path("x:y.nc"))
        mean = [":", "mean", "time", "--no-history", "-o"]
        self.ok("a.nc", "b.nc", *mean, "1.nc")
        for i, words in enumerate((["b.nc", "a.nc"], ["[ab].nc"], ["@list.txt"],
                                   ["dir"], ["dir", "--glob", "?.nc"],
                                   ["x:y.nc", "b.nc"])):
            self.ok(*words, *mean, "2.nc", "-O")
            self.assertTrue(clitest.same_bytes(self.path("1.nc"),
                                               self.path("2.nc")), words)

    def test_options_anywhere(self):
        self.ok("-q", "a.nc", "--no-history", ":", "mean", "time", "-o1.nc")
        self.ok("a.nc", ":", "--no-history", "mean", "-j2", "time",
                "--output=2.nc", "-q")
        self.ok("-o", "3.nc", "--no-history", "--", "a.nc", ":", "timmean")
        for other in ("2.nc", "3.nc"):
            self.assertTrue(clitest.same_bytes(self.path("1.nc"),
                                               self.path(other)))

    def test_chain_is_the_sum_of_its_steps(self):
        self.ok("a.nc", ":", "sel", "lat=-30..80", ":", "isel", "time=2:10",
                ":", "mean", "time", ":", "max", "lon", "-o", "chain.nc")
        now = "a.nc"
        for i, step in enumerate((["sel", "lat=-30..80"], ["isel", "time=2:10"],
                                  ["mean", "time"], ["max", "lon"])):
            self.ok(now, ":", *step, "-o", "%d.nc" % i)
            now = "%d.nc" % i
        np.testing.assert_allclose(read(self.path("chain.nc"), "tas"),
                                   read(self.path(now), "tas"), rtol=1e-6)


class Print(clitest.TestCase):
    def setUp(self):
        super().setUp()
        write_grid(self.path("a.nc"), nt=3, nlat=2, nlon=2)

    def test_json(self):
        out = self.ok("a.nc", ":", "mean", "all", "-o", "-", "--json").out
        value = json.loads(out)
        self.assertEqual(list(value), ["tas"])
        want = np.nanmean(read(self.path("a.nc"), "tas"))
        self.assertAlmostEqual(np.ravel(value["tas"])[0], want, places=4)
        self.leaves("a.nc")

    def test_json_nested(self):
        out = self.ok("a.nc", ":", "isel", "time=0:2", "-o", "-", "--json").out
        value = np.array(json.loads(out)["tas"], dtype="f8")
        want = read(self.path("a.nc"), "tas")[:2]
        np.testing.assert_array_equal(value.astype("f4"), want.astype("f4"))

    def test_table(self):
        out = self.ok("a.nc", ":", "mean", "lat", "lon", "-o", "-").out
        lines = out.splitlines()
        self.assertEqual(len(lines), 4)
        self.assertRegex(lines[0], r"^time \[days since .*\] +tas \[K\]$")
        self.assertEqual([float(x.split()[0]) for x in lines[1:]],
                         [0, 30.5, 61])
        np.testing.assert_allclose(
            [float(x.split()[1]) for x in lines[1:]],
            np.nanmean(read(self.path("a.nc"), "tas"), axis=(1, 2)), rtol=1e-6)

    def test_dry_run(self):
        out = self.ok("a.nc", ":", "mean", "time", "--dry-run", "-o", "x.nc").out
        self.assertRegex(out, r"would read .* 1 pass, \d+ tasks; peak ")
        self.leaves("a.nc")

    def test_explain(self):
        r = self.ok("a.nc", ":", "timmean", ":", "fldmax", "--explain")
        self.assertIn("timmean stands for: mean time", r.out)
        self.assertIn("fldmax stands for: max space", r.out)
        for word in ("files", "chunks", "tasks", "pass", "memory"):
            self.assertIn(word, r.out)
        self.leaves("a.nc")

    def test_graph(self):
        self.ok("a.nc", ":", "mean", "time", "--graph", "g.dot")
        with open(self.path("g.dot")) as f:
            self.assertTrue(f.read().startswith("digraph"))
        r = self.ok("a.nc", ":", "mean", "time", "--graph", "h.svg",
                    env={"PATH": self.dir})
        self.assertIn("Graphviz", r.err)
        self.leaves("a.nc", "g.dot", "h.svg.dot")

    def test_graph_drawn(self):
        import shutil
        if not shutil.which("dot"):
            self.not_run("Graphviz is not installed")
        self.ok("a.nc", ":", "mean", "time", "--explain", "--graph", "g.svg")
        with open(self.path("g.svg")) as f:
            self.assertIn("<svg", f.read())

    def test_info(self):
        r = self.ok("info", "a.nc")
        for word in ("tas", "time", "lat", "lon", "2000"):
            self.assertIn(word, r.out)
        r = self.ok("info", "a.nc", ":", "mean", "lat")
        self.assertIn("tas", r.out)

    def test_fields_of_stats(self):
        """Each counter of the structure in the header is in the file, and
        those that the input tells have its numbers."""
        header = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                              "../../include/ncgraph.h")
        with open(header, encoding="utf-8") as f:
            text = f.read()
        body = text[:text.index("} ncg_stats;")].rsplit("typedef struct", 1)[1]
        names = re.findall(r"(?m)^    \w+ ([^;]+);", body)
        fields = {n.strip() for line in names for n in line.split(",")}
        self.ok("a.nc", ":", "mean", "time", "-o", "o.nc", "--stats", "s.json")
        with open(self.path("s.json")) as f:
            stats = json.load(f)
        of_programs = {"struct_size", "memory_managed", "memory_held",
                       "held_on_disk"}
        self.assertEqual(set(stats), fields - of_programs |
                         {"version", "elapsed"})
        self.assertEqual((stats["files"], stats["headers_direct"]), (1, 1))
        self.assertGreaterEqual(stats["bytes_decoded"], 3 * 2 * 2 * 4)
        self.assertGreater(stats["bytes_disk"], 0)
        self.assertGreater(stats["bytes_written"], 0)
        self.assertGreater(stats["tasks"], 0)
        self.assertGreater(stats["peak_memory"], 0)
        self.assertGreaterEqual(stats["elapsed"], stats["seconds"])
        for name in ("bytes_spilled", "bytes_fetched", "tasks_recomputed",
                     "default_fills"):
            self.assertEqual(stats[name], 0, name)

    def test_stats(self):
        self.ok("a.nc", ":", "mean", "time", "-o", "o.nc", "--stats", "s.json")
        with open(self.path("s.json")) as f:
            stats = json.load(f)
        self.assertEqual(stats["files"], 1)
        self.assertGreater(stats["chunks_direct"], 0)
        self.assertEqual(stats["chunks_library"], 0)
        self.assertEqual(stats["headers_library"], 0)
        self.assertGreater(stats["bytes_decoded"], 0)
        self.ok("a.nc", ":", "mean", "time", "-o", "l.nc", "--force-library",
                "--stats", "s.json", "--no-history")
        with open(self.path("s.json")) as f:
            stats = json.load(f)
        self.assertGreater(stats["chunks_library"] + stats["headers_library"], 0)
        self.assertTrue(np.array_equal(read(self.path("o.nc"), "tas"),
                                       read(self.path("l.nc"), "tas"),
                                       equal_nan=True))


class Notes(clitest.TestCase):
    def setUp(self):
        super().setUp()
        write_grid(self.path("a.nc"))

    def test_unweighted_latitude(self):
        mean = ["a.nc", ":", "mean", "lat", "lon", "-O", "-o", "o.nc"]
        r = self.ok(*mean)
        self.assertRegex(r.err, "(?m)^ncgraph: note: .*weight")
        self.assertEqual(self.ok(*mean, "-q").err, "")
        self.assertEqual(self.ok(*mean, "weights=area", "-q").err, "")

    def test_strict(self):
        self.fails(5, "a.nc", ":", "mean", "lat", "lon", "-o", "o.nc",
                   "--strict", says=["weight", "--strict"])
        self.leaves("a.nc")
        self.ok("a.nc", ":", "mean", "time", "-o", "o.nc", "--strict")

    def test_quiet_and_verbose(self):
        mean = ["a.nc", ":", "mean", "time", "-O", "-o", "o.nc"]
        r = self.ok(*mean)
        self.assertEqual((r.out, r.err), ("", ""))
        last = self.ok(*mean, "-v").lines()[-1]
        self.assertRegex(last, r"^ncgraph: read [\d.]+ k?B \([\d.]+ k?B on "
                         r"disk\) from 1 file in [\d.]+ s, peak ")

    def test_progress_json(self):
        r = self.ok("a.nc", ":", "mean", "time", "-o", "o.nc", "--progress",
                    "json")
        for line in r.lines():
            self.assertIn("tasks_total", json.loads(line))

    def test_progress_bar(self):
        r = self.ok("a.nc", ":", "mean", "time", "-o", "o.nc", "--progress",
                    "bar")
        self.assertNotIn("\033[32m", r.err)
        self.assertEqual(re.sub(r"\r\[[^\r]*|\r\033\[K", "", r.err), "")


if __name__ == "__main__":
    clitest.main()
