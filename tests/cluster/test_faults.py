# SPDX-License-Identifier: BSD-3-Clause
"""Workers that die, are stopped, join late and leave early."""
import glob
import json
import os
import random
import resource
import signal
import subprocess
import time

import clitest
import clustertest
from clitest import netCDF4, np

STEPS = (":", "anom", "by=month")


class Faults(clustertest.TestCase):
    """Work that takes about a second: slow compression on one core."""

    def setUp(self):
        super().setUp()
        self.inputs(files=4, nt=60, nlat=90, nlon=180, chunks=(10, 90, 180))
        self.ok("in_*.nc", *STEPS, "-q", "-z", "7", "-o", "one.nc",
                "--no-history")

    def client(self):
        return self.start("in_*.nc", *STEPS, "-O", "-q", "-z", "7", "-o",
                          "many.nc", "--no-history", "--scheduler-file",
                          "s.json")

    def wait_for_chunks(self):
        """The client's file grows."""
        def grows():
            names = [n for n in glob.glob(self.path("*"))
                     if "many.nc" in n and not n.endswith("/many.nc")]
            return names or os.path.exists(self.path("many.nc"))
        self.wait_until(grows)

    def finish(self, client):
        self.assertEqual(client.wait(timeout=120), 0, self.log())
        self.same("one.nc", "many.nc")
        os.unlink(self.path("many.nc"))

    def test_killed_workers(self):
        chance = random.Random(4)
        cluster = self.cluster("--exclusive")
        nannies = [self.worker("w%d" % i) for i in range(3)]
        for _ in range(4):
            client = self.client()
            time.sleep(chance.uniform(0.05, 0.8))
            for child in clustertest.children(chance.choice(nannies).pid):
                os.kill(child, signal.SIGKILL)
            self.finish(client)
        self.stop(cluster)
        for nanny in nannies:
            self.assertEqual(nanny.wait(timeout=30), 0, self.log())

    def test_late_worker_gets_work(self):
        cluster = self.cluster("--exclusive")
        self.worker("first")
        client = self.client()
        self.wait_for_chunks()
        self.worker("second")
        self.finish(client)
        self.stop(cluster)

    def test_leaving_worker_drains(self):
        cluster = self.cluster("--exclusive")
        leaving = self.worker("leaving")
        self.worker("staying")
        for number in (signal.SIGTERM, signal.SIGUSR1):
            client = self.client()
            self.wait_for_chunks()
            leaving.send_signal(number)
            self.finish(client)
            self.assertEqual(leaving.wait(timeout=30), 0, self.log())
            leaving = self.worker("leaving%d" % number)
        self.stop(cluster)

    def test_worker_of_a_job_that_ends(self):
        """The batch system says when; the worker is gone before."""
        os.mkdir(self.path("bin"))
        with open(self.path("bin/scontrol"), "w") as f:
            f.write("#!/bin/sh\n[ \"$*\" = '-o show job 7' ] || exit 1\n"
                    "echo JobId=7 EndTime=$(date -d '8 seconds' "
                    "+%Y-%m-%dT%H:%M:%S) Deadline=N/A\n")
        os.chmod(self.path("bin/scontrol"), 0o755)
        cluster = self.cluster("--exclusive")
        leaving = self.worker("leaving", env=dict(
            os.environ, SLURM_JOB_ID="7",
            PATH=self.path("bin") + ":" + os.environ["PATH"]))
        self.worker("staying")
        while leaving.poll() is None:
            self.finish(self.client())
        self.assertEqual(leaving.wait(), 0, self.log())
        self.finish(self.client())
        self.stop(cluster)

    def test_stopped_worker(self):
        """Silent for a while (a suspect), then back with its chunks."""
        cluster = self.cluster("--exclusive")
        nanny = self.worker("paused")
        self.worker("other")
        client = self.client()
        self.wait_for_chunks()
        child = clustertest.children(nanny.pid)[0]
        os.kill(child, signal.SIGSTOP)
        time.sleep(6)
        os.kill(child, signal.SIGCONT)
        self.finish(client)
        self.finish(self.client())
        self.stop(cluster)

    def test_client_that_dies(self):
        cluster = self.cluster("--exclusive")
        self.worker("w")
        client = self.client()
        self.wait_for_chunks()
        client.kill()
        client.wait()
        for name in glob.glob(self.path("*many.nc*")) + \
                glob.glob(self.path(".*many.nc*")):
            os.unlink(name)
        self.finish(self.client())
        self.stop(cluster)

    def test_interrupted_client(self):
        cluster = self.cluster("--exclusive")
        self.worker("w")
        client = self.client()
        self.wait_for_chunks()
        client.send_signal(signal.SIGINT)
        self.assertIn(client.wait(timeout=30), (0, 130), self.log())
        self.finish(self.client())
        self.stop(cluster)

    def test_killed_under_mpirun(self):
        """A worker rank that dies does not end the job."""
        with open(self.path("log"), "ab") as log:
            p = subprocess.Popen(
                ["mpirun", "-n", "3", "--oversubscribe", clitest.NCGRAPH,
                 "in_*.nc", "::", "anom", "by=month", "-q", "-z", "7", "-o",
                 "many.nc", "--no-history", "--exclusive"],
                cwd=self.dir, env=clustertest.launched(), stderr=log)
        self.processes.append(p)
        self.wait_for_chunks()
        # mpirun starts the nannies, and each of them one process.
        nannies = clustertest.children(p.pid)
        grandchildren = [clustertest.children(n) for n in nannies]
        workers = [g for g in grandchildren[1:] if g]
        if workers:
            os.kill(workers[0][0], signal.SIGKILL)
        self.finish(p)
        if workers:
            self.assertIn("a worker (process %d) was ended by signal 9 "
                          % workers[0][0], self.log())


