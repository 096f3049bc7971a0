"""How many dask tasks a call adds: few per chunk, and never more per chunk on more chunks.

Counted are the layers of the result's graph that the chunked layer made (their names begin with
"xocean-"): predictions, sums, merges, carries and getters. Not counted are the input's own graph
and its clone, from which the second phase reads. Arrays are of zeros that nobody computes.
"""

from __future__ import annotations

import weakref

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr

import xocean_ml  # noqa: F401  registers the accessor
from xocean_ml.smoothing import graph

DIMS = ("time", "depth", "lat", "lon")

FEW = 8
"""Tasks that a call may add however many chunks there are: model, job, last merge, windows."""

CASES = {
    "64 chunks, time whole": ((120, 4, 64, 64), (120, 4, 8, 8)),
    "8 chunks of 60 steps": ((480, 4, 32, 32), (60, 4, 32, 32)),
    "8 x 4 chunks of 60 steps": ((480, 4, 64, 64), (60, 4, 32, 32)),
    "8 x 4 chunks of 60 steps, 100 MB each": ((480, 4, 640, 640), (60, 4, 320, 320)),
    "120 chunks of one step": ((120, 4, 32, 32), (1, 4, 32, 32)),
    "120 x 4 chunks of one step": ((120, 4, 32, 32), (1, 4, 16, 16)),
    "120 chunks of one step, 33 MB each": ((120, 8, 1024, 1024), (1, 8, 1024, 1024)),
    "120 chunks of one step, 100 MB each": ((120, 24, 1024, 1024), (1, 24, 1024, 1024)),
}

BAR = {"cell": 2, "column": 2, "global": 4}
"""One output: 1 + outputs for closures within a column, 3 + outputs for the globe."""


def _sample(shape: tuple[int, ...], chunks: tuple[int, ...]) -> xr.Dataset:
    steps, levels, rows, columns = shape
    time = np.datetime64("1990-01-01", "ns") + np.arange(steps) * np.timedelta64(30, "D")
    theta = "sea_water_potential_temperature"
    increment = {"standard_name": f"change_over_time_in_{theta}", "units": "K"}
    zeros = da.zeros(shape, chunks=chunks, dtype="f4")
    depth = {"standard_name": "depth", "units": "m", "positive": "down", "axis": "Z"}
    return xr.Dataset(
        {
            "increment": (DIMS, zeros, increment),
            "thetao": (DIMS, zeros + 280, {"standard_name": theta, "units": "K"}),
            "areacello": (
                ("lat", "lon"),
                np.ones((rows, columns)),
                {"standard_name": "cell_area", "units": "m2"},
            ),
            "thkcello": (
                "depth",
                np.full(levels, 10.0),
                {"standard_name": "cell_thickness", "units": "m"},
            ),
        },
        {
            "time": ("time", time, {"standard_name": "time", "axis": "T"}),
            "depth": ("depth", 10.0 * np.arange(levels) + 5, depth),
        },
    )


def _no_compute(*args, **kwargs):
    raise AssertionError("something was computed before it was asked for")


def _smoothed(shape, chunks, variable="increment", **options) -> da.Array:
    with dask.config.set(scheduler=_no_compute):
        return _sample(shape, chunks).ml_smooth("dong", **options)[variable].data


def _own(array: da.Array) -> dict[str, int]:
    """Tasks of each layer that is ours."""
    layers = array.__dask_graph__().layers
    return {name: len(layer) for name, layer in layers.items() if name.startswith("xocean-")}


@pytest.mark.parametrize("over", BAR)
@pytest.mark.parametrize("name", CASES)
def test_few_tasks_per_chunk(name, over):
    out = _smoothed(*CASES[name], conserve_over=over)
    assert out.chunks == _sample(*CASES[name]).increment.data.chunks
    assert sum(_own(out).values()) <= BAR[over] * out.npartitions + FEW


@pytest.mark.parametrize("over", BAR)
def test_without_a_second_phase_each_chunk_is_one_task(over):
    shape, chunks = CASES["64 chunks, time whole"]
    out = _smoothed(shape, chunks, conserve=None, conserve_over=over)
    assert sum(_own(out).values()) <= out.npartitions + FEW


@pytest.mark.parametrize("over", BAR)
@pytest.mark.parametrize("steps", [1, 60])
@pytest.mark.parametrize("mode", ["increment", "state"])
def test_tasks_grow_with_chunks_and_not_faster(over, steps, mode):
    """Ten times the record, and four times the space."""
    variable = "increment" if mode == "increment" else "thetao"

    def tasks(length: int, cells: int) -> int:
        shape, chunks = (length, 4, 16, cells), (steps, 4, 16, 16)
        out = _smoothed(shape, chunks, variable, conserve_over=over, mode=mode)
        return sum(_own(out).values())

    least = tasks(120, 16)
    assert tasks(1200, 16) <= 10 * least + FEW
    assert tasks(120, 64) <= 4 * least + FEW


