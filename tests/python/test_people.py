# SPDX-License-Identifier: BSD-3-Clause
"""What people look at: arrays as text and HTML, drawings, progress bars."""
import json
import shutil
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import ncgraph as ncg
from ncgraph import _progress


@pytest.fixture
def array(rng):
    return ncg.from_array(rng.normal(size=(40, 60)), chunks=(10, 25))


def test_an_array_as_text(array):
    assert repr(array) == ("ncgraph.Array<memory, shape=(40, 60), "
                           "dtype=float64, chunksize=(10, 25)>")
    assert "sum, shape=()" in repr(array.sum())


def test_an_array_as_html(array):
    html = array._repr_html_()
    for text in ("18.75 KiB", "(40, 60)", "(10, 25)", "12 chunks", "float64"):
        assert text in html
    drawing = html[html.index("<svg"):html.index("</svg>") + 6]
    assert len(ET.fromstring(drawing).findall("line")) >= 4 + 5
    for other in (array.sum(), ncg.zeros(0), ncg.ones(10**7, chunks=10)):
        assert other._repr_html_().startswith("<table>")


def test_an_array_inside_xarray(array):
    xr = pytest.importorskip("xarray")
    shown = xr.DataArray(array, dims=("y", "x"))
    assert "ncgraph.Array" in repr(shown.to_dataset(name="v"))
    assert "12 chunks" in shown._repr_html_()


def test_explain_shows_the_tree(array):
    lines = ncg.explain((array + 1).mean(axis=0)).splitlines()
    assert "(60,) f8, 480 B, 3 tasks" in lines[0]
    depths = [len(line) - len(line.lstrip()) for line in lines]
    assert depths[0] == 0 and all(d > 0 for d in depths[1:])


def test_explain_takes_xarray_objects(tmp_path):
    xr = pytest.importorskip("xarray")
    ds = xr.Dataset({"a": ("x", np.arange(6.)), "b": ("x", np.arange(6))}) \
        .chunk(x=2, chunked_array_type="ncgraph")
    both = ncg.explain((ds + 1).mean("x"))
    assert both.count("mean") >= 2
    two = ncg.explain(ds.a.mean("x"), ds.b.max("x").variable)
    assert "combine mean" in two and "combine max" in two
    path = ncg.visualize(ds.sum(), filename=tmp_path / "g.dot")
    assert "sum" in (tmp_path / "g.dot").read_text() and path
    with pytest.raises(ValueError, match="no lazy array"):
        ncg.explain(ds.compute())


def test_visualize_draws(array, tmp_path):
    if not shutil.which("dot"):
        pytest.skip("Graphviz is not installed")
    path = tmp_path / "graph.svg"
    ncg.visualize((array + 1).mean(axis=0), filename=path)
    root = ET.parse(path).getroot()
    assert root.tag.endswith("svg")
    nodes = [e for e in root.iter() if e.get("class") == "node"]
    assert len(nodes) >= 2
    (array + 1).visualize(filename=str(tmp_path / "other"))
    assert (tmp_path / "other.svg").exists()


def test_visualize_as_data(array, tmp_path):
    path = tmp_path / "graph.json"
    ncg.visualize(array.sum(axis=0), filename=str(path))
    assert json.loads(path.read_text())
    path = tmp_path / "graph.dot"
    ncg.visualize(array.sum(axis=0), filename=str(path))
    assert path.read_text().startswith("digraph")
    with pytest.raises(ValueError):
        ncg.visualize(array, filename=str(tmp_path / "graph.txt"))


def test_a_bar_in_a_terminal(array, capsys):
    assert ncg.compute((array + 1).sum(), progress=True)
    shown = capsys.readouterr().err
    assert "100%" in shown and "tasks" in shown and shown.endswith("\n")
    (array + 1).sum().compute(progress=False)
    assert capsys.readouterr().err == ""


def test_a_bar_waits_and_tells_what_is_left(capsys):
    bar = _progress.Bar(after=5.0)
    bar.update(1, 10, 0, 0, 1.0)
    bar.draw()
    assert capsys.readouterr().err == ""
    bar.update(5, 10, 0, 0, 6.0)
    bar.draw()
    bar.draw()
    text = capsys.readouterr().err
    assert text.count("\r") == 1
    assert "50% 5/10 tasks, 6.0 s, 6 s left" in text
    bar.close()
    assert capsys.readouterr().err == "\n"


def test_a_bar_in_a_notebook(monkeypatch):
    pytest.importorskip("IPython")
    shown = []

    class Handle:
        def update(self, html):
            shown.append(html.data)

    def display(html, display_id):
        shown.append(html.data)
        return Handle()
    monkeypatch.setattr("IPython.display.display", display)
    bar = _progress.NotebookBar(after=0.0)
    for done in (1, 4):
        bar.update(done, 4, 0, 0, 0.5 * done)
        bar.draw()
    bar.close()
    assert len(shown) == 2
    assert 'max="4" value="4"' in shown[1] and "100% 4/4" in shown[1]


def test_values_are_those_of_numpy_after_all(array):
    np.testing.assert_allclose((array + 1).sum().compute(progress=False),
                               (np.asarray(array) + 1).sum())
