"""Some columns of the data as plain arrays: what a fit reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import xarray as xr

from xocean_ml import grid
from xocean_ml.errors import GridError

if TYPE_CHECKING:
    from xocean_ml.smoothing.prepare import Variable
    from xocean_ml.smoothing.steps import Steps

__all__ = ["COLUMNS", "Sample", "sample"]

COLUMNS = 60
"""Most cells of a level that a fit reads, evenly spaced."""


class Sample(NamedTuple):
    """Cells of one variable.

    Attributes
    ----------
    series : array, (time, cell)
        Increments as amounts in the model's units; NaN where missing.
    steps : Steps
        Times.
    depth : array, (levels,)
        m; empty without levels.
    level : array of int, (cell,), or None
        Which level each cell is of.
    spread, counts : array, (time, cell), or None
        Spread as an amount, and numbers of observations, where they were found.
    target : array, (time, cell), or None
        What the increments are to become, as an amount.
    """

    series: np.ndarray
    steps: Steps
    depth: np.ndarray
    level: np.ndarray | None
    spread: np.ndarray | None
    counts: np.ndarray | None
    target: np.ndarray | None = None

    @property
    def given(self) -> dict[str, np.ndarray]:
        """Spread and counts by name, where there are any."""
        found = {"spread": self.spread, "counts": self.counts}
        return {name: values for name, values in found.items() if values is not None}

    @property
    def depth_of_cells(self) -> np.ndarray:
        """Depth of each cell, m, (cell,)."""
        if self.level is not None:
            return self.depth[self.level]
        return np.broadcast_to(self.depth, self.series.shape[1:])


def sample(variable: Variable, most: int = COLUMNS, target: xr.DataArray | None = None) -> Sample:
    """Read some cells of each level; this computes, but only the cells that are kept.

    Parameters
    ----------
    variable : Variable
        As `prepare` found it.
    most : int
        Cells of a level.
    target : DataArray, optional
        On the increments' grid and in their units.

    Raises
    ------
    GridError
        If levels have depths that vary along other dimensions.
    """
    job, increments = variable.job, variable.increments
    vertical = grid.axes(increments).get("Z")
    cut = _cut(increments, job.time, vertical, most)
    amount = job.factor * job.steps.amount[:, None]

    def read(values: xr.DataArray) -> np.ndarray:
        return _series(values, cut, increments.shape, job.time)

    series = read(increments) * amount
    found = {n: read(variable.extras[n]) for n in ("spread", "counts") if n in variable.extras}
    if "spread" in found:
        found["spread"] = found["spread"] * (job.spread_factor * job.steps.amount[:, None])
    depth, level = np.zeros(0), None
    if vertical in increments.dims:
        depth, level = _levels(increments, cut, job.time, increments.dims.index(vertical))
    elif vertical is not None:
        depth = np.atleast_1d(np.asarray(grid.depth(increments).values, float))
    wanted = None if target is None else read(target.transpose(*increments.dims)) * amount
    return Sample(series, job.steps, depth, level, found.get("spread"), found.get("counts"), wanted)


def _cut(increments: xr.DataArray, time: int, vertical: str | None, most: int) -> tuple[slice, ...]:
    """Slices that leave few cells of each level."""
    dims = increments.dims
    cut = [slice(None)] * len(dims)
    free = [a for a, dim in enumerate(dims) if a != time and dim != vertical]
    cells = int(np.prod([increments.shape[a] for a in free], dtype=np.int64))
    for axis in free:
        if cells <= most:
            break
        size = increments.shape[axis]
        stride = min(size, -(-cells // most))
        cut[axis] = slice(stride // 2, None, stride)
        cells = cells // size * len(range(stride // 2, size, stride))
    return tuple(cut)


def _levels(
    increments: xr.DataArray, cut: tuple[slice, ...], time: int, vertical: int
) -> tuple[np.ndarray, np.ndarray]:
    """Depth of each level, m, and the level of each kept cell."""
    depth = grid.depth(increments)
    if depth.ndim != 1:
        raise GridError(f"levels at depths that vary ({depth.dims}) are not fitted; give one depth")
    shape = _kept(cut, increments.shape)
    along = [-1 if axis == vertical else 1 for axis in range(len(shape))]
    number = np.broadcast_to(np.arange(shape[vertical]).reshape(along), shape)
    return np.asarray(depth.values, float), np.moveaxis(number, time, 0)[0].ravel()


def _series(
    values: xr.DataArray, cut: Sequence[slice], shape: Sequence[int], time: int
) -> np.ndarray:
    """(time, cell) in float64 of what may have axes of length one."""
    some = tuple(slice(None) if n == 1 else part for n, part in zip(values.shape, cut, strict=True))
    kept = np.asarray(values[some].values, np.float64)
    full = np.moveaxis(np.broadcast_to(kept, _kept(cut, shape)), time, 0)
    return full.reshape(full.shape[0], -1)


def _kept(cut: Sequence[slice], shape: Sequence[int]) -> list[int]:
    """How many are left on each axis."""
    return [len(range(*part.indices(size))) for part, size in zip(cut, shape, strict=True)]
