# SPDX-License-Identifier: BSD-3-Clause
"""Two jobs of Slurm with a worker each, of which one has a short walltime: the
computation goes on without it, and nothing is computed twice."""
import json
import shutil
import signal
import subprocess

import clitest
import clustertest
import test_slurm

STEPS = (":", "anom", "by=month")


class Jobs(test_slurm.OneNode):
    def setUp(self):
        if not shutil.which("sbatch"):
            self.not_run("there is no sbatch")
        super().setUp()
        self.jobs = []
        self.addCleanup(self.cancel_jobs)

    def cancel_jobs(self):
        if self.jobs:
            subprocess.run(["scancel", *self.jobs])
        for job in self.jobs:
            self.wait_until(lambda: self.job_state(job) not in
                            ("RUNNING", "COMPLETING", "PENDING"), 60)

    def job_state(self, job):
        p = subprocess.run(["scontrol", "-o", "show", "job", job], text=True,
                           stdout=subprocess.PIPE)
        return p.stdout.partition("JobState=")[2].partition(" ")[0]

    def submit(self, name, *options):
        script = "exec %s worker --scheduler-file %s -j 1 --name %s" % (
            clitest.NCGRAPH, self.path("s.json"), name)
        p = subprocess.run(["sbatch", "--parsable", "-J", name, *options,
                            "-o", self.path(name + ".out"), "--wrap", script],
                           env=clustertest.launched(), cwd=self.dir, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(p.returncode, 0, p.stderr)
        self.jobs.append(p.stdout.strip().partition(";")[0])
        self.wait_until(lambda: "worker %s joined" % name in self.log(), 60)
        return self.jobs[-1]

    def end_of(self, name):
        """What the job of a worker printed, for messages."""
        with open(self.path(name + ".out"), errors="replace") as f:
            return f.read() + self.log()

    def has_begun(self):
        r = self.ok("cluster", "status", "--scheduler-file", "s.json")
        runs = json.loads(r.out)["computations"]
        return runs and runs[0]["memory"] > 0

    def test_short_walltime(self):
        self.inputs(files=8, nt=60, nlat=90, nlon=180, chunks=(2, 90, 180))
        words = ("in_*.nc", *STEPS, "-q", "-z", "7", "--no-history")
        self.ok(*words, "-o", "one.nc")
        cluster = self.cluster("--exclusive")
        long_job = self.submit("long")
        short_job = self.submit("short", "-t", "1")
        client = self.start(*words, "-o", "many.nc", "--stats", "stats",
                            "--scheduler-file", "s.json")
        # It takes nothing more from them until the short one is gone, so that
        # it outlives that one's job.
        self.wait_until(self.has_begun)
        client.send_signal(signal.SIGSTOP)
        self.wait_until(lambda: "worker short left" in self.log(), 90)
        client.send_signal(signal.SIGCONT)
        self.assertEqual(client.wait(timeout=120), 0, self.log())
        self.same("one.nc", "many.nc")
        with open(self.path("stats")) as f:
            stats = json.load(f)
        self.assertGreater(stats["bytes_moved"], 0)
        self.assertEqual(stats["tasks_recomputed"], 0)
        # It left by itself: nobody cut it off.
        self.wait_until(lambda: self.job_state(short_job) not in
                        ("RUNNING", "COMPLETING"), 60)
        self.assertEqual(self.job_state(short_job), "COMPLETED",
                         self.end_of("short"))
        self.assertEqual(self.job_state(long_job), "RUNNING", self.end_of("long"))
        self.stop(cluster)
        self.wait_until(lambda: self.job_state(long_job) == "COMPLETED", 60)


if __name__ == "__main__":
    clitest.main()
