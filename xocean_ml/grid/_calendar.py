"""Dates of any calendar, `datetime64` or cftime, as whole microseconds and months."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DAY",
    "SECOND",
    "first_of_year",
    "microseconds",
    "month_numbers",
    "month_start",
    "to_dates",
]

SECOND = 1_000_000
DAY = 86_400 * SECOND


def first_of_year(date: Any, year: int) -> Any:
    """Return 1 January of `year` in the calendar of `date`."""
    if isinstance(date, np.datetime64):
        return np.datetime64(f"{year:04d}-01-01", "us")
    return date.replace(year=year, month=1, day=1, hour=0, minute=0, second=0, microsecond=0)


def microseconds(dates: NDArray[Any], epoch: Any) -> NDArray[np.int64]:
    """Return microseconds since a date of the same calendar."""
    # integers, so that a step on a window's edge is never on the wrong side of it
    if isinstance(epoch, np.datetime64):
        return (dates.astype("datetime64[us]") - epoch.astype("datetime64[us]")).astype(np.int64)
    return np.array([(date - epoch) // timedelta(microseconds=1) for date in dates], np.int64)


def to_dates(microseconds: NDArray[np.int64], epoch: Any) -> NDArray[Any]:
    """Return the dates that lie `microseconds` after the epoch, in its calendar."""
    if isinstance(epoch, np.datetime64):
        return epoch + microseconds.astype("timedelta64[us]")
    dates = np.empty(len(microseconds), object)
    dates[:] = [epoch + timedelta(microseconds=int(each)) for each in microseconds]
    return dates


def month_numbers(dates: NDArray[Any]) -> NDArray[np.int64]:
    """Return months since year 0."""
    if np.issubdtype(dates.dtype, np.datetime64):
        return dates.astype("datetime64[M]").astype(np.int64) + 1970 * 12
    return np.array([date.year * 12 + date.month - 1 for date in dates], np.int64)


def month_start(number: int, epoch: Any) -> int:
    """Return when a month (since year 0) starts, in microseconds since the epoch."""
    if isinstance(epoch, np.datetime64):
        start: Any = np.datetime64(number - 1970 * 12, "M")
        return int((start.astype("datetime64[us]") - epoch).astype(np.int64))
    start = epoch.replace(year=number // 12, month=number % 12 + 1)
    return (start - epoch) // timedelta(microseconds=1)
