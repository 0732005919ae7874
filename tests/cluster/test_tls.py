# SPDX-License-Identifier: BSD-3-Clause
"""TLS with certificates of files, through the command: cluster, workers,
clients, mpirun; and what is said where they are wrong."""
import shutil
import subprocess

import clitest
import clustertest

STEPS = (":", "mean", "time")
EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")

if not shutil.which("openssl"):
    clitest.skip("there is no openssl")


class Tls(clustertest.TestCase):
    def openssl(self, *words):
        p = subprocess.run(["openssl", *words], cwd=self.dir,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)
        self.assertEqual(p.returncode, 0, p.stdout)

    def authority(self, name):
        self.openssl("req", "-x509", *EC, "-keyout", name + ".key", "-out",
                     name + ".pem", "-subj", "/CN=" + name, "-days", "30")

    def certificate(self, name, authority, days=30):
        self.openssl("req", *EC, "-keyout", name + ".key", "-out",
                     name + ".csr", "-subj", "/CN=" + name)
        self.openssl("x509", "-req", "-in", name + ".csr", "-CA",
                     authority + ".pem", "-CAkey", authority + ".key",
                     "-CAcreateserial", "-out", name + ".pem", "-days",
                     str(days))

    def files(self, authority, name, key=None):
        return ("--tls-ca-file", self.path(authority + ".pem"), "--tls-cert",
                self.path(name + ".pem"), "--tls-key",
                self.path((key or name) + ".key"))

    def setUp(self):
        super().setUp()
        self.authority("site")
        self.certificate("host", "site")
        self.good = self.files("site", "host")

    def client(self, *options):
        return ("in_*.nc", *STEPS, "-O", "-q", "-o", "many.nc", "--no-history",
                "--scheduler-file", "s.json", *options)

    def test_all_show_certificates_of_the_site(self):
        self.inputs(files=2)
        self.ok("in_*.nc", *STEPS, "-q", "-o", "one.nc", "--no-history")
        cluster = self.cluster("--exclusive", *self.good)
        self.certificate("other", "site")
        self.worker("one", *self.good)
        self.worker("two", *self.files("site", "other"))
        self.ok(*self.client(*self.good))
        self.same("one.nc", "many.nc")
        self.ok("cluster", "status", "--scheduler-file", "s.json", *self.good)
        self.ok("cluster", "stop", "--scheduler-file", "s.json", *self.good)
        self.assertEqual(cluster.wait(timeout=60), 0, self.log())

    def test_under_mpirun(self):
        clustertest.need_mpirun()
        self.inputs(files=2)
        self.ok("in_*.nc", *STEPS, "-q", "-o", "one.nc", "--no-history")
        r = clustertest.mpirun(
            2, clitest.NCGRAPH, "in_0.nc", "in_1.nc", "::", *STEPS[1:], "-q",
            "-o", "many.nc", "--no-history", *self.good, cwd=self.dir)
        self.assertEqual(r.code, 0, r.err)
        self.same("one.nc", "many.nc")

    def test_who_is_turned_away(self):
        self.inputs(files=2)
        cluster = self.cluster("--exclusive", *self.good)
        self.worker("one", *self.good)
        self.authority("stranger")
        self.certificate("foe", "stranger")
        self.certificate("old", "site", days=-1)
        for code, files, says in (
                (8, (), "another authority"),
                (8, self.files("stranger", "foe"), "another authority"),
                (8, self.files("site", "old"), "expired"),
                (8, self.files("site", "foe"), "authority"),
                (None, self.files("site", "host", "foe"), "foe.key"),
                (None, self.files("site", "host", "none"), "none.key"),
                (None, self.good[:4], "--tls-key")):
            r = clitest.run(*self.client(*files), cwd=self.dir)
            told = "%s: %d: %s" % (files, r.code, r.err)
            self.assertNotEqual(r.code, 0, told)
            self.assertIn(r.code, (2, 3, 8) if code is None else (code,), told)
            self.assertIn(says, r.err, told)
        self.ok("cluster", "stop", "--scheduler-file", "s.json", *self.good)
        self.assertEqual(cluster.wait(timeout=60), 0, self.log())


if __name__ == "__main__":
    clitest.main()