class DefaultFills(clustertest.TestCase):
    """What was met again because a worker was lost counts once."""

    def counted(self, name):
        with open(self.path(name)) as f:
            return json.load(f)["default_fills"]

    def test_killed_workers(self):
        chance = random.Random(8)
        self.filled_inputs(files=4, nt=40, nlat=90, nlon=180)
        words = ("in_*.nc", *STEPS, "-q", "-z", "7", "--no-history", "--stats")
        self.ok(*words, "one.json", "-o", "one.nc")
        want = self.counted("one.json")
        self.assertGreater(want, 100000)
        cluster = self.cluster("--exclusive")
        nannies = [self.worker("w%d" % i) for i in range(2)]
        for _ in range(3):
            client = self.start(*words, "many.json", "-O", "-o", "many.nc",
                                "--scheduler-file", "s.json")
            time.sleep(chance.uniform(0.1, 0.6))
            for child in clustertest.children(chance.choice(nannies).pid):
                os.kill(child, signal.SIGKILL)
            self.assertEqual(client.wait(timeout=120), 0, self.log())
            self.assertEqual(self.counted("many.json"), want)
            self.same("one.nc", "many.nc")
        self.stop(cluster)


class FullDisk(clustertest.TestCase):
    """A worker whose disk is full waits, says so, and goes on."""

    def test_room_comes_later(self):
        steps, side = 24, 600
        with netCDF4.Dataset(self.path("x.nc"), "w") as d:
            for name, size in (("time", steps), ("lat", side), ("lon", side)):
                d.createDimension(name, size)
            t = d.createVariable("time", "f8", ("time",))
            t.units = "days since 2000-01-01"
            t[:] = np.arange(steps) * 30.5 + 5
            v = d.createVariable("tas", "f4", ("time", "lat", "lon"),
                                 chunksizes=(1, side, side))
            v[:] = np.random.default_rng(1).random((steps, side, side),
                                                   dtype="f4")
        words = ("x.nc", ":", "anom", "by=month", "--no-history")
        self.ok(*words, "-q", "-o", "one.nc")
        cluster = self.cluster("--exclusive")
        os.mkdir(self.path("spill"))
        whole = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, whole[1]))
        try:
            worker = self.worker("small", "-v", "--mem", "25M",
                                 "--spill-dir", "spill")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, whole)
        client = self.start(*words, "-o", "many.nc", "--scheduler-file",
                            "s.json")
        self.wait_until(lambda: "waits for room on a disk" in self.log())
        self.assertEqual(self.log().count("File too large"), 1, self.log())
        self.assertIsNone(client.poll())
        for pid in clustertest.children(worker.pid):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, whole)
        self.assertEqual(client.wait(timeout=120), 0, self.log())
        self.same("one.nc", "many.nc")
        self.stop(cluster)

    def test_no_such_directory(self):
        """That is no matter of waiting."""
        self.inputs(files=1, nt=40, nlat=360, nlon=600, chunks=(1, 360, 600))
        cluster = self.cluster("--exclusive")
        self.worker("small", "--mem", "25M", "--spill-dir", "none")
        self.fails(6, "in_0.nc", ":", "anom", "by=month", "-o", "many.nc",
                   "--scheduler-file", "s.json", says="none")
        self.stop(cluster)


if __name__ == "__main__":
    clustertest.need_mpirun()
    clitest.main()
