"""Guides: fine fields that tell where the coarse ones vary, on times and a grid of their own."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml import grid
from xocean_ml.downscaling.axis import Axis, Cut
from xocean_ml.downscaling.target import Side, Target, source_side
from xocean_ml.errors import GridError
from xocean_ml.kernels.lattice import positions

__all__ = ["guide_axes", "guide_cuts", "ordered", "timed"]

COARSEST = 1.25
"""Target cells that a guide's cell may be wide: a guide that is coarser has nothing to tell."""


def timed(guide: xr.DataArray, times: xr.DataArray | None) -> xr.DataArray:
    """The guide at the times of the fields.

    Raises
    ------
    GridError
        If a time of the fields is none of the guide's.
    """
    dim = grid.axes(guide).get("T")
    if dim is None or times is None:
        return guide
    index, wanted = guide.indexes[dim], times.indexes[times.dims[0]]
    if index.equals(wanted):
        return guide.rename({dim: times.dims[0]}) if dim != times.dims[0] else guide
    found = index.get_indexer(wanted) if type(index) is type(wanted) else np.array([-1])
    if (found < 0).any():
        missing = wanted[int(np.argmax(found < 0))] if len(found) == len(wanted) else wanted[0]
        raise GridError(
            f"guide {guide.name}: no value at {missing} ({index[0]} to {index[-1]} are there). "
            "Bring it to the times of the fields first: guide.interp(time=...) or .reindex(...)"
        )
    return guide.isel({dim: found}).rename({dim: times.dims[0]} if dim != times.dims[0] else {})


def guide_axes(guide: xr.DataArray, target: Target) -> tuple[tuple[Axis, Axis], tuple[Side, Side]]:
    """Where the target's cells lie on a guide's grid.

    Raises
    ------
    GridError
        A guide that is coarser than the target, or lies elsewhere.
    """
    sides = source_side(guide, "Y"), source_side(guide, "X")
    goals = source_side(target.coordinates, "Y"), source_side(target.coordinates, "X")
    axes = []
    for side, goal, axis in zip(sides, goals, target.axes, strict=True):
        fine, centres, number = goal.centres, side.centres, len(side)
        if side.wraps:
            fine = fine - 360 * np.floor((fine[0] - side.edges[0]) / 360)
            turns = 360 * np.arange(-1, 3)[:, None]
            places = positions(fine, (centres + turns).ravel()) - number
        else:
            if side.kind == "X":
                fine = fine + 360 * np.round((centres.mean() - fine.mean()) / 360)
            places = positions(fine, centres)
        size = float((places[-1] - places[0]) / (len(places) - 1))
        name = f"guide {guide.name}: its {side.coordinate.name}"
        if 1 / size > COARSEST:
            raise GridError(
                f"{name} is {1 / size:.3g} times as coarse as the target: it cannot tell what is "
                "finer. Take a finer guide or a coarser target"
            )
        if not side.wraps and (places[-1] < -0.5 or places[0] > number - 0.5):
            raise GridError(
                f"{name} ({side.edges[0]:.6g} to {side.edges[-1]:.6g}) lies elsewhere than the "
                f"target ({goal.edges[0]:.6g} to {goal.edges[-1]:.6g})"
            )
        axes.append(Axis(places, size, number, side.wraps, side.wraps and axis.closed))
    return (axes[0], axes[1]), sides


def guide_cuts(axis: Axis, blocks: Sequence[Cut]) -> tuple[Cut, ...]:
    """Windows of a guide: what the fine cells that each block sees need of it."""
    made = []
    half = max(axis.size, 1.0)
    for block in blocks:
        number = np.array([block.seen[0], block.seen[1] - 1])
        turn, cell = np.divmod(number, len(axis))
        first, last = axis.places[cell] + turn * axis.count
        low, high = floor(first - half), ceil(last + half) + 1
        if not axis.wraps:
            low, high = max(low, 0), min(high, axis.count)
            low = min(low, axis.count)
        made.append(Cut(block.seen, (low, max(low, high)), block.seen))
    return tuple(made)


def ordered(array: xr.DataArray, sides: tuple[Side, Side], leading: Sequence[Any]) -> xr.DataArray:
    """Latitude and longitude last and ascending; the other dimensions as given."""
    array = array.transpose(*leading, sides[0].dim, sides[1].dim)
    flips = {side.dim: slice(None, None, -1) for side in sides if side.flipped}
    return array.isel(flips) if flips else array
