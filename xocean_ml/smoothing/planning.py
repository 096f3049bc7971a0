"""What `smooth` would do, as a `Plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xocean_ml.kernels.closure import Windows
from xocean_ml.plan import Plan, readable
from xocean_ml.smoothing import graph

if TYPE_CHECKING:
    from xocean_ml.smoothing.prepare import Ready, Variable

__all__ = ["describe"]


ASSUMED = {
    "spread": "errors are judged by the size of the increments themselves",
    "counts": "how densely a step is observed is judged by where increments are not zero",
}
"""What a model that wants it assumes where it is not found."""


def describe(ready: Ready) -> Plan:
    """The plan of a prepared call; nothing is computed."""
    rows, notes = [], []
    for variable in ready.variables:
        row, said = _row(ready, variable)
        rows.append(row)
        notes += said
    return Plan(f"smooth with {ready.model!r}", rows, tuple(dict.fromkeys(notes)))


def _row(ready: Ready, variable: Variable) -> tuple[dict[str, Any], list[str]]:
    job, found = variable.job, variable.found
    array, extras = variable.lazy()
    way = graph.route(array, job)
    sizes = ", ".join(f"{d}: {n}" for d, n in zip(job.dims, array.shape, strict=True))
    block = int(np.prod([max(sizes) for sizes in way.grid], dtype=np.int64))
    count = 1 + len(extras)
    row = {
        "variable": f"{variable.increments.name} ({sizes})",
        "field": f"{found.key}, found by {found.how}",
        "units": f"{found.units or 'none'}{', a rate' if found.rate else ''}",
        "result": f"{variable.target} [{variable.attrs.get('units', '')}], {job.dtype}",
        "with": _extras(job),
        "closure": _closure(job),
        "windows": _windows(way, job),
        "tasks": f"{_tasks(ready, variable)} in {way.blocks} blocks"
        if variable.is_lazy
        else "in memory",
        "memory": f"about {readable(block * (array.dtype.itemsize * count + job.dtype.itemsize))}"
        " a task, and 0.1 GB of work space",
        "device": job.device,
    }
    notes = [f"outside the training domain: {each}" for each in variable.beyond]
    notes += [
        f"no {name} found: {ASSUMED[name]}"
        for name in ready.model.wants
        if name in ASSUMED and name not in job.extras
    ]
    if way.rechunk:
        notes.append("time is rechunked to one chunk: this closure needs whole series")
    if way.two_phase:
        notes.append("the input is read twice: sums go over several blocks")
    return row, notes


def _extras(job: Any) -> str:
    named = {
        "spread": job.spread_name,
        "state": "the analysis",
        "counts": "counts of observations",
        "depth": "depth",
    }
    said = [named.get(extra, "cell sizes") for extra in job.extras]
    return ", ".join(dict.fromkeys(said)) or "nothing else"


def _closure(job: Any) -> str:
    if job.closure is None:
        return "none"
    over = "each cell"
    if job.reduced:
        over = ", ".join(job.dims[a] for a in job.reduced)
        over = f"the sum over {over}"
    if isinstance(job.closure, Windows):
        return f"{job.closure.count} windows of time, for {over}"
    return f"running mean of {job.closure.length:g} days, for {over}"


def _windows(way: graph.Route, job: Any) -> str:
    if way.carried:
        groups = len(way.grid[job.time])
        word = "group" if groups == 1 else "groups"
        return f"time in {groups} {word} of chunks, each hands a carry to the one before"
    return "time whole, own block elsewhere"


def _tasks(ready: Ready, variable: Variable) -> int:
    """Tasks beyond those that read: the graph is made and counted, which computes nothing."""
    graph: Any = variable.graph(ready)[-1].__dask_graph__()
    layers = graph.layers
    return sum(len(layer) for name, layer in layers.items() if name.startswith("xocean"))
