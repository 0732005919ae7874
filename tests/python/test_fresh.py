# SPDX-License-Identifier: BSD-3-Clause
"""`pip install ./python` in a fresh environment, then the README's example."""
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

xr = pytest.importorskip("xarray")
pytest.importorskip("netCDF4")

PROJECT = pathlib.Path(__file__).resolve().parents[2]


def example():
    """The README's Python program, word for word."""
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    return re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1)


def run(*words, **kwargs):
    return subprocess.run([str(w) for w in words], capture_output=True,
                          text=True, **kwargs)


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """A Python into which the package was installed as the README says."""
    folder = tmp_path_factory.mktemp("fresh")
    run(sys.executable, "-m", "venv", folder, check=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "-q",
           "--disable-pip-version-check"]
    if run(*pip, "xarray", "netCDF4").returncode:
        pytest.skip("pip finds no packages here")
    done = run(*pip, "./python", cwd=PROJECT)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder / "bin" / "python"


def test_the_example_of_the_readme(python, tmp_path):
    time = xr.date_range("2001-01-01", periods=730)
    values = np.random.default_rng(5).normal(280, 9, (730, 4, 6))
    ds = xr.Dataset({"tas": (("time", "lat", "lon"), values.astype("f4"))},
                    {"time": time, "lat": np.arange(4.), "lon": np.arange(6.)})
    for year, part in ds.groupby("time.year"):
        part.to_netcdf(tmp_path / f"tas_{year}.nc")
    # Not this process's environment: its PYTHONPATH leads to the build.
    done = run(python, "-c", example(), cwd=tmp_path,
               env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr
    with xr.open_dataset(tmp_path / "climatology.nc") as made:
        xr.testing.assert_allclose(made.tas,
                                   ds.tas.groupby("time.month").mean(),
                                   rtol=1e-5)
    done = run(python, "-m", "ncgraph", "--version", cwd=tmp_path, env={})
    assert done.returncode == 0 and done.stdout.startswith("0.")
