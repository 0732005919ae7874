# SPDX-License-Identifier: BSD-3-Clause
"""Help, version, the list of verbs: what a user sees first."""
import os
import re

import clitest

VERBS = ("sel isel mean sum min max range std var count any all first last "
         "argmin argmax prod median quantile anom").split()
OPTIONS = ("-o -O -V -f -z --dtype -j --mem --spill-dir --overlap --join --explain --graph "
           "--dry-run --progress --stats -q -v --no-history --strict "
           "--keepdims --time-stamp --glob --json --no-default-fill "
           "--no-checksum --help --version").split()


class Help(clitest.TestCase):
    def test_version(self):
        r = self.ok("--version")
        self.assertRegex(r.out, r"^ncgraph \d+\.\d+\.\d+\n$")
        self.assertEqual(r.err, "")

    def test_help_lists_every_option(self):
        r = self.ok("--help")
        for option in OPTIONS:
            self.assertRegex(r.out, r"(^|\s)%s[,\s]" % option)
        self.assertLessEqual(max(map(len, r.out.splitlines())), 80)

    def test_man_page_tells_all(self):
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                            "../../man/ncgraph.1")
        with open(path, encoding="utf-8") as f:
            page = f.read().replace("\\-", "-")
        words = re.findall(r"(?:^|\s)(--?[\w-]+)[,\s]", self.ok("--help").out)
        self.assertGreater(len(words), 40)
        for word in words + VERBS:
            self.assertIn(word, page)
        for key in ("by", "weights", "skipna", "min_count", "ddof"):
            self.assertIn(key + "=", page)

    def test_help_words_agree(self):
        self.assertEqual(self.ok("--help").out, self.ok("help").out)
        self.assertEqual(self.ok("-h").out, self.ok("help").out)
        self.assertEqual(self.ok("a.nc", "--help").out, self.ok("help").out)

    def test_verbs_lists_every_verb(self):
        out = self.ok("verbs").out
        for verb in VERBS:
            self.assertRegex(out, r"(?m)^  %s +\S" % verb)
        for name in ("selname", "sellonlatbox", "fld", "ymon"):
            self.assertIn(name, out)

    def test_each_verb_has_help(self):
        for verb in VERBS:
            out = self.ok("help", verb).out
            self.assertTrue(out.startswith(verb + " - "), out)
            for part in ("Usage", "Examples", "ncgraph "):
                self.assertIn(part, out)
            self.assertEqual(self.ok(verb, "--help").out, out)
            self.assertEqual(self.ok(":", verb, "--help").out, out)
            self.assertEqual(self.ok("a.nc", ":", verb, "-h").out, out)
            self.assertEqual(self.ok("verbs", verb).out, out)
            self.assertLessEqual(max(map(len, out.splitlines())), 80)

    def test_keys_of_verbs(self):
        def keys(verb):
            return set(re.findall(r"(?m)^  (\w+)=", self.ok("help", verb).out))
        self.assertEqual(keys("mean"), {"by", "weights", "skipna", "min_count"})
        self.assertEqual(keys("std"), keys("mean") | {"ddof"})
        self.assertEqual(keys("max"), {"by", "skipna", "min_count"})
        self.assertEqual(keys("anom"), {"by"})
        self.assertEqual(keys("sel"), set())

    def test_alias_help_shows_expansion(self):
        out = self.ok("help", "ymonstd1").out
        self.assertIn("ymonstd1 stands for: std time by=month ddof=1", out)
        self.assertIn("std - standard deviation", out)
        for name in ("fldstd1", "fldvar1", "merstd1", "mervar1"):
            self.fails(4, "a.nc", ":", name, "-o", "o.nc",
                       says=(name, "weights=area", "ddof=1"))

    def test_help_of_unknown_word(self):
        self.fails(2, "help", "meen", says="did you mean 'mean'?")
        self.fails(2, "help", "xyzzy", says="xyzzy")

    def test_closed_output(self):
        with open("/dev/full", "w") as full:
            import subprocess
            p = subprocess.run([clitest.NCGRAPH, "--help"], stdout=full,
                               stderr=subprocess.PIPE)
        self.assertEqual(p.returncode, 6)
        self.assertIn(b"standard output", p.stderr)


if __name__ == "__main__":
    clitest.main()
