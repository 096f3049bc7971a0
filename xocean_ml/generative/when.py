"""Times of the members, and which observations each may use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from xocean_ml.assimilation.when import dates, decoded
from xocean_ml.errors import GridError, ValuesError
from xocean_ml.grid import axes

__all__ = ["DAY", "duration", "nearby", "ns_of", "times_of", "wanted_times"]

DAY = 86_400_000_000_000
"""In ns."""


def duration(given: Any, what: str) -> int | None:
    """A time span in ns, of whatever pandas takes for one ("10D"); None stays.

    Raises
    ------
    ValueError
        It is none, or not positive.
    """
    if given is None:
        return None
    bare = isinstance(given, (int, float, np.number)) and not isinstance(given, np.timedelta64)
    if bare or str(given).strip().isdigit():
        raise ValueError(f"{what}={given!r}: a time span with its unit is needed, '{given}D'")
    try:
        made = int(pd.Timedelta(given).value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what}={given!r}: a time span is needed, '10D' ({error})") from None
    if made <= 0:
        raise ValueError(f"{what}={given!r}: a time span above zero is needed")
    return made


def ns_of(time: xr.DataArray) -> np.ndarray:
    """Dates of any calendar as ns since 1970."""
    values = np.atleast_1d(decoded(time).values)
    if values.dtype.kind == "M":
        return values.astype("datetime64[ns]").astype(np.int64)
    first = type(values[0])(1970, 1, 1)
    return np.array([round((each - first).total_seconds() * 1e9) for each in values], np.int64)


def times_of(array: xr.DataArray) -> xr.DataArray | None:
    """Dates along a field's time, or None."""
    dim = axes(array).get("T")
    return None if dim is None or dim not in array.dims else dates(array, dim)


def wanted_times(
    like: xr.Dataset | None, gridded: Sequence[xr.DataArray], points: Sequence[xr.DataArray]
) -> xr.DataArray:
    """Times of the members: of `like`, of the first gridded field, or the days of points."""
    fields = [] if like is None else [each for each in like.data_vars.values() if each.ndim > 1]
    for each in [*fields, *gridded]:
        found = times_of(each)
        if found is not None:
            return found.drop_vars([name for name in found.coords if name != found.name])
    every = [each.values for each in points if each.size]
    if not every:
        raise ValuesError("nothing tells the times of members: give like=, a Dataset with time")
    if any(each.dtype.kind != "M" for each in every):
        raise GridError("times of points are of another calendar: give like=, a Dataset with time")
    days = np.unique(np.concatenate(every).astype("datetime64[D]"))
    noon = np.arange(days[0], days[-1] + 1).astype("datetime64[ns]") + np.timedelta64(12, "h")
    attrs = {"standard_name": "time", "axis": "T"}
    return xr.DataArray(noon, dims="time", coords={"time": ("time", noon, attrs)}, name="time")


def nearby(
    own: np.ndarray, wanted: np.ndarray, window: int | None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each time that is wanted, numbers of the observations it may use, and ages in days.

    Parameters
    ----------
    own, wanted : array of int
        ns.
    window : int, optional
        ns, to both sides together. None: each is used once, at the time nearest to it, if that is
        within half a step (of one time: half a day), and counts as of that time.
    """
    if window is not None:
        found = []
        for each in wanted:
            pick = np.flatnonzero(np.abs(own - each) * 2 <= window)
            found.append((pick, np.abs(own[pick] - each) / DAY))
        return found
    half = DAY // 2 if len(wanted) < 2 else int(np.abs(np.diff(np.sort(wanted))).min()) // 2
    order = np.argsort(wanted)
    place = np.searchsorted(wanted[order], own)
    sides = [np.clip(place - 1, 0, len(wanted) - 1), np.clip(place, 0, len(wanted) - 1)]
    away = [np.abs(own - wanted[order][side]) for side in sides]
    nearest = order[np.where(away[0] < away[1], *sides)]
    used = np.minimum(*away) <= half
    return [
        (pick := np.flatnonzero(used & (nearest == number)), np.zeros(len(pick)))
        for number in range(len(wanted))
    ]
