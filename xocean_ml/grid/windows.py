"""Windows of time, counted from an anchor so that cropping a series never moves them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xocean_ml.errors import GridError
from xocean_ml.grid._calendar import DAY, SECOND, microseconds, month_numbers, month_start

__all__ = ["Segments", "numbering", "without_stubs"]


@dataclass(frozen=True, eq=False)
class Segments:
    """Windows of a time axis.

    Parameters
    ----------
    index : ndarray of int64, shape (time,)
        Window of each step: 0, 1, ... without gaps.
    edges : ndarray, shape (windows + 1,)
        Start of each window and end of the last, as dates of the axis' calendar.
    """

    index: NDArray[np.int64]
    edges: NDArray[Any]


_FREQUENCY = re.compile(r"(\d*)([YQM][SE]?|W|D|h|min|s)(?:-([A-Z]{3}))?")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_UNIT_MONTHS = {"Y": 12, "Q": 3, "M": 1}
_UNIT_MICROSECONDS = {"W": 7 * DAY, "D": DAY, "h": DAY // 24, "min": 60 * SECOND, "s": SECOND}


def numbering(
    freq: str, dates: NDArray[Any], epoch: Any
) -> tuple[NDArray[np.int64], Callable[[int], int]]:
    """Return each date's window number, and a function from number to start (us since epoch)."""
    match = _FREQUENCY.fullmatch(freq)
    count, unit, month = match.groups() if match else ("", "", None)
    multiple = int(count or 1)
    calendar = unit[:1] in {"Y", "Q", "M"}
    if not match or multiple < 1 or (month and (unit[0] not in "YQ" or month not in _MONTHS)):
        raise GridError(
            f"frequency {freq!r} cannot be read; expected 'all' or a pandas frequency in years, "
            "quarters, months, weeks, days, hours, minutes or seconds, e.g. '5YS', 'QS', '365D'"
        )
    if not calendar:
        width = multiple * _UNIT_MICROSECONDS[unit]
        return microseconds(dates, epoch) // width, lambda number: int(number) * width
    months = multiple * _UNIT_MONTHS[unit[0]]
    first = month_numbers(np.array([epoch]))[0] + _first_month(unit, month)

    def start(number: int) -> int:
        return month_start(int(first + number * months), epoch)

    return (month_numbers(dates) - first) // months, start


def _first_month(unit: str, month: str | None) -> int:
    """Return the month (0 to 11) in which windows start: 'YE-MAR' ends in March, so April."""
    if month is None:
        return 0
    return (_MONTHS.index(month) + (unit[1:] != "S")) % 12


def without_stubs(starts: NDArray[np.int64], stub: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Join a first or last window that is a stub to its neighbour; one window always stays."""
    if stub[-1]:
        starts = np.delete(starts, -2)
    if stub[0] and len(starts) > 2:
        starts = np.delete(starts, 1)
    return starts
