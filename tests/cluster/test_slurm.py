# SPDX-License-Identifier: BSD-3-Clause
"""srun, with and without PMIx, and jobs with a worker that leaves before its
time is over; in a real Slurm of one node. Scripts for batch systems."""
import glob
import os
import shutil
import subprocess

import clitest
import clustertest

HERE = os.path.dirname(os.path.abspath(__file__))
BATCH = os.path.join(HERE, "../../examples/batch")
SCRIPT = os.path.join(HERE, "one-node-slurm")


class Scripts(clustertest.TestCase):
    def test_syntax(self):
        names = sorted(os.listdir(BATCH))
        self.assertEqual(len(names), 8)
        for name in names:
            r = clitest.run("-n", os.path.join(BATCH, name), program="/bin/sh")
            self.assertEqual((r.code, r.err), (0, ""), name)


class OneNode(clustertest.TestCase):
    """A Slurm of this machine, for as long as the tests take."""

    @classmethod
    def setUpClass(cls):
        for program in ("slurmctld", "slurmd", "srun", "munged"):
            if not shutil.which(program) and not os.path.exists(
                    "/usr/sbin/" + program):
                raise unittest_skip("there is no " + program)
        if os.geteuid() != 0:
            raise unittest_skip("only root can start a Slurm of its own")
        cls.state = "/tmp/ncgraph-slurm-%d" % os.getpid()
        p = subprocess.run([SCRIPT, "start", cls.state], text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if p.returncode:
            subprocess.run([SCRIPT, "stop", cls.state])
            raise unittest_skip("no Slurm: " + p.stderr.strip())
        os.environ["SLURM_CONF"] = p.stdout.strip()

    @classmethod
    def tearDownClass(cls):
        subprocess.run([SCRIPT, "stop", cls.state])
        shutil.rmtree(cls.state, ignore_errors=True)

    def srun(self, *words, timeout=120):
        p = subprocess.run(["srun", *map(str, words)], cwd=self.dir,
                           env=clustertest.launched(),
                           stdin=subprocess.DEVNULL, timeout=timeout,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return clitest.Result(p.returncode, p.stdout.decode(),
                              p.stderr.decode())


class Slurm(OneNode):
    def test_without_pmix(self):
        r = self.srun("--mpi=none", "-n", 2, clitest.NCGRAPH, "x.nc", "::",
                      "mean", "time", "-o", "y.nc")
        self.assertEqual(r.code, 2, r.err)
        self.assertIn("srun --mpi=pmix", r.err)
        self.assertFalse(glob.glob(self.path("y.nc*")))

    def test_same_bytes(self):
        self.inputs()
        steps = ("anom", "by=month", "::", "std", "time")
        self.ok("in_*.nc", "::", *steps, "-q", "-o", "one.nc", "--no-history")
        r = self.srun("--mpi=pmix", "-n", 2, clitest.NCGRAPH, "in_*.nc", "::",
                      *steps, "-q", "-o", "many.nc", "--no-history")
        self.assertEqual((r.code, r.err), (0, ""))
        self.same("one.nc", "many.nc")


def unittest_skip(reason):
    import unittest
    print("\nnot run: " + reason, flush=True)
    return unittest.SkipTest(reason)


if __name__ == "__main__":
    clitest.main()