def test_the_model_and_the_job_are_one_node_each():
    for name in ("64 chunks, time whole", "120 chunks of one step"):
        own = _own(_smoothed(*CASES[name]))
        assert [count for layer, count in own.items() if "-same-" in layer] == [1, 1]


@pytest.mark.parametrize(
    ("name", "over", "times"),
    [
        ("64 chunks, time whole", "cell", 1),
        ("64 chunks, time whole", "global", 2),
        ("120 chunks of one step", "cell", 2),
        ("120 chunks of one step", "global", 2),
    ],
)
def test_how_often_the_input_is_read(name, over, times):
    """The second phase reads through keys of its own, so that nothing is held for it."""
    out = _smoothed(*CASES[name], conserve_over=over)
    layers = out.__dask_graph__().layers
    reading = sum(
        len(layer) for name, layer in layers.items() if name.startswith(("zeros", "clone", "ones"))
    )
    chunks = out.npartitions
    assert reading == times * chunks


# ---- memory --------------------------------------------------------------------------------


class Source:
    """Random numbers that count how many of their chunks are alive, and how many were read."""

    dtype = np.dtype("f8")

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape, self.ndim = shape, len(shape)
        self.alive: set[int] = set()
        self.most = self.reads = 0

    def __getitem__(self, slices: tuple[slice, ...]) -> np.ndarray:
        sizes = [len(range(*s.indices(n))) for s, n in zip(slices, self.shape, strict=True)]
        chunk = np.random.default_rng(slices[0].start).standard_normal(sizes)
        self.reads += 1
        self.alive.add(number := self.reads)
        weakref.finalize(chunk, self.alive.discard, number)
        self.most = max(self.most, len(self.alive))
        return chunk


@pytest.mark.filterwarnings("ignore:no slow part")
@pytest.mark.parametrize("steps", [80, 1], ids=["time whole", "one step per chunk"])
@pytest.mark.parametrize(
    "options",
    [
        {"conserve": None},
        {"conserve_over": "cell"},
        {"conserve_over": "column"},
        {"conserve_over": "global"},
        {"mode": "state"},
        {"decay": "fit", "conserve": None},
        {"decay": "fit"},
    ],
    ids=str,
)
def test_chunks_that_were_read_are_let_go(steps, options, monkeypatch):
    """No more of the input is held than a few tasks need, in groups of five steps."""
    shape, cells = (80, 2, 8, 8), 4
    chunks = (steps, 2, cells, cells)
    monkeypatch.setattr(graph, "GROUP_BYTES", 5 * 2 * cells**2 * 8)
    ds, source = _sample(shape, chunks), Source(shape)
    array = da.from_array(source, chunks, asarray=False, fancy=False, meta=np.empty((0,) * 4))
    ds["increment"] = (DIMS, array, ds.increment.attrs)
    out = ds.ml_smooth("dong", **options)
    out["thetao" if "mode" in options else "increment"].data.sum().compute(scheduler="synchronous")
    assert source.reads >= array.npartitions
    # A fit sees the series of a block of cells at once; they are few (thinned) where it matters.
    series = shape[0] // steps if options.get("decay") == "fit" else 0
    assert source.most <= series + (2 if steps > 1 else 4 * 5)


@pytest.mark.parametrize("conserve", ["5YS", "running:2Y"])
@pytest.mark.filterwarnings("ignore:.*rechunked")
def test_blocks_are_bounded_after_a_rechunk(conserve):
    ds = _sample((120, 75, 500, 1000), (1, 75, 500, 1000))
    ds["spread"] = ds.increment.copy(data=ds.increment.data + 1)
    ds.spread.attrs = {**ds.thetao.attrs, "cell_methods": "realization: standard_deviation"}
    out = ds.ml_smooth("dong", conserve=conserve, conserve_over="column", spread="spread")
    cells = np.prod([max(sizes) for sizes in out.increment.data.chunks])
    assert cells * 4 <= graph.GROUP_BYTES


@pytest.mark.parametrize("cells", [100, 1100])
def test_equal_calls_have_equal_keys_whatever_the_size_of_an_area(cells):
    def name() -> str:
        ds = _sample((24, 1, cells, cells), (1, 1, cells, cells))
        # no product of a row and a column, as on a tripolar grid
        ds["areacello"] = ds.areacello + np.random.default_rng(0).random((cells, cells))
        return ds.ml_smooth("dong", conserve_over="global").increment.data.name

    assert name() == name()


@pytest.mark.parametrize(
    "name",
    [
        "64 chunks, time whole",
        "8 x 4 chunks of 60 steps, 100 MB each",
        "120 chunks of one step, 100 MB each",
    ],
)
def test_a_plan_tells_how_many_tasks_there_will_be(name):
    plan = _sample(*CASES[name]).ml_smooth.plan("dong")
    told = int(plan.rows[0]["tasks"].split()[0])
    counted = sum(_own(_smoothed(*CASES[name])).values())
    assert abs(told - counted) <= FEW
