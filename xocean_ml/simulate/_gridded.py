"""The truth as satellites find it: one field, read time by time, known between its cells."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..errors import GridError
from ..fields import Found
from ..grid import Side, sides_of, time_axis
from ._orbits import Array, Box

__all__ = ["Field", "dates_of", "nearest"]

YEAR = 2000
"""Days are counted from its beginning."""


class Field:
    """A field on (time, latitude, longitude), ascending, of which no more is read than asked.

    Parameters
    ----------
    truth : Dataset
    found : Found
        Its variable, which has a time, a latitude and a longitude dimension and no others.

    Attributes
    ----------
    days : array, (time,)
        Since the beginning of 2000, in the calendar of the times.
    rows, columns : Side
        Latitude and longitude.
    box : Box
        From the first to the last cell's centre: nothing is extrapolated.
    """

    def __init__(self, truth: xr.Dataset, found: Found) -> None:
        self.found = found
        self.stored = truth[found.variable]
        self.times = time_axis(self.stored)
        self.days = _days_of(self.times.values)
        self.rows, self.columns = sides_of(self.stored, found.variable)
        self.dims = (self.times.dim, self.rows.dim, self.columns.dim)
        if set(self.stored.dims) != set(self.dims):
            raise GridError(
                f"{found.variable} has dimensions {self.stored.dims}; satellites need {self.dims} "
                "alone: select one of each other"
            )
        self._values = self._turned(self.stored.transpose(*self.dims))
        chunks = self._values.chunks
        parts = chunks[0] if chunks else (1,) * len(self.days)
        self._edges = np.concatenate([[0], np.cumsum(parts)])
        self._held: dict[int, Array] = {}

    @property
    def sides(self) -> tuple[Array, Array]:
        """Latitudes and longitudes of the centres, ascending."""
        return self.rows.centres, self.columns.centres

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of what is seen of it."""
        kind = self.stored.dtype
        return kind.newbyteorder("=") if kind.kind == "f" else np.dtype(float)

    @property
    def box(self) -> Box:
        north, east = self.sides
        width = 360.0 if self.columns.wraps else min(float(east[-1] - east[0]), 360.0)
        return Box(float(north[0]), float(north[-1]), float(east[0]), width)

    @property
    def span(self) -> tuple[float, float]:
        """First and last day that satellites look at: half a step around the times."""
        steps = np.diff(self.days)
        first, last = (steps[0], steps[-1]) if len(steps) else (1.0, 1.0)
        return float(self.days[0] - first / 2), float(self.days[-1] + last / 2)

    def as_stored(self, values: NDArray[Any]) -> xr.DataArray:
        """Values on (time, rows, columns) as the truth keeps its own."""
        turned = self._turned(xr.DataArray(values, dims=self.dims)).transpose(*self.stored.dims)
        return self.stored.copy(data=turned.values)

    def _turned(self, array: xr.DataArray) -> xr.DataArray:
        return array.isel({side.dim: side.order for side in (self.rows, self.columns)})

    def slab(self, time: int) -> Array:
        """One time, (rows, columns). Blocks are read whole, each once if asked in order."""
        block = int(np.searchsorted(self._edges, time, side="right")) - 1
        if block not in self._held:
            self._held = {k: v for k, v in self._held.items() if k == block - 1}
            first, last = self._edges[block : block + 2]
            self._held[block] = np.asarray(self._values[first:last].values, float)
        return self._held[block][time - self._edges[block]]

    def at(self, days: Array, latitude: Array, longitude: Array) -> Array:
        """The field at points of the box: bilinear, and linear in time but for the ends."""
        corners = _Corners(self, latitude, longitude)
        out = np.empty(days.shape)
        before = np.clip(np.searchsorted(self.days, days, side="right") - 1, 0, len(self.days) - 1)
        for time in np.unique(before):
            chosen = before == time
            out[chosen] = corners.of(self.slab(time), chosen)
            if time + 1 < len(self.days):
                step = self.days[time + 1] - self.days[time]
                later = np.clip((days[chosen] - self.days[time]) / step, 0, 1)
                change = corners.of(self.slab(time + 1), chosen) - out[chosen]
                out[chosen] += later * change
        return out


class _Corners:
    """The four cells round each point, and how near it is to each."""

    def __init__(self, field: Field, latitude: Array, longitude: Array) -> None:
        north, east = field.sides
        if field.columns.wraps:
            east = np.append(east, east[0] + 360)
        self.count = len(field.columns)
        self.row, self.up = _between(north, latitude)
        self.column, self.right = _between(east, field.box.eastward(longitude))

    def of(self, slab: Array, chosen: NDArray[np.bool_]) -> Array:
        row, up = self.row[chosen], self.up[chosen]
        column, right = self.column[chosen], self.right[chosen]
        beside = (column + 1) % self.count
        low = (1 - right) * slab[row, column] + right * slab[row, beside]
        high = (1 - right) * slab[row + 1, column] + right * slab[row + 1, beside]
        return (1 - up) * low + up * high


def _between(centres: Array, places: Array) -> tuple[NDArray[np.int64], Array]:
    """Number of the centre before each place, and the share of the way to the next."""
    position = np.interp(places, centres, np.arange(len(centres)))
    before = np.minimum(position.astype(np.int64), len(centres) - 2)
    return before, position - before


def nearest(side: Side, places: Array) -> NDArray[np.int64]:
    """Number of the centre next to each place."""
    position = np.interp(places, side.centres, np.arange(len(side)))
    return np.rint(position).astype(np.int64)


# -- times -------------------------------------------------------------------------------------


def _start_of(date: Any) -> Any:
    if isinstance(date, np.datetime64):
        return np.datetime64(f"{YEAR}-01-01", "us")
    return date.replace(year=YEAR, month=1, day=1, hour=0, minute=0, second=0, microsecond=0)


def _days_of(dates: NDArray[Any]) -> Array:
    """Days since the beginning of 2000, in the dates' own calendar."""
    start = _start_of(dates[0])
    if isinstance(start, np.datetime64):
        return np.asarray((dates - start) / np.timedelta64(1, "D"), float)
    return np.array([(date - start) / timedelta(days=1) for date in dates])


def dates_of(days: Array, like: NDArray[Any]) -> NDArray[Any]:
    """Dates, to the millisecond, of the kind of others."""
    start = _start_of(like[0])
    parts = np.rint(days * 86_400_000).astype(np.int64)
    if isinstance(start, np.datetime64):
        kind = np.result_type(like.dtype, np.dtype("M8[ms]"))
        return np.asarray((start + parts.astype("m8[ms]")).astype(kind))
    dates = np.empty(len(parts), object)
    dates[:] = [start + timedelta(milliseconds=int(each)) for each in parts]
    return dates
