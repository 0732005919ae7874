# SPDX-License-Identifier: BSD-3-Clause
"""Bad input: one clear line, the right exit code, nothing written."""
import os
import resource
import shutil
import stat
import subprocess

import clitest
from clitest import np, write_grid

clitest.need_netcdf()
try:
    import h5py
except ImportError:
    clitest.skip("this Python has no h5py")

MEAN = [":", "mean", "time", "-o", "out.nc"]


class Files(clitest.TestCase):
    """Missing, foreign and damaged files: exit 3."""

    def bad(self, name, says=(), code=3):
        before = self.listing()
        self.fails(code, name, *MEAN, says=[name] if not says else says)
        self.assertEqual(self.listing(), before)

    def test_missing(self):
        self.bad("nowhere.nc")
        self.bad("nowhere_*.nc")
        self.bad("@nowhere.txt", says=["nowhere.txt"])

    def test_damaged_names(self):
        for i, name in enumerate((b"model_\x01ame", b"model/name",
                                  b"model_n\xff\xfee")):
            path = write_grid(self.path("%d.nc" % i), fmt="NETCDF3_CLASSIC")
            with clitest.netCDF4.Dataset(path, "a") as d:
                d.model_name = "x"
            with open(path, "r+b") as f:
                data = f.read()
                self.assertEqual(data.count(b"model_name"), 1)
                f.seek(data.index(b"model_name"))
                f.write(name)
            self.bad("%d.nc" % i, says=["%d.nc" % i, "damaged header",
                                        "which no name may have"])

    def test_missing_in_list(self):
        write_grid(self.path("a.nc"))
        with open(self.path("list.txt"), "w") as f:
            f.write("a.nc\nlost.nc\n")
        self.bad("@list.txt", says=["lost.nc"])

    def test_names_no_file(self):
        self.bad("", says="the name of an input is empty")
        with open(self.path("list.txt"), "w") as f:
            f.write("# nothing yet\n\n")
        self.bad("@list.txt", says=["list.txt", "names no file"])
        self.bad("@.", says=["."])
        self.bad("/dev/null", says=["/dev/null", "not a regular file"])

    def test_hostile_names(self):
        """Whatever a file calls its variables, a message is one line and
        leaves the terminal alone."""
        with h5py.File(self.path("odd.nc"), "w") as f:
            f.create_dataset("a\nb\x1b[2J\r\x7f", data=np.zeros(
                3, np.dtype([("x", "f4")])))
            f.create_dataset("v", data=np.arange(3.))
        r = self.ok("odd.nc", ":", "mean", "all", "-o", "out.nc")
        self.assertIn("note: odd.nc: a?b?[2J??: left out", r.err)
        self.assertTrue(all(line.startswith("ncgraph: note: ")
                            for line in r.lines()), r.err)

    def test_unreadable_directory_without_files(self):
        os.mkdir(self.path("empty"))
        self.bad("empty")

    def test_not_netcdf(self):
        with open(self.path("text.nc"), "w") as f:
            f.write("this is no NetCDF file\n" * 100)
        self.bad("text.nc")
        open(self.path("empty.nc"), "w").close()
        self.bad("empty.nc")

    def test_truncated(self):
        for fmt, kind in (("NETCDF4", "nc4"), ("NETCDF3_CLASSIC", "nc3"),
                          ("NETCDF3_64BIT_DATA", "nc5")):
            whole = write_grid(self.path(kind + ".nc"), fmt=fmt, missing=0,
                               nt=40)
            size = os.path.getsize(whole)
            for part in (1, 4, 100, size // 4, size // 2, size * 3 // 4,
                         size - 200):
                cut = self.path("cut.nc")
                shutil.copy(whole, cut)
                os.truncate(cut, part)
                with self.subTest(kind=kind, part=part, size=size):
                    self.bad("cut.nc")
                os.remove(cut)

    def damage(self, path, variable="tas", chunk=0):
        """Overwrite the middle of a chunk; returns nothing."""
        with h5py.File(path) as f:
            info = f[variable].id.get_chunk_info(chunk)
        with open(path, "r+b") as f:
            f.seek(info.byte_offset + info.size // 2)
            old = f.read(8)
            f.seek(info.byte_offset + info.size // 2)
            f.write(bytes(b ^ 0xff for b in old))

    def test_corrupted_chunk(self):
        path = write_grid(self.path("bad.nc"), chunks=(4, 4, 6))
        with h5py.File(path) as f:
            info = f["tas"].id.get_chunk_info(1)
        with open(path, "r+b") as f:
            f.seek(info.byte_offset)
            f.write(b"\xff" * info.size)
        self.bad("bad.nc", says=["bad.nc", "tas", "deflate"])

    def test_wrong_checksum(self):
        path = write_grid(self.path("sum.nc"), chunks=(4, 4, 6),
                          fletcher32=True, zlib=False, shuffle=False)
        self.damage(path)
        self.bad("sum.nc", says=["sum.nc", "tas", "checksum"])
        self.ok("sum.nc", "--no-checksum", *MEAN)

    def test_unknown_filter(self):
        path = write_grid(self.path("odd.nc"), zlib=False, shuffle=False)
        self.leaves("odd.nc")
        for number, says in ((32026, ["blosc2", "hdf5plugin"]),
                             (32013, ["zfp", "hdf5-filter-plugin-zfp-serial"]),
                             (305, ["lzo", "h5repack"]),
                             (60000, ["unknown", "h5repack"])):
            make_filtered(path, number)
            self.bad("odd.nc", code=4, says=[
                "odd.nc", "tas", "(%d)" % number, *says])


def make_filtered(path, number):
    """Write tas again in an HDF5 file whose pipeline names a filter that is
    not there; the raw chunk has passed through it by its mask."""
    with h5py.File(path, "w") as f:
        lat = f.create_dataset("x", data=np.arange(4.))
        lat.make_scale("x")
        t = f.create_dataset("time", data=np.arange(4.))
        t.make_scale("time")
        t.attrs["units"] = "days since 2000-01-01"
        dcpl = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        dcpl.set_chunk((4, 4))
        dcpl.set_filter(number, h5py.h5z.FLAG_OPTIONAL, (1, 2, 3, 4))
        space = h5py.h5s.create_simple((4, 4))
        d = h5py.h5d.create(f.id, b"tas", h5py.h5t.IEEE_F32LE, space, dcpl)
        d.write_direct_chunk((0, 0), b"\0" * 64, 0)
        v = f["tas"]
        v.dims[0].attach_scale(t)
        v.dims[1].attach_scale(lat)


class Fixtures(clitest.TestCase):
    """Files that data/make_fixtures.py damages: an error, never a crash."""

    def test_damaged(self):
        root = os.environ.get("NCG_FIXTURES")
        if not root or not os.path.isdir(root):
            self.not_run("NCG_FIXTURES names no folder of files")
        folder = os.path.join(root, "damaged")
        for name in sorted(os.listdir(folder)):
            with self.subTest(name=name):
                r = clitest.run(os.path.join(folder, name), ":", "mean", "all",
                                "-q", "-o", "out.nc", cwd=self.dir)
                self.assertIn(r.code, (0, 2, 3, 4), r.err)
                self.leaves(*(["out.nc"] if r.code == 0 else []))
                if r.code:
                    self.assertEqual(len(r.lines()), 1, r.err)
                    self.assertIn(name, r.err)
                else:
                    os.remove(self.path("out.nc"))


class Names(clitest.TestCase):
    """Variables, dimensions and selections that are not there: exit 2."""

    def setUp(self):
        super().setUp()
        write_grid(self.path("a.nc"))

    def usage(self, *words, says=()):
        self.fails(2, "a.nc", *words, "-o", "out.nc", says=says)
        self.leaves("a.nc")

    def test_variable(self):
        self.usage("-V", "tass", ":", "mean", "time", says=["tass", "tas"])
        self.usage("-V", "q", ":", "mean", "time",
                   says=["a.nc", '"q"', "there are: tas"])
        self.usage(":", "sel", "var=tsa", says=["tsa", "tas"])

    def test_dimension(self):
        self.usage(":", "mean", "tiem", says=["tiem", "time"])
        self.usage(":", "mean", "lev", says="lev")
        self.usage(":", "isel", "lta=0", says=["lta", "lat"])
        self.usage(":", "sel", "lattitude=0..1", says="lattitude")

    def test_weights(self):
        self.usage(":", "mean", "space", "weights=aera", says="aera")
        self.usage(":", "mean", "space", "weights=tas",
                   says="only the weights tas")
        self.usage("-V", "tas", ":", "sum", "lat", "weights=tas",
                   says="only the weights tas")

    def test_empty_selection(self):
        self.usage(":", "sel", "lat=80..85", says="lat")
        self.usage(":", "sel", "time=1850..1860", says="time")
        self.usage(":", "isel", "time=5:5", says="time")
        self.usage(":", "isel", "time=99", says="time")

    def test_bad_selection(self):
        self.usage(":", "sel", "lat=north", says="north")
        self.usage(":", "sel", "time=2000-13", says="2000-13")
        self.usage(":", "isel", "time=a:b", says="a:b")

    def test_calendar(self):
        write_grid(self.path("a.nc"), calendar="martian")
        self.fails(4, "a.nc", ":", "mean", "time", "by=year", "-o", "out.nc",
                   says=["a.nc", "time", "martian"])
        write_grid(self.path("a.nc"), units="days since yesterday")
        self.usage(":", "mean", "time", "by=year",
                   says=["a.nc", "time", "yesterday"])
        write_grid(self.path("a.nc"), calendar="none")
        for step in (["mean", "time", "by=year"], ["sel", "time=2000"],
                     ["anom", "by=month"]):
            self.fails(4, "a.nc", ":", *step, "-o", "out.nc",
                       says=["time", 'calendar "none" has no dates', "isel"])
        self.leaves("a.nc")
        self.ok("a.nc", ":", "mean", "time", "-o", "out.nc")

    def test_months_that_are_none(self):
        """UDUNITS' months are not the calendar's: said, and refused where
        notes are errors."""
        how = dict(units="months since 2000-01-01", step=1)
        write_grid(self.path("a.nc"), **how)
        r = self.ok("a.nc", ":", "mean", "time", "by=month", "-o", "out.nc")
        self.assertEqual(r.err.count("steps of 30.4368 days"), 1, r.err)
        self.fails(5, "a.nc", ":", "mean", "time", "-O", "-o", "out.nc",
                   "--strict", says=["time", "months since 2000-01-01"])
        write_grid(self.path("a.nc"), calendar="360_day", **how)
        self.ok("a.nc", ":", "mean", "time", "-O", "-o", "out.nc", "--strict")

    def test_step_names_what_is_gone(self):
        self.usage(":", "mean", "lat", ":", "mean", "lat", says="lat")


class Together(clitest.TestCase):
    """Files that do not fit together: exit 5, both files named."""

    def mismatch(self, *says, words=()):
        before = self.listing()
        self.fails(5, "a.nc", "b.nc", *words, *MEAN,
                   says=["a.nc", "b.nc", *says])
        self.assertEqual(self.listing(), before)

    def test_calendars(self):
        write_grid(self.path("a.nc"))
        write_grid(self.path("b.nc"), start=12, calendar="noleap")
        self.mismatch("noleap")

    def test_units(self):
        write_grid(self.path("a.nc"))
        write_grid(self.path("b.nc"), start=12, var_units="Pa")
        self.mismatch("tas", "Pa")

    def test_overlap(self):
        write_grid(self.path("a.nc"))
        write_grid(self.path("b.nc"), start=11, nt=5)
        self.mismatch()
        self.ok("a.nc", "b.nc", "--overlap", "first", *MEAN)
        self.ok("a.nc", "b.nc", "--overlap", "last", *MEAN, "-O")

    def test_grids(self):
        write_grid(self.path("a.nc"))
        write_grid(self.path("b.nc"), start=12, nlat=5)
        self.mismatch("lat")

    def test_variable_only_in_one(self):
        write_grid(self.path("a.nc"))
        write_grid(self.path("b.nc"), start=12, name="pr")
        self.mismatch()


class Output(clitest.TestCase):
    """Places that cannot be written: exit 6, nothing left."""

    def setUp(self):
        super().setUp()
        write_grid(self.path("a.nc"), nt=40, nlat=64, nlon=128, missing=0)

    def test_exists(self):
        with open(self.path("out.nc"), "w") as f:
            f.write("precious")
        self.fails(6, "a.nc", *MEAN, says=["out.nc", "-O"])
        with open(self.path("out.nc")) as f:
            self.assertEqual(f.read(), "precious")
        self.leaves("a.nc", "out.nc")
        self.ok("a.nc", *MEAN, "-O")
        self.leaves("a.nc", "out.nc")

    def test_failure_keeps_the_old_file(self):
        with open(self.path("out.nc"), "w") as f:
            f.write("precious")
        size = os.path.getsize(self.path("a.nc"))
        os.truncate(self.path("a.nc"), size // 2)
        self.fails(3, "a.nc", *MEAN, "-O")
        with open(self.path("out.nc")) as f:
            self.assertEqual(f.read(), "precious")
        self.leaves("a.nc", "out.nc")

    def test_no_directory(self):
        self.fails(6, "a.nc", ":", "mean", "time", "-o", "lost/out.nc",
                   says="lost")

    def test_output_is_a_directory(self):
        os.mkdir(self.path("folder"))
        for name, how in (("folder", ["-O"]), ("folder", []), ("folder/", []),
                          ("folder/", ["-O"]), (".", ["-O"])):
            self.fails(6, "a.nc", ":", "mean", "time", "-o", name, *how,
                       says=[name, "directory; name a file"])
            self.leaves("a.nc", "folder")

    def test_output_is_no_file(self):
        os.mkfifo(self.path("pipe"))
        for how in ([], ["-O"]):
            self.fails(6, "a.nc", *MEAN[:-1], "pipe", *how,
                       says=["pipe", "not a regular file"])
        self.leaves("a.nc", "pipe")
        self.assertTrue(stat.S_ISFIFO(os.stat(self.path("pipe")).st_mode))

    def test_read_only_directory(self):
        os.mkdir(self.path("fixed"))
        os.chmod(self.path("fixed"), 0o555)
        how = {}
        if os.geteuid() == 0:          # root may write anywhere: be nobody
            os.chmod(self.dir, 0o755)
            program = self.path("ncgraph")
            shutil.copy(clitest.NCGRAPH, program)
            how["program"] = program
            how["preexec_fn"] = lambda: (os.setgid(65534), os.setuid(65534))
        self.fails(6, "a.nc", ":", "mean", "time", "-o", "fixed/out.nc",
                   says="fixed", **how)
        self.assertEqual(os.listdir(self.path("fixed")), [])

    def test_file_size_limit(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
        self.fails(6, "a.nc", ":", "mean", "time", "-o", "out.nc", "-z", "none",
                   says="out.nc", preexec_fn=limit)
        self.leaves("a.nc")

    def test_disk_full(self):
        small = self.path("small")
        os.mkdir(small)
        script = ("mount -t tmpfs -o size=$1 tmpfs small && "
                  "\"$0\" a.nc -q -o small/out.nc $2 $3; code=$?; "
                  "ls -A small | wc -l; exit $code")
        for size in ("64k", "800k"):        # in the header; among the chunks
            for how in (["-z", "none"], ["-z", "1"], ["-f", "nc3"]):
                p = subprocess.run(
                    ["unshare", "--mount", "--map-root-user", "sh", "-c",
                     script, clitest.NCGRAPH, size, *how], cwd=self.dir,
                    # HDF5 1.10 loses memory of its own when its flush fails.
                    env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"),
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                if b"unshare" in p.stderr or b"mount" in p.stderr:
                    self.not_run("no mount namespaces here")
                self.assertEqual(p.returncode, 6, p.stderr)
                self.assertEqual(p.stderr.count(b"\n"), 1, p.stderr)
                self.assertIn(b"small/out.nc", p.stderr)
                self.assertIn(b"No space left", p.stderr)
                self.assertEqual(p.stdout.strip(), b"0")

    def test_full_standard_output(self):
        with open("/dev/full", "w") as full:
            p = subprocess.run([clitest.NCGRAPH, "a.nc", ":", "mean", "all",
                                "-o", "-"], cwd=self.dir, stdout=full,
                               stderr=subprocess.PIPE)
        self.assertEqual(p.returncode, 6, p.stderr)

    def test_stats_file(self):
        self.fails(6, "a.nc", *MEAN, "--stats", "lost/stats.json",
                   says="lost/stats.json")
        self.leaves("a.nc")
        os.symlink("/dev/full", self.path("full.json"))
        self.fails(6, "a.nc", *MEAN, "--stats", "full.json",
                   says=["full.json", "No space left"])

    def test_too_many_values_to_print(self):
        self.fails(2, "a.nc", ":", "mean", "lat", "lon", ":", "isel",
                   "time=0:12", "-o", "x", "--json", says="-o -")
        r = self.fails(2, "a.nc", "-o", "-", says=["10000", "-o FILE.nc"])
        self.assertEqual(r.out, "")


class Limits(clitest.TestCase):
    def test_memory_limit_too_small(self):
        write_grid(self.path("a.nc"), nt=20, nlat=64, nlon=128)
        r = self.fails(7, "a.nc", "--mem", "20K", *MEAN, says="--mem")
        self.leaves("a.nc")
        self.fails(7, "a.nc", *MEAN, env={"NCGRAPH_MEM": "20K"})
        self.fails(7, "a.nc", "--mem", "20K", "--dry-run", *MEAN)

    def test_more_files_than_descriptors(self):
        for i in range(150):
            write_grid(self.path("f%03d.nc" % i), nt=2, start=2 * i)
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        self.ok("f*.nc", *MEAN, "-j", "2", preexec_fn=limit)
        self.ok("f*.nc", ":", "mean", "time", "-o", "all.nc", "-j", "2")
        self.assertTrue(np.array_equal(clitest.read(self.path("out.nc"), "tas"),
                                       clitest.read(self.path("all.nc"), "tas"),
                                       equal_nan=True))


if __name__ == "__main__":
    clitest.main()
