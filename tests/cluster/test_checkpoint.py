# SPDX-License-Identifier: BSD-3-Clause
"""The only worker leaves in the middle of a computation: what it has goes to
the directory for checkpoints, the next worker finds it there."""
import json
import os
import signal

import clitest
import clustertest

STEPS = (":", "anom", "by=month", ":", "quantile", "time", "q=0.9")


class Checkpoint(clustertest.TestCase):
    def setUp(self):
        super().setUp()
        self.inputs(files=8, nt=120, nlat=90, nlon=180, chunks=(10, 90, 180))
        self.ok("in_*.nc", *STEPS, "-q", "-o", "one.nc", "--no-history")
        os.mkdir(self.path("saved"))
        os.mkdir(self.path("saved/whole"))

    def join(self, name):
        return self.worker(name, "--checkpoint-dir", "saved/whole")

    def status(self):
        r = self.ok("cluster", "status", "--scheduler-file", "s.json")
        return json.loads(r.out)

    def is_under_way(self):
        """Or it is over, on a machine that is quicker than we look."""
        runs = self.status()["computations"]
        return (self.client.poll() is not None or
                bool(runs) and runs[0]["tasks_done"] >= 5)

    def saved(self):
        return os.listdir(self.path("saved/whole"))

    def leave_in_the_middle(self):
        """False: it was over before."""
        first = self.join("first")
        self.client = self.start("in_*.nc", *STEPS, "-O", "-q", "-o", "many.nc",
                                 "--no-history", "--stats", "stats",
                                 "--scheduler-file", "s.json")
        self.wait_until(self.is_under_way)
        first.send_signal(signal.SIGTERM)
        self.assertEqual(first.wait(timeout=60), 0, self.log())
        return self.client.poll() is None and bool(self.saved())

    def finish_with(self, name):
        """Another worker does the rest, and goes."""
        p = self.join(name)
        self.assertEqual(self.client.wait(timeout=120), 0, self.log())
        self.same("one.nc", "many.nc")
        p.send_signal(signal.SIGTERM)
        self.assertEqual(p.wait(timeout=60), 0, self.log())

    def leave(self):
        self.cluster("--exclusive")
        for _ in range(5):
            if self.leave_in_the_middle():
                return
            self.finish_with("between")
        clitest.skip("computations are over before a worker can leave")

    def test_next_worker_takes_it_up(self):
        self.leave()
        self.finish_with("second")
        with open(self.path("stats")) as f:
            self.assertEqual(json.load(f)["tasks_recomputed"], 0)
        self.wait_until(lambda: not self.saved())

    def test_lost_files_are_made_again(self):
        self.leave()
        for name in self.saved():
            os.unlink(self.path("saved/whole/" + name))
        self.finish_with("second")

    def test_no_directory(self):
        self.cluster("--exclusive")
        p = self.start("worker", "--scheduler-file", "s.json",
                       "--checkpoint-dir", "nowhere")
        self.assertNotEqual(p.wait(timeout=60), 0)
        self.assertIn("nowhere", self.log())


if __name__ == "__main__":
    clitest.main()
