# SPDX-License-Identifier: BSD-3-Clause
"""Looking into expressions: layers as text and as drawings."""
from __future__ import annotations

from typing import Any

from . import _lib
from ._array import Array, order_of
from ._lib import Handle, ffi, lib
from ._repr import size_text

# Layers of the engine that give values as they are, in another place.
MOVING = {"source", "const", "select", "ncg.concat/1", "ncg.copy/1",
          "ncg.reshape/1", "view"}


def _graph(arrays: list[Array], optimized: bool) -> Handle:
    rows = ffi.new("ncg_array *[]", [a._ptr for a in arrays])
    out, err = ffi.new("ncg_graph **"), ffi.new("ncg_error *")
    _lib.check(lib.ncg_graph_of(rows, len(arrays), out, err), err)
    made = Handle(out[0], lib.ncgpy_release_graph)
    if optimized:
        _lib.check(lib.ncg_graph_optimize(made.ptr, ffi.NULL, out, err), err)
        made = Handle(out[0], lib.ncgpy_release_graph)
    return made


def layers(*arrays: Array, optimized: bool = True) -> list[dict[str, Any]]:
    """Return the layers of arrays, inputs before their users.

    Returns
    -------
    list of dict
        ``name``, ``kind``, ``kernel``, ``shape``, ``dtype``, ``chunks``,
        ``tasks``, ``inputs`` (numbers of layers), ``is_python`` (a function,
        or a source, of Python).
    """
    from ._python import KERNEL
    kernel = KERNEL.decode()
    sources = {node.token for node in order_of([a._node for a in arrays])
               if node.op == "fill"}
    graph = _graph(list(arrays), optimized)
    count, err = ffi.new("size_t *"), ffi.new("ncg_error *")
    _lib.check(lib.ncg_graph_nlayers(graph.ptr, count, err), err)
    out = []
    info = ffi.new("ncg_layer_info *", lib.ncgpy_layer_info())
    for i in range(count[0]):
        _lib.check(lib.ncg_graph_layer(graph.ptr, i, info, err), err)

        def word(value: Any) -> str:
            return "" if value == ffi.NULL else ffi.string(value).decode()
        out.append({
            "name": word(info.name), "kind": word(info.kind),
            "kernel": word(info.kernel),
            "shape": tuple(info.shape[0:info.rank]),
            "dtype": ffi.string(lib.ncg_dtype_name(info.dtype)).decode(),
            "chunks": tuple(info.nchunks[0:info.rank]), "tasks": info.ntasks,
            "inputs": [info.inputs[k] for k in range(info.ninputs)]})
        out[-1]["is_python"] = word(info.kernel) == kernel or \
            word(info.token) in sources
    return out


def is_native(*arrays: Array) -> bool:
    """Whether no layer of arrays is a function, or a source, of Python."""
    return kind_of(*arrays) == "native"


def kind_of(*arrays: Array) -> str:
    """Say what computes arrays, by the layers as they were written.

    Returns
    -------
    str
        ``native``: kernels of the engine; ``Python``: functions of Python on
        chunks, and nothing but moving values beside them; ``mixed``: both.
    """
    rows = layers(*arrays, optimized=False)
    if not any(row["is_python"] for row in rows):
        return "native"
    works = [row for row in rows if not row["is_python"]
             and not MOVING & {row["kind"], row["kernel"]}]
    return "mixed" if works else "Python"


def _lazy_in(values: tuple) -> list[Array]:
    """The arrays among arrays and xarray objects, each once."""
    found: dict[int, Array] = {}
    for value in values:
        variables = getattr(value, "variables", None)
        rows = [value] if isinstance(value, Array) else \
            [v._data for v in variables.values()] if variables is not None \
            else [getattr(getattr(value, "variable", value), "_data", None)]
        found.update((id(r), r) for r in rows if isinstance(r, Array))
    if not found:
        raise ValueError("there is no lazy array of ncgraph in it")
    return list(found.values())


def explain(*arrays: Any, optimized: bool = True) -> str:
    """Describe expressions as trees, results first.

    Parameters
    ----------
    *arrays : Array or xarray object
    optimized : bool
        As they will run; otherwise as they were written.
    """
    rows = layers(*_lazy_in(arrays), optimized=optimized)
    lines: list[str] = []
    users = {i for row in rows for i in row["inputs"]}
    shown: set[int] = set()

    def show(number: int, depth: int) -> None:
        row = rows[number]
        nbytes = 1
        for size in row["shape"]:
            nbytes *= size
        width = lib.ncg_dtype_size(lib.ncg_dtype_parse(row["dtype"].encode()))
        again = "  (shown above)" if number in shown else ""
        kernel = "Python" if row["is_python"] else row["kernel"]
        lines.append(f"{'  ' * depth}{row['kind']} {kernel} "
                     f"{row['name']}: {row['shape']} {row['dtype']}, "
                     f"{size_text(nbytes * width)}, {row['tasks']} tasks"
                     f"{again}")
        if number in shown:
            return
        shown.add(number)
        for i in row["inputs"]:
            show(i, depth + 1)
    for number in reversed(range(len(rows))):
        if number not in users:
            show(number, 0)
    return "\n".join(lines)


def visualize(*arrays: Any, filename: Any = "ncgraph.svg",
              optimized: bool = True, optimize_graph: Any = None,
              format: Any = None, **kwargs: Any) -> Any:
    """Draw the graph of arrays.

    Parameters
    ----------
    *arrays : Array or xarray object
    filename : str
        Its ending says how: .svg, .png, .pdf (Graphviz draws), .dot, .json.

    Returns
    -------
    IPython.display.SVG or str
        What a notebook shows; the file's name elsewhere.
    """
    filename = str(filename)
    if format and not filename.endswith(f".{format}"):
        filename = f"{filename}.{format}"
    if "." not in filename.rpartition("/")[2]:
        filename += ".svg"
    graph = _graph(_lazy_in(arrays), optimized if optimize_graph is None
                   else bool(optimize_graph))
    err = ffi.new("ncg_error *")
    _lib.check(lib.ncg_graph_draw(graph.ptr, filename.encode(), err), err)
    if filename.endswith(".svg"):
        try:
            from IPython.display import SVG
            return SVG(filename=filename)
        except ImportError:
            pass
    return filename
