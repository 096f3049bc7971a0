"""The time axis of a series: checked, in days of its own calendar, cut into windows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xocean_ml.errors import GridError
from xocean_ml.grid._bounds import bounds_of, midpoint_edges
from xocean_ml.grid._calendar import DAY, first_of_year, microseconds, to_dates
from xocean_ml.grid._labelled import Labelled, text
from xocean_ml.grid.dimensions import dimension
from xocean_ml.grid.vocabulary import axis_of, is_datelike
from xocean_ml.grid.windows import Segments, numbering, without_stubs

__all__ = ["TimeAxis", "time_axis"]


@dataclass(frozen=True, eq=False)
class TimeAxis:
    """Checked times of a series: sorted, unique, decoded. Made by `time_axis`.

    Parameters
    ----------
    dim : str
        Name of the dimension.
    values : ndarray, shape (time,)
        ``datetime64`` or `cftime` dates.
    bounds : ndarray, shape (time, 2), optional
        Start and end of each step, dates of the same kind.
    """

    dim: str
    values: NDArray[Any]
    bounds: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def days(self) -> NDArray[np.float64]:
        """Days since the first step, exact in the axis' calendar; shape (time,)."""
        return microseconds(self.values, self.values[0]) / DAY

    @cached_property
    def step_days(self) -> NDArray[np.float64]:
        """Length of each step in days, shape (time,).

        From the time bounds; without them steps meet half-way between the times, and the outer
        steps are symmetric about theirs.
        """
        if self.bounds is not None:
            start, end = (microseconds(each, self.values[0]) for each in self.bounds.T)
            return (end - start) / DAY
        if len(self) < 2:
            raise GridError(
                f"{self.dim}: one step without time bounds has no length. Give bounds, e.g. a "
                f"variable named in obj['{self.dim}'].attrs['bounds']"
            )
        return np.diff(midpoint_edges(self.days))

    def segments(self, freq: str, anchor: int = 1900) -> Segments:
        """Cut the axis into windows that do not depend on where the series starts or ends.

        Windows are counted from 1 January of the year `anchor` in the axis' own calendar, so
        that cropping a series never moves them. A step belongs to the window that holds the
        middle of its bounds (without bounds: its time).

        A first or last window of which the data cover less than half (sum of the step lengths
        against the window's length) joins its neighbour: closing a stub on its own would let
        its few steps carry a whole window's correction.

        Parameters
        ----------
        freq : str
            pandas frequency: years (``"5YS"``, ``"YS-APR"``), quarters (``"QS"``), months
            (``"6MS"``), weeks, days (``"365D"``), ``h``, ``min``, ``s``; ``"all"`` is one window.
            Year, quarter and month *ends* (``"YE"``) mean the same windows as starts.
        anchor : int
            Year from which windows are counted.

        Returns
        -------
        Segments
            Window of each step and the windows' edges. Windows without steps are left out.

        Raises
        ------
        GridError
            A frequency that cannot be read.

        Examples
        --------
        >>> import xarray as xr
        >>> times = xr.date_range("1992-01-01", "2009-12-01", freq="MS")
        >>> series = xr.DataArray(range(len(times)), dims="time", coords={"time": times})
        >>> windows = time_axis(series).segments("5YS")
        >>> windows.edges.astype("datetime64[Y]")
        array(['1990', '1995', '2000', '2005', '2010'], dtype='datetime64[Y]')
        """
        epoch = first_of_year(self.values[0], anchor)
        if freq == "all":
            return Segments(np.zeros(len(self), np.int64), self._ends(epoch))
        middles = self._middles(epoch)
        number, start = numbering(freq, middles, epoch)
        windows, index = np.unique(number, return_inverse=True)
        starts = np.array([start(each) for each in [*windows, windows[-1] + 1]])
        if len(windows) > 1:
            ends = np.array([start(each + 1) for each in windows])
            covered = np.bincount(index, self.step_days)
            starts = without_stubs(starts, 2 * covered < (ends - starts[:-1]) / DAY)
        index = np.searchsorted(starts[1:-1], microseconds(middles, epoch), side="right")
        return Segments(index.astype(np.int64), to_dates(starts, epoch))

    def _middles(self, epoch: Any) -> NDArray[Any]:
        if self.bounds is None:
            return self.values
        start, end = (microseconds(each, epoch) for each in self.bounds.T)
        return to_dates((start + end) // 2, epoch)

    def _ends(self, epoch: Any) -> NDArray[Any]:
        if self.bounds is not None:
            return np.array([self.bounds[0, 0], self.bounds[-1, 1]])
        ends = microseconds(self.values[[0, -1]], epoch)
        if len(self) > 1:
            ends[1] += round(self.step_days[-1] * DAY)
        return to_dates(ends, epoch)


def time_axis(obj: Labelled, *, minimum: int = 1) -> TimeAxis:
    """Find the time axis of `obj` and check it at once.

    Parameters
    ----------
    obj : Dataset or DataArray
        A Dataset also gives the time bounds, if its time coordinate names any.
    minimum : int
        Least number of steps.

    Raises
    ------
    GridError
        No time axis, undecoded numbers, missing, unsorted or duplicated times, too few steps,
        bounds that do not fit.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> times = np.array(["2001-01-01", "2001-01-11", "2001-01-31"], "datetime64[ns]")
    >>> time_axis(xr.DataArray(times, dims="time", coords={"time": times})).step_days
    array([10., 15., 20.])
    """
    dim = dimension(obj, "T")
    times = _time_coordinate(obj, dim)
    values = times.values
    name = str(times.name)
    if not is_datelike(times):
        raise GridError(_undecoded(name, times))
    if len(values) < minimum:
        raise GridError(f"{name}: {len(values)} steps; at least {minimum} are needed")
    missing = np.flatnonzero(times.isnull().values)
    if missing.size:
        raise GridError(
            f"{name}: {missing.size} missing times, the first at index {missing[0]}. Drop them, "
            f"e.g. obj.sel({dim}=obj['{name}'].notnull())"
        )
    _check_order(name, dim, values)
    return TimeAxis(dim, values, _time_bounds(obj, times))


def _time_coordinate(obj: Labelled, dim: str) -> xr.DataArray:
    if dim in obj.coords:
        return obj.coords[dim]
    for coordinate in obj.coords.values():
        if coordinate.dims == (dim,) and axis_of(coordinate) == "T":
            return coordinate
    raise GridError(
        f"{dim}: a time dimension without times. Add them, e.g. obj.assign_coords({dim}="
        f"xr.date_range('2000-01-01', periods={obj.sizes[dim]}, freq='MS'))"
    )


def _undecoded(name: str, times: xr.DataArray) -> str:
    units = text(times, "units")
    if not units:
        return (
            f"{name}: plain numbers without units are no dates. Set obj['{name}'].attrs['units'], "
            "e.g. 'days since 1900-01-01', and decode with xr.decode_cf(obj)"
        )
    what = f"{name}: undecoded times in {units!r}"
    if re.search(r"since\s+0+-", units):
        return (
            f"{what}: year 0 marks a climatology, which has no dates. Give it those it stands for, "
            f"e.g. obj.assign_coords({name}=xr.date_range('2000-01-01', periods="
            f"{times.size}, freq='MS'))"
        )
    return f"{what}. Decode them with xr.decode_cf(obj), or open without decode_times=False"


def _check_order(name: str, dim: str, values: NDArray[Any]) -> None:
    backward = np.flatnonzero(values[1:] < values[:-1])
    if backward.size:
        at = backward[0]
        raise GridError(
            f"{name}: times are not sorted: {values[at + 1]} at index {at + 1} follows "
            f"{values[at]}. Sort them: obj.sortby('{dim}')"
        )
    twice = np.flatnonzero(values[1:] == values[:-1])
    if twice.size:
        raise GridError(
            f"{name}: {twice.size} duplicated times, the first {values[twice[0]]} at indices "
            f"{twice[0]} and {twice[0] + 1}. Drop them: obj.drop_duplicates('{dim}')"
        )


def _time_bounds(obj: Labelled, times: xr.DataArray) -> NDArray[Any] | None:
    bounds = bounds_of(obj, times)
    if bounds is None:
        return None
    if not is_datelike(bounds):
        raise GridError(f"{bounds.name}: time bounds that are no dates. Decode: xr.decode_cf(obj)")
    values = bounds.values
    wrong = np.flatnonzero(~(values[:, 0] < values[:, 1]))
    if wrong.size:
        raise GridError(
            f"{bounds.name}: step {wrong[0]} ends at {values[wrong[0], 1]}, not after its start "
            f"{values[wrong[0], 0]}. Mend the bounds, or drop them"
        )
    return values
