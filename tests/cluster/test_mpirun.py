# SPDX-License-Identifier: BSD-3-Clause
"""Under mpirun the command gives the file that it gives alone."""
import glob
import json
import os

import clitest
import clustertest
from clustertest import mpirun

clustertest.need_mpirun()

STEPS = [
    (":", "mean", "time"),
    (":", "anom", "by=month", ":", "std", "time"),
    (":", "quantile", "time", "q=0.9"),
    (":", "anom", "by=month"),
    (":", "mean", "space", "weights=area"),
    (":", "sel", "lat=0..60", ":", "max", "time", "by=month"),
]


def doubled(words):
    """mpirun takes a lone colon for itself."""
    return ["::" if word == ":" else word for word in words]


class Mpirun(clustertest.TestCase):
    def same_as_alone(self, ranks, *words):
        self.ok("in_*.nc", *words, "-O", "-q", "-o", "one.nc", "--no-history")
        r = mpirun(ranks, clitest.NCGRAPH, "in_*.nc", *doubled(words), "-O",
                   "-q", "-o", "many.nc", "--no-history", cwd=self.dir)
        self.assertEqual((r.code, r.err), (0, ""))
        self.same("one.nc", "many.nc")

    def test_same_bytes(self):
        self.inputs()
        for words in STEPS:
            with self.subTest(words):
                self.same_as_alone(4, *words)

    def test_wire_options(self):
        """Chunks come from workers to the client whichever way they travel."""
        self.inputs(files=2)
        self.ok("in_*.nc", ":", "anom", "by=month", "-q", "-o", "one.nc",
                "--no-history")
        for options in (("--wire-compression", "lz4", "--mem", "16M"),
                        ("--wire-compression=zstd", "--wire-checksum=on"),
                        ("--wire-checksum", "off"), ("--tls",)):
            with self.subTest(options):
                r = mpirun(3, clitest.NCGRAPH, "in_*.nc", "::", "anom",
                           "by=month", "-O", "-q", "-o", "many.nc",
                           "--no-history", *options, cwd=self.dir)
                self.assertEqual((r.code, r.err), (0, ""))
                self.same("one.nc", "many.nc")
        self.fails(2, "in_0.nc", ":", "mean", "time", "-o", "x.nc",
                   "--wire-compression", "gzip", says="none|lz4|zstd")

    def test_two_ranks_and_one(self):
        self.inputs(files=2)
        self.same_as_alone(2, ":", "mean", "time")
        self.same_as_alone(1, ":", "mean", "time")

    def test_exclusive(self):
        self.inputs(files=2)
        self.same_as_alone(2, ":", "mean", "time", "--exclusive")

    def test_printing(self):
        self.inputs(files=1)
        words = ["in_0.nc", ":", "mean", "all", "-o", "-"]
        r = mpirun(3, clitest.NCGRAPH, *doubled(words), cwd=self.dir)
        self.assertEqual((r.code, r.out), (0, self.ok(*words).out))

    def test_errors_are_told_once(self):
        self.inputs(files=1)
        r = mpirun(3, clitest.NCGRAPH, "none.nc", "::", "mean", "time", "-o",
                   "x.nc", cwd=self.dir)
        lines = [s for s in r.lines() if s.startswith("ncgraph: ")]
        self.assertEqual(r.code, 3, r.err)
        self.assertEqual(len(lines), 1, r.err)
        self.assertIn("none.nc", lines[0])
        self.assertFalse(glob.glob(self.path("x.nc*")))

    def test_damaged_input(self):
        self.inputs(files=2)
        size = os.path.getsize(self.path("in_1.nc"))
        with open(self.path("in_1.nc"), "r+b") as f:
            f.seek(size // 2)
            f.write(b"\xff" * 4000)
        alone = clitest.run("in_*.nc", ":", "mean", "time", "-q", "-o", "x.nc",
                            cwd=self.dir)
        r = mpirun(3, clitest.NCGRAPH, "in_*.nc", "::", "mean", "time", "-q",
                   "-o", "x.nc", cwd=self.dir)
        self.assertEqual(alone.code, 3, alone.err)
        self.assertEqual(r.code, 3, r.err)
        self.assertIn("in_1.nc", r.err)
        self.assertFalse(glob.glob(self.path("x.nc*")))

    def test_default_fills_are_told(self):
        """Values that are missing by NetCDF's default fill: the notes and the
        count are those of one process."""
        self.filled_inputs()

        def told(r, stats):
            with open(self.path(stats)) as f:
                counted = json.load(f)["default_fills"]
            return counted, sorted(line for line in r.lines()
                                   if "default fill" in line)

        for step in ("mean time", "anom by=month", "quantile time q=0.5",
                     "mean lat lon weights=area", "isel time=2:9"):
            words = ["in_*.nc", ":", *step.split(), "-O", "-o", "o.nc",
                     "--stats", "s.json"]
            alone = told(self.ok(*words), "s.json")
            r = mpirun(4, clitest.NCGRAPH, *doubled(words), cwd=self.dir)
            self.assertEqual(r.code, 0, r.err)
            self.assertEqual(told(r, "s.json"), alone, step)
            self.assertGreater(alone[0], 0)
            self.assertEqual(len(alone[1]), 2)

    def test_program_with_a_kernel_of_its_own(self):
        self.inputs(files=2)
        program = os.path.join(os.environ["NCG_EXAMPLES"], "ex_launch")
        alone = self.ok("in_0.nc", "in_1.nc", "tas", program=program)
        r = mpirun(4, program, "in_0.nc", "in_1.nc", "tas", cwd=self.dir)
        self.assertEqual((r.code, r.err), (0, ""))
        self.assertEqual(r.out, alone.out)
        r = mpirun(4, program, "none.nc", "tas", cwd=self.dir)
        self.assertEqual(r.code, 3, r.err)

    def test_explicit_tasks(self):
        program = os.environ["NCG_NAMED_TASKS"]
        for ranks in 2, 4:
            r = mpirun(ranks, program, cwd=self.dir)
            self.assertEqual((r.code, r.err), (0, ""))
            self.assertEqual(r.out, "108 of 108 equal, made elsewhere\n")

    def test_tasks_without_peers(self):
        """As srun without PMIx would start them."""
        for env, says in (
                ({"SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "0"},
                 "srun --mpi=pmix"),
                ({"PMI_SIZE": "4", "PMI_RANK": "1"}, "mpirun")):
            env["ASAN_OPTIONS"] = clustertest.launched()["ASAN_OPTIONS"]
            self.fails(2, "x.nc", ":", "mean", "time", "-o", "y.nc", env=env,
                       says=("cannot find each other", says))

    def test_environment_of_a_child(self):
        self.fails(2, "info", "x.nc", env={"NCGRAPH_CHILD": "77"},
                   says="NCGRAPH_CHILD")


if __name__ == "__main__":
    clitest.main()
