"""From one variable and its job to a dask array: which tasks, over which windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import dask.array as da
import numpy as np
from dask._task_spec import List

from xocean_ml import chunked
from xocean_ml.chunked import Along, Carry, Input, Output, PerBlock, Tasks
from xocean_ml.kernels.closure import Windows
from xocean_ml.smoothing import blocks
from xocean_ml.smoothing.tiles import Job

__all__ = ["Route", "build", "route"]

GROUP_BYTES = 96 << 20
"""Most bytes of one variable that a task of the carried route holds in one go."""

JOINED_BYTES = 1 << 30
"""Most bytes of a block that comes about by joining chunks of levels; above, they are rechunked."""

FEW_CHUNKS = 3
"""Least number of short chunks of time that a task of the carried route takes."""

KEEP_STEPS = 32
"""Steps in a block from which on its carry (two float32 steps in size) is worth keeping."""

Sizes = tuple[int, ...]
Index = tuple[int, ...]


@dataclass(frozen=True)
class Route:
    """How one variable is worked through: decided from shapes and chunks alone.

    Parameters
    ----------
    grid : tuple of tuple of int
        Blocks along each dimension of the variable.
    chunks : tuple of tuple of int
        Chunks of the result.
    two_phase : bool
        Whether sums go over several blocks.
    carried : bool
        Whether time comes in parts that hand a carry on.
    rechunk : bool
        Whether series have to be made whole first, by a rechunk.
    keeps_carry : bool
        Whether the carries of the first phase are kept for the second (few and far between),
        or found again (flat memory for the price of a chain).
    """

    grid: tuple[Sizes, ...]
    chunks: tuple[Sizes, ...]
    two_phase: bool
    carried: bool
    rechunk: bool
    keeps_carry: bool

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return int(np.prod([len(sizes) for sizes in self.grid]))


def route(array: da.Array, job: Job) -> Route:
    """Choose how to work through an array.

    Time in one chunk needs nothing. Time in several is worked through with a carry, unless
    the closure needs the whole series of a cell at once.
    """
    chunks = array.chunks
    parts = len(chunks[job.time])
    needs_series = not job.carries or (
        job.closure is not None
        and (not isinstance(job.closure, Windows) or ("spread" in job.extras and job.spread_closes))
    )
    whole = () if job.exact else job.reduced
    joined = tuple((sum(c),) if a in whole else c for a, c in enumerate(chunks))
    rechunk = parts > 1 and (needs_series or _varies_in_time(job))
    rechunk = rechunk or (joined != chunks and _bytes(array, joined) > JOINED_BYTES)
    if rechunk:
        size = array.dtype.itemsize
        chunks = chunked.tiles(array.shape, (job.time, *whole), GROUP_BYTES // size)
    else:
        chunks = joined
    carried = parts > 1 and not rechunk
    grid = chunks
    if carried:
        beside = [max(c) for a, c in enumerate(chunks) if a != job.time]
        bytes_a_step = int(np.prod(beside, dtype=np.int64)) * array.dtype.itemsize
        longest = max(chunks[job.time])
        # A few chunks at least share the tasks of a chain, however large they are.
        few = FEW_CHUNKS * longest if longest < KEEP_STEPS else 1
        sizes, _ = chunked.groups(chunks[job.time], max(few, GROUP_BYTES // bytes_a_step))
        grid = tuple(sizes if a == job.time else c for a, c in enumerate(chunks))
    two_phase = job.closure is not None and (carried or job.exact)
    keeps = carried and np.mean(grid[job.time]) >= KEEP_STEPS
    return Route(grid, chunks, two_phase, carried, rechunk, bool(keeps))


def _bytes(array: da.Array, chunks: tuple[Sizes, ...]) -> int:
    """Size of the largest block."""
    return int(np.prod([max(c) for c in chunks], dtype=np.int64)) * array.dtype.itemsize


def _varies_in_time(job: Job) -> bool:
    return job.moving_weights and not job.exact and job.closure is not None


def build(
    array: da.Array, extras: Sequence[da.Array], job: Job, model: Any, way: Route
) -> tuple[da.Array, ...]:
    """The smoothed variable, and what is given beside it, as lazy dask arrays.

    Parameters
    ----------
    array : dask array
        Increments.
    extras : sequence of dask array
        Further inputs in the same order of dimensions, as `job.extras` names them; axes may have
        length one.
    job : Job
        What the tasks have in common.
    model : Tasks
        The model, as one node.
    way : Route
        As `route` chose it.
    """
    job = replace(job, carried=way.carried)
    if way.rechunk:
        array = array.rechunk(way.chunks)
    sources = (array, *extras)
    shared = {"job": chunked.constant(job), "model": model}
    output = Output(way.chunks, tuple(range(array.ndim)), array._meta.astype(job.dtype))
    outputs = [output] * (1 + len(job.further))
    inputs = [_follow(each, way) for each in sources]
    if not way.two_phase:
        if way.carried:
            work = _chain(blocks.correct, way, job, inputs, shared)
        else:
            work = chunked.tasks(blocks.smooth_whole, way.grid, inputs, shared=shared)
        return chunked.arrays(work, outputs)
    carry = Carry(job.time, reverse=True, light=True) if way.carried else None
    first = chunked.tasks(blocks.measure, way.grid, inputs, shared=shared, carry=carry)
    if job.exact:
        solved, after = _over_space(first, way, job, shared)
    else:
        solved, after = _within(first, way, job)
    shared |= solved
    again = [_follow(chunked.clone(each, "xocean-second-phase"), way) for each in sources]
    if way.carried and not way.keeps_carry:
        work = _chain(blocks.correct, way, job, again, shared, after)
    else:
        if carry is not None:
            shared["carry"] = PerBlock(lambda i: first.carried(carry.before(i, way.grid)))
        work = chunked.tasks(blocks.correct, way.grid, again, shared=shared, after=[*after, first])
    return chunked.arrays(work, outputs)


def _chain(
    function: Any,
    way: Route,
    job: Job,
    inputs: Sequence[Input],
    shared: dict[str, Any],
    after: Sequence[Tasks] = (),
) -> Tasks:
    """Blocks that hand the carry on together with their part of the result."""
    return chunked.tasks(
        function,
        way.grid,
        inputs,
        shared=shared | {"chained": True},
        after=after,
        carry=Carry(job.time, reverse=True),
    )


def _follow(array: da.Array, way: Route) -> Input:
    """Windows of an input that has the variable's dimensions, some perhaps of length one."""
    along: list[Along] = []
    for axis, sizes in enumerate(way.grid):
        if array.shape[axis] == 1 and sum(sizes) != 1:
            along.append(chunked.whole(1))
        else:
            along.append(chunked.own(axis, sizes))
    return Input(array, tuple(along))


