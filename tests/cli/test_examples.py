# SPDX-License-Identifier: BSD-3-Clause
"""The example programs give what NumPy gives."""
import os

import clitest
from clitest import np, read, write_grid

clitest.need_netcdf()


class Examples(clitest.TestCase):
    def setUp(self):
        super().setUp()
        write_grid(self.path("a.nc"))
        write_grid(self.path("b.nc"), start=12)

    def example(self, name, *words):
        return self.ok(*words, program=os.path.join(
            os.environ["NCG_EXAMPLES"], name))

    def both(self):
        return np.concatenate([read(self.path(n), "tas")
                               for n in ("a.nc", "b.nc")])

    def test_first(self):
        self.example("ex_first", "[ab].nc", "mean.nc")
        np.testing.assert_allclose(read(self.path("mean.nc"), "tas")[0],
                                   np.nanmean(self.both(), axis=0), rtol=1e-6)

    def test_select_reduce(self):
        r = self.example("ex_select_reduce", "[ab].nc", "max.nc")
        self.assertIn("1 pass", r.out)
        got = read(self.path("max.nc"), "tas")
        np.testing.assert_array_equal(
            got[0], np.nanmax(self.both()[:12, 2:, :4], axis=0))

    def test_array(self):
        r = self.example("ex_array", "a.nc", "tas")
        x = read(self.path("a.nc"), "tas")
        want = np.nanmax(np.abs(x - np.nanmean(x, axis=0)))
        self.assertAlmostEqual(float(r.out), want, delta=1e-3)

    def test_user_kernel(self):
        r = self.example("ex_user_kernel", "a.nc", "tas")
        want = np.nanmean(read(self.path("a.nc"), "tas") * 1.8 - 459.67)
        self.assertAlmostEqual(float(r.out), want, delta=1e-2)

    def test_user_collection(self):
        r = self.example("ex_user_collection", "a.nc", "tas")
        x = read(self.path("a.nc"), "tas")
        span, mean = (float(word) for word in r.out.split())
        self.assertAlmostEqual(span, 1.8 * (np.nanmax(x) - np.nanmin(x)),
                               delta=1e-3)
        self.assertAlmostEqual(mean, np.nanmean(x), delta=1e-3)

    def test_explicit_graph(self):
        r = self.example("ex_explicit_graph", "a.nc", "tas")
        self.assertEqual(np.float32(r.out),
                         np.nanmax(read(self.path("a.nc"), "tas")))

    def test_persist(self):
        r = self.example("ex_persist", "a.nc", "tas")
        x = read(self.path("a.nc"), "tas")
        a = x - np.nanmean(x, axis=0)
        highest, spread, rest = r.out.split(maxsplit=2)
        self.assertAlmostEqual(float(highest), np.nanmax(a), delta=1e-3)
        self.assertAlmostEqual(float(spread.rstrip(",")), np.nanstd(a),
                               delta=1e-3)
        self.assertEqual(rest.strip(), "0 chunks read again")

    def test_submit(self):
        r = self.example("ex_submit", "a.nc", "tas")
        words = r.out.replace(",", "").split()
        want = np.nanstd(read(self.path("a.nc"), "tas"), axis=0)
        self.assertGreaterEqual(int(words[0]), 1)
        self.assertEqual(int(words[3]), want.size)
        self.assertAlmostEqual(float(words[-1]), want.sum(),
                               delta=1e-4 * want.sum())

    def test_error(self):
        for name in ("ex_persist", "ex_submit"):
            r = clitest.run(self.path("a.nc"), "nothing", program=os.path.join(
                os.environ["NCG_EXAMPLES"], name))
            self.assertEqual(r.code, 2)
            self.assertIn("no variable nothing", r.err)


if __name__ == "__main__":
    clitest.main()
