"""Guides: fine fields that tell where the coarse ones vary, on times and a grid of their own."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml import grid
from xocean_ml.downscaling.axis import Axis, Cut
from xocean_ml.downscaling.target import Side, Target, placed, sides_of
from xocean_ml.errors import GridError

__all__ = ["alike", "guide_axes", "guide_cuts", "ordered", "timed"]

COARSEST = 1.25
"""Target cells that a guide's cell may be wide: a guide that is coarser has nothing to tell."""


def timed(guide: xr.DataArray, times: xr.DataArray | None) -> xr.DataArray:
    """The guide at the times of the fields.

    Raises
    ------
    GridError
        If a time of the fields is none of the guide's, or twice there.
    """
    dim = grid.axes(guide).get("T")
    if dim is None or times is None:
        return guide
    if dim not in guide.indexes:
        raise GridError(
            f"guide {guide.name}: its dimension {dim} has no times. Give it those of the fields: "
            f"guide.assign_coords({dim}=...)"
        )
    index, wanted = guide.indexes[dim], times.indexes[times.dims[0]]
    if index.equals(wanted):
        return guide.rename({dim: times.dims[0]}) if dim != times.dims[0] else guide
    if not index.is_unique:
        twice = index[index.duplicated()][0]
        raise GridError(
            f"guide {guide.name}: {twice} is there twice. Drop it: guide.drop_duplicates('{dim}')"
        )
    found = index.get_indexer(wanted) if type(index) is type(wanted) else np.array([-1])
    if (found < 0).any():
        missing = wanted[int(np.argmax(found < 0))] if len(found) == len(wanted) else wanted[0]
        raise GridError(
            f"guide {guide.name}: no value at {missing} ({index[0]} to {index[-1]} are there). "
            "Bring it to the times of the fields first: guide.interp(time=...) or .reindex(...)"
        )
    return guide.isel({dim: found}).rename({dim: times.dims[0]} if dim != times.dims[0] else {})


def alike(guide: xr.DataArray, field: xr.DataArray, dim: str) -> None:
    """Refuse a guide that goes along a dimension of the fields in steps of its own."""
    same = guide.sizes[dim] == field.sizes[dim]
    if same and dim in guide.indexes and dim in field.indexes:
        same = bool(guide.indexes[dim].equals(field.indexes[dim]))
    if not same:
        raise GridError(
            f"guide {guide.name}: its {dim} is not that of {field.name}. Bring it to it: "
            f"guide.sel({dim}=...), or guide.isel({dim}=0) for all"
        )


def guide_axes(guide: xr.DataArray, target: Target) -> tuple[tuple[Axis, Axis], tuple[Side, Side]]:
    """Where the target's cells lie on a guide's grid.

    Raises
    ------
    GridError
        A guide that is coarser than the target, or lies elsewhere.
    """
    sides, goals = sides_of(guide, f"guide {guide.name}"), sides_of(target.coordinates)
    axes = []
    every = zip(sides, goals, target.axes, target.centres, strict=True)
    for side, goal, axis, fine in every:
        number = len(side)
        if side.wraps:
            fine = fine - 360 * np.floor((fine[0] - side.edges[0]) / 360)
        elif side.kind == "X":
            # Each cell by itself: a target that goes round the globe may reach the guide twice.
            middle = (side.edges[0] + side.edges[-1]) / 2
            fine = fine - 360 * np.round((fine - middle) / 360)
        places = placed(side, fine)
        step = np.diff(places)
        size = float(step[step > 0].mean())
        name = f"guide {guide.name}: its {side.coordinate.name}"
        if 1 / size > COARSEST:
            raise GridError(
                f"{name} is {1 / size:.3g} times as coarse as the target: it cannot tell what is "
                "finer. Take a finer guide or a coarser target"
            )
        own = places[axis.before : len(places) - axis.after]
        if not side.wraps and not ((own > -0.5) & (own < number - 0.5)).any():
            raise GridError(
                f"{name} ({side.edges[0]:.6g} to {side.edges[-1]:.6g}) lies elsewhere than the "
                f"target ({goal.edges[0]:.6g} to {goal.edges[-1]:.6g})"
            )
        beside = axis.before, axis.after
        axes.append(Axis(places, size, number, side.wraps, axis.closed, *beside))
    return (axes[0], axes[1]), sides


def guide_cuts(axis: Axis, blocks: Sequence[Cut]) -> tuple[Cut, ...]:
    """Windows of a guide: what the fine cells that each block sees need of it."""
    made = []
    half = max(axis.size, 1.0)
    for block in blocks:
        places = axis.seen(Cut(block.seen, (0, 0), block.seen))
        if not axis.wraps:
            places = places[(places > -half) & (places < axis.count - 1 + half)]
        window = (0, 0)
        if places.size:
            low, high = floor(places.min() - half), ceil(places.max() + half) + 1
            window = (low, high) if axis.wraps else (max(low, 0), min(high, axis.count))
        made.append(Cut(block.seen, window, block.seen))
    return tuple(made)


def ordered(array: xr.DataArray, sides: tuple[Side, Side], leading: Sequence[Any]) -> xr.DataArray:
    """Latitude and longitude last and ascending; the other dimensions as given."""
    array = array.transpose(*leading, sides[0].dim, sides[1].dim)
    flips = {side.dim: slice(None, None, -1) for side in sides if side.flipped}
    return array.isel(flips) if flips else array
