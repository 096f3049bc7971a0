"""Guides: fine fields that tell where the coarse ones vary, on times and a grid of their own."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xocean_ml import grid
from xocean_ml.downscaling.axis import Axis, Cut
from xocean_ml.downscaling.target import Target, placed
from xocean_ml.errors import GridError
from xocean_ml.grid import Side, sides_of
from xocean_ml.grid.vocabulary import AXIS_NAMES, evidence, matches

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["alike", "guide_axes", "guide_cuts", "ordered", "timed", "times_of"]

COARSEST = 1.25
"""Target cells that a guide's cell may be wide: a guide that is coarser has nothing to tell."""


def timed(guide: xr.DataArray, times: xr.DataArray | None) -> xr.DataArray:
    """The guide at the times of the fields.

    Parameters
    ----------
    guide : DataArray
        One that tells no time is taken for all times.
    times : DataArray or None
        Of the fields, along a dimension or one for the whole of them; see `times_of`.

    Raises
    ------
    GridError
        If a time of the fields is none of the guide's, or twice there.
    """
    dim, own = grid.axes(guide).get("T"), times_of(guide)
    if times is None:
        return guide
    if own is None:
        if dim is None or guide.sizes[dim] == 1:
            return guide
        raise GridError(
            f"guide {guide.name}: its dimension {dim} has no times. Give it those of the fields: "
            f"guide.assign_coords({dim}=...)"
        )
    at = _found(guide, own, times)
    if dim is None:
        return guide
    if times.ndim == 0:
        return guide.isel({dim: int(at[0])})
    if not np.array_equal(at, np.arange(guide.sizes[dim])):
        guide = guide.isel({dim: at})  # a copy, so only where one is needed
    return guide.rename({dim: times.dims[0]} if dim != times.dims[0] else {})


def times_of(array: xr.DataArray) -> xr.DataArray | None:
    """Times of an array, along its dimension or of the whole of it; None if it tells none."""
    dim = grid.axes(array).get("T")
    if dim is not None:
        return array[dim] if dim in array.indexes else None
    scalars = [each for each in array.coords.values() if each.ndim == 0 and _is_time(each)]
    return min(scalars, key=_rank, default=None)


def _is_time(scalar: xr.DataArray) -> bool:
    told = evidence(scalar)
    return told[1] == "T" if told else matches(AXIS_NAMES["T"], scalar.name or "")


def _rank(scalar: xr.DataArray) -> tuple[int, bool]:
    """How little tells that it is the time: a forecast's reference time is one too."""
    told = evidence(scalar)
    return told[0] if told else 9, not matches(AXIS_NAMES["T"], scalar.name or "")


def _index(times: xr.DataArray) -> pd.Index:
    return xr.Variable("time", np.atleast_1d(times.values)).to_index()


def _found(guide: xr.DataArray, own: xr.DataArray, times: xr.DataArray) -> np.ndarray:
    """Where in the guide's own times those of the fields are."""
    index, wanted = _index(own), _index(times)
    if index.equals(wanted):
        return np.arange(len(index))
    if not index.is_unique:
        twice = index[index.duplicated()][0]
        drop = f"guide.drop_duplicates({own.dims[0]!r})"
        raise GridError(f"guide {guide.name}: {twice} is there twice. Drop it: {drop}")
    kinds = _kind(index), _kind(wanted)
    if kinds[0] != kinds[1]:
        raise GridError(
            f"guide {guide.name}: its times are {kinds[0]} ({index[0]}), those of the fields "
            f"{kinds[1]} ({wanted[0]}). Bring it to theirs: guide.convert_calendar(...), "
            "or xr.decode_cf(guide) where times are not decoded"
        )
    found = index.get_indexer(wanted)
    if (found < 0).any():
        same = f"({own.name}=field.{times.name})"
        there = f"{index[0]} is" if len(index) == 1 else f"{index[0]} to {index[-1]} are"
        raise GridError(
            f"guide {guide.name}: no value at {wanted[int(np.argmax(found < 0))]} ({there} there). "
            f"Bring it to the times of the fields first: guide.sel{same}, or guide.interp{same}. "
            f"If it holds for all times: {_timeless(own)}"
        )
    return found


def _timeless(own: xr.DataArray) -> str:
    """How to take the time off a guide."""
    if own.ndim == 0:
        return f"guide.drop_vars({own.name!r})"
    return f"guide.isel({own.dims[0]}=0, drop=True)"


def _kind(index: pd.Index) -> str:
    """What a time is given in: two that differ cannot be compared."""
    if index.dtype.kind == "M":
        return "datetime64"
    calendar = getattr(index, "calendar", None)
    return f"cftime of calendar {calendar!r}" if calendar else f"no dates but {index.dtype}"


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
    return array.isel({side.dim: side.order for side in sides})
