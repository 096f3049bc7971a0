"""From a prepared group of fields to dask arrays: which tasks, over which windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dask.array as da
import numpy as np

from xocean_ml import chunked
from xocean_ml.chunked import Along, Input, Output, Tasks
from xocean_ml.downscaling import blocks
from xocean_ml.downscaling.axis import Axis, Cut
from xocean_ml.downscaling.blocks import Job
from xocean_ml.downscaling.coast import COAST_REACH
from xocean_ml.downscaling.conserve import CONSERVE_REACH
from xocean_ml.downscaling.downscaler import Downscaler

__all__ = ["build", "cuts", "reach_of"]


def reach_of(model: Downscaler, conserve: bool) -> int | None:
    """Coarse cells that a block sees beyond its own; None for all."""
    if model.reach is None:
        return None
    return max(model.reach, COAST_REACH) + CONSERVE_REACH * conserve


def cuts(axis: Axis, chunks: Sequence[int], model: Downscaler, conserve: bool) -> tuple[Cut, ...]:
    """Blocks of an axis; one if the model needs the whole field."""
    reach = reach_of(model, conserve)
    return axis.cuts((axis.count,) if reach is None else chunks, reach)


def build(
    fields: Sequence[da.Array],
    guides: Sequence[da.Array],
    job: Job,
    model: Tasks,
    channels: int = 0,
) -> tuple[da.Array, ...]:
    """The finer fields, then their spreads, as dask arrays.

    Parameters
    ----------
    fields : sequence of dask array, (..., rows, columns)
        On one grid and in one chunking.
    guides : sequence of dask array
        Each with some of the leading dimensions, on its own rows and columns.
    job : Job
    model : Tasks
        The model as one node.
    channels : int
        Of what the model's global branch gives; 0 if it has none.
    """
    first = fields[0]
    leading = first.chunks[:-2]
    sizes = [tuple(c.own[1] - c.own[0] for c in each) for each in job.cuts]
    grid = (*leading, *sizes)
    last = len(grid) - 2
    inputs = [
        Input(each, _along(leading, range(len(leading)), job.axes, job.cuts, last))
        for each in fields
    ]
    inputs += [
        Input(each, _along(leading, guide.dims, guide.axes, guide.cuts, last))
        for each, guide in zip(guides, job.guides, strict=True)
    ]
    # places and windows of a large grid are sent once to a worker, not with every task
    shared = {"model": model, "job": chunked.constant(job)}
    if contextual(job, channels):
        inputs.append(_context(fields, job, shared, channels, last))
    work = chunked.tasks(blocks.run, grid, inputs, shared=shared)
    axes = tuple(range(len(grid)))
    outputs = [
        Output(grid, axes, _meta(each, dtype))
        for _ in ("fields", *job.gives)
        for each, dtype in zip(fields, job.dtypes, strict=True)
    ]
    return tuple(_even(each, first.chunks) for each in chunked.arrays(work, outputs))


def _even(array: da.Array, given: Sequence[tuple[int, ...]]) -> da.Array:
    """Chunks of one size where the field's were: Zarr takes no others."""
    axes = {
        axis: max(sizes)
        for axis, (sizes, before) in enumerate(zip(array.chunks, given, strict=True))
        if _are_even(before) and not _are_even(sizes)
    }
    return array.rechunk(axes) if axes else array


def _are_even(sizes: Sequence[int]) -> bool:
    return len(set(sizes[:-1])) <= 1 and sizes[-1] <= sizes[0]


def contextual(job: Job, channels: int) -> bool:
    """Whether a global branch must look at more than the blocks do."""
    parts = [
        cut.coarse != (0, axis.count)
        for axis, cuts in zip(job.axes, job.cuts, strict=True)
        for cut in cuts
    ]
    return channels > 0 and any(parts)


def _context(
    fields: Sequence[da.Array], job: Job, shared: dict[str, Tasks], channels: int, last: int
) -> Input:
    """Windows of what the global branch makes of the whole field, once for each time."""
    chunks = fields[0].chunks
    leading, across = chunks[:-2], chunks[-2:]
    whole = tuple(chunked.whole(sum(sizes)) for sizes in across)
    beside = tuple(chunked.own(axis, sizes) for axis, sizes in enumerate(leading))
    grid = (*leading, *((sum(sizes),) for sizes in across))
    inputs = [Input(each, (*beside, *whole)) for each in fields]
    work = chunked.tasks(blocks.context, grid, inputs, shared=shared)
    axes = (*range(len(leading)), None, last, last + 1)
    meta = np.empty((0,) * len(axes), np.float32)
    (array,) = chunked.arrays(work, [Output((*leading, (channels,), *across), axes, meta)])
    windows = _along(leading, range(len(leading)), job.axes, job.cuts, last)
    return Input(array, (*windows[:-2], chunked.whole(channels), *windows[-2:]))


def _along(
    leading: Sequence[tuple[int, ...]],
    dims: Sequence[int],
    axes: tuple[Axis, Axis],
    windows: Sequence[Sequence[Cut]],
    last: int,
) -> tuple[Along, ...]:
    beside = [chunked.own(axis, leading[axis]) for axis in dims]
    across = [
        Along(last + k, tuple(cut.coarse for cut in each), axis.wraps)
        for k, (axis, each) in enumerate(zip(axes, windows, strict=True))
    ]
    return (*beside, *across)


def _meta(array: da.Array, dtype: str) -> Any:
    return np.empty((0,) * array.ndim, dtype) if array._meta is None else array._meta.astype(dtype)
