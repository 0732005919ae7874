# SPDX-License-Identifier: BSD-3-Clause
"""Ctrl-C and SIGTERM: exit 130 and 143, no half-written file, no old file
lost."""
import os
import signal
import subprocess
import time

import clitest
from clitest import write_grid

clitest.need_netcdf()


class Signals(clitest.TestCase):
    def setUp(self):
        super().setUp()
        # Incompressible data and the slowest compression: seconds of work.
        for i in range(4):
            write_grid(self.path("in_%d.nc" % i), nt=100, nlat=180, nlon=180,
                       start=100 * i, step=1, missing=0, zlib=False)

    def start(self, *words):
        return subprocess.Popen(
            [clitest.NCGRAPH, "in_*.nc", ":", "anom", "by=month", "-z", "9",
             "-j", "1", "-o", "out.nc", *words], cwd=self.dir,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def wait_for_output(self, p):
        """Until the temporary file is there."""
        before = {"in_%d.nc" % i for i in range(4)} | {"out.nc"}
        end = time.monotonic() + 60
        while time.monotonic() < end and p.poll() is None:
            if set(self.listing()) - before:
                return True
            time.sleep(0.002)
        return False

    def interrupted(self, number):
        p = self.start("-O")
        seen = self.wait_for_output(p)
        time.sleep(0.05)
        p.send_signal(number)
        _, err = p.communicate(timeout=60)
        self.assertTrue(seen, err)
        self.assertEqual(p.returncode, 128 + number, err)
        self.assertEqual(err, b"ncgraph: interrupted, nothing was written\n")

    def test_interrupt(self):
        self.interrupted(signal.SIGINT)
        self.leaves(*["in_%d.nc" % i for i in range(4)])

    def test_terminate_keeps_the_old_file(self):
        with open(self.path("out.nc"), "w") as f:
            f.write("precious")
        self.interrupted(signal.SIGTERM)
        with open(self.path("out.nc")) as f:
            self.assertEqual(f.read(), "precious")
        self.leaves("out.nc", *["in_%d.nc" % i for i in range(4)])

    def test_twice(self):
        """The second one ends it at once; nothing is left either."""
        p = self.start()
        seen = self.wait_for_output(p)
        p.send_signal(signal.SIGINT)
        p.send_signal(signal.SIGTERM)
        _, err = p.communicate(timeout=60)
        self.assertTrue(seen, err)
        self.assertIn(p.returncode, (130, 143), err)
        self.assertIn(b"ncgraph: interrupted", err)
        self.leaves(*["in_%d.nc" % i for i in range(4)])

    def test_any_moment(self):
        """Whenever the signal comes, either all is done or nothing is left."""
        for delay in (0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3):
            p = self.start()
            time.sleep(delay)
            p.send_signal(signal.SIGINT)
            p.communicate(timeout=60)
            # Before main() has begun, the signal ends the process by itself.
            self.assertIn(p.returncode, (0, 130, -signal.SIGINT))
            if p.returncode == 0:
                os.remove(self.path("out.nc"))
            self.leaves(*["in_%d.nc" % i for i in range(4)])


if __name__ == "__main__":
    clitest.main()
