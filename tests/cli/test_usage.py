# SPDX-License-Identifier: BSD-3-Clause
"""Mistakes on the command line: exit 2, one line that says what to do, before
any file is opened."""
import clitest


class Usage(clitest.TestCase):
    def usage(self, *words, says=(), **how):
        self.fails(2, *words, says=says, **how)
        self.leaves()

    def test_nothing(self):
        self.usage(says="no input")
        self.usage(":", "mean", "time", "-o", "x.nc", says="no input")
        self.usage("-o", "x.nc", says="no input")

    def test_no_output(self):
        self.usage("a.nc", ":", "mean", "time", says=["-o FILE.nc", "-o -"])
        self.usage("a.nc", says=["-o FILE.nc", "ncgraph info"])

    def test_verb_misspelt(self):
        self.usage("a.nc", ":", "meen", "time", "-o", "x.nc",
                   says=["'meen'", "did you mean 'mean'?"])
        self.usage("a.nc", ":", "agrmax", "time", "-o", "x.nc",
                   says="did you mean 'argmax'?")
        self.usage("a.nc", ":", "timmaen", "-o", "x.nc",
                   says="did you mean 'timmean'?")
        self.usage("a.nc", ":", "xyzzy", "-o", "x.nc",
                   says="`ncgraph verbs` lists")

    def test_option_misspelt(self):
        self.usage("a.nc", "--overwite", says="did you mean --overwrite?")
        self.usage("a.nc", "--tread=3", says="did you mean --threads?")
        self.usage("a.nc", "--xyzzy", says="--xyzzy")
        self.usage("a.nc", "-x", says="-x")

    def test_option_values(self):
        base = ["a.nc", ":", "mean", "time", "-o", "x.nc"]
        for words, says in (
                (["-j", "0"], "-j"), (["-j", "many"], "'many'"),
                (["--threads=-2"], "--threads"),
                (["--mem", "lots"], "'lots'"), (["--mem", "-1G"], "--mem"),
                (["--mem", "0"], "--mem"), (["--mem", "4Q"], "4Q"),
                (["-f", "nc6"], "nc4|nc4c|nc3|nc64|nc5"),
                (["-z", "10"], "0 to 9"), (["-z", "some"], "none"),
                (["--dtype", "f2"], "f4|f8|in"),
                (["--overlap", "maybe"], "error|first|last"),
                (["--join", "outer"], "exact|inner"),
                (["--missing", "0"], "error|fill"),
                (["--progress", "fast"], "auto|bar|json|none"),
                (["--time-stamp", "end"], "mid|first|last"),
                (["--wire-compression", "gzip"], "none|lz4|zstd"),
                (["--wire-checksum", "maybe"], "auto|on|off"),
                (["--graph", "g.txt"], ".svg"),
                (["--quiet=yes"], "no value"),
                (["--json"], "-o -"), (["-V", ""], "-V"),
                (["--stats"], "needs a value")):
            self.usage(*base, *words, says=says)

    def test_environment(self):
        base = ["a.nc", ":", "mean", "time", "-o", "x.nc"]
        self.usage(*base, env={"NCGRAPH_THREADS": "two"},
                   says=["NCGRAPH_THREADS", "'two'"])
        self.usage(*base, env={"NCGRAPH_MEM": "all"},
                   says=["NCGRAPH_MEM", "'all'"])

    def test_keys(self):
        def step(*words, says):
            self.usage("a.nc", ":", *words, "-o", "x.nc", says=says)
        step("mean", "time", "bi=month", says="did you mean 'by='?")
        step("mean", "time", "wieghts=area", says="did you mean 'weights='?")
        step("mean", "time", "by=mnth", says="did you mean by=month?")
        step("mean", "time", "by=decade", says="yearmonth")
        step("max", "time", "weights=area", says="max has no key 'weights='")
        step("mean", "time", "ddof=1", says="mean has no key 'ddof='")
        step("mean", "time", "skipna=perhaps", says="yes or no")
        step("mean", "time", "min_count=-1", says="min_count=")
        step("std", "time", "ddof=1.5", says="ddof=")
        step("mean", "time", "by=", says="needs a value")
        step("anom", "weights=area", says="it takes by=")

    def test_steps(self):
        def step(*words, says):
            self.usage("a.nc", ":", *words, "-o", "x.nc", says=says)
        step("mean", says=["needs a dimension", "mean time"])
        step("mean", "by=month", says="needs a dimension")
        step("anom", "lat", says="along time")
        step("sel", says="needs something to select")
        step("sel", "nearest", says="needs something to select")
        step("sel", "lat", says="lat=30..60")
        step("sel", "=3", says="lat=30..60")
        step("isel", "time", says="time=0:12")
        step(":", "mean", "time", says="no verb after ':'")
        self.usage("a.nc", ":", says="no verb after ':'")

    def test_forgotten_colon(self):
        self.usage("a.nc", "mean", "time", "-o", "x.nc", says="put ':' before")
        self.usage("mean", "a.nc", "-o", "x.nc", says="inputs come first")

    def test_standard_input(self):
        self.usage("-", ":", "mean", "time", "-o", "x.nc",
                   says="standard input")

    def test_aliases(self):
        def step(word, says, code=2):
            self.fails(code, "a.nc", ":", word, "-o", "x.nc", says=says)
            self.leaves()
        step("sellonlatbox,1,2", "W,E,S,N")
        step("selname", "NAME")
        step("selyear,1,2", "FIRST")
        step("seltimestep,0", "seltimestep")
        step("timmean,3", "no parameters")
        step("fldpctl", "percentage")
        step("zonpctl,101", "percentage")
        step("merpctl,95", ["CDO's merpctl", "quantile lat q=0.95"], code=4)
        step("timpctl,95", ["CDO's timpctl", "quantile time q=0.95"], code=4)
        for name in ("ydaymean", "hourmax", "vertmean"):
            step(name, ["CDO's " + name], code=4)

    def test_info(self):
        self.usage("info", says="info needs files")
        self.usage("info", "a.nc", "-o", "x.nc", says="no -o")


if __name__ == "__main__":
    clitest.main()