def _over_space(
    first: Tasks, way: Route, job: Job, shared: dict[str, Any]
) -> tuple[dict[str, Any], list[Tasks]]:
    """One solution for each block of the dimensions that are not summed over."""
    kept = [a for a in range(len(way.grid)) if a not in (job.time, *job.reduced)]
    merged = chunked.reduced(first, blocks.merge, keep=kept)
    work = chunked.tasks(
        blocks.solve,
        merged.grid,
        shared={"part": PerBlock(merged.reference), "job": shared["job"]},
        after=[merged],
    )
    return {"steps": PerBlock(lambda i: work.reference(tuple(i[a] for a in kept) or (0,)))}, [work]


def _within(first: Tasks, way: Route, job: Job) -> tuple[dict[str, Any], list[Tasks]]:
    """For each block, what the windows near it in time lack: parts of blocks, or their totals."""
    assert isinstance(job.closure, Windows)
    segments, count = job.closure.segments, job.closure.count
    edges = chunked.starts(way.grid[job.time])
    touched = [(int(segments[a]), int(segments[b - 1])) for a, b in pairwise(edges)]
    groups = [
        [g for g, (low, high) in enumerate(touched) if low <= window <= high]
        for window in range(count)
    ]

    def parts(index: Index, window: int) -> List:
        return List(*(first.reference(_at(index, job.time, g)) for g in groups[window]))

    after = [first]
    totals = None
    if max(map(len, groups)) > 2 or job.state is not None:
        # A window over many blocks is summed once, not by each block that needs it.
        totals = chunked.tasks(
            blocks.window_total,
            _along_time(way, job, count),
            shared={
                "parts": PerBlock(lambda i: parts(i, i[job.time])),
                "window": PerBlock(lambda i: i[job.time]),
            },
            after=after,
        )
        after = [totals]

    def lacks(index: Index, window: int) -> Any:
        if totals is not None:
            return totals.reference(_at(index, job.time, window))
        return parts(index, window)

    def near(index: Index) -> range:
        low, high = touched[index[job.time]]
        return range(max(low - 1, 0), min(high + 2, count))

    shared = {
        "windows": PerBlock(lambda i: List(*(lacks(i, w) for w in near(i)))),
        "first": PerBlock(lambda i: near(i).start),
        "touched": PerBlock(lambda i: touched[i[job.time]][0]),
    }
    if totals is not None and job.state is not None:
        sums = chunked.tasks(
            blocks.running_total,
            totals.grid,
            shared={"window": PerBlock(totals.reference)},
            after=[totals],
            carry=Carry(job.time, light=True),
        )
        after = [totals, sums]

        def past(index: Index) -> Any:
            low = touched[index[job.time]][0]
            return None if low == 0 else sums.reference(_at(index, job.time, low - 1))

        shared["past"] = PerBlock(past)
    return shared, after


def _along_time(way: Route, job: Job, count: int) -> tuple[Sizes, ...]:
    """The grid with time cut into `count` blocks of one."""
    return tuple((1,) * count if a == job.time else g for a, g in enumerate(way.grid))


def _at(index: Index, axis: int, number: int) -> Index:
    return (*index[:axis], number, *index[axis + 1 :])
