"""Which observation belongs to which time: months of a monthly model, days of a daily one."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml.errors import GridError
from xocean_ml.grid import TimeAxis

__all__ = ["check_step", "dates", "decoded", "keys", "of_keys"]

MONTH = (27.0, 32.0)
"""Days of a step that is a month."""

OTHER = 1.5
"""Times as long or short as the model's that a step may be."""

EPOCH = np.datetime64("1900-01-01")


def dates(array: xr.DataArray, dim: Hashable) -> xr.DataArray:
    """Times along a dimension, whose coordinate may bear another name."""
    along = [c for c in array.coords.values() if c.dims == (dim,) and c.dtype.kind in "MO"]
    return along[0] if along and dim not in array.coords else array[dim]


def decoded(time: xr.DataArray) -> xr.DataArray:
    """The same times, if they are dates.

    Raises
    ------
    GridError
        Numbers, whose units nobody has read.
    """
    if time.dtype.kind not in "MO":
        raise GridError(
            f"{time.name}: times are not decoded (dtype {time.dtype}): call xarray.decode_cf "
            "first, or assign datetime64 values"
        )
    return time


def keys(time: xr.DataArray, step: float) -> np.ndarray:
    """Number of the step that each date lies in, of any calendar.

    Parameters
    ----------
    time : DataArray
        Dates.
    step : float
        Days of the model's step.

    Examples
    --------
    >>> dates = xr.DataArray(np.array(["2000-01-01", "2000-01-31", "2000-02-01"], "M8[ns]"))
    >>> keys(dates, 30.4) - 2000 * 12
    array([0, 0, 1])
    """
    date = decoded(time).dt
    if _monthly(step):
        return np.asarray(date.year * 12 + date.month - 1, np.int64)
    if time.dtype.kind == "M":
        days = (time.values - EPOCH) / np.timedelta64(1, "D")
    else:
        day = date.dayofyear - 1 + date.hour / 24
        days = np.asarray((date.year - 1900) * _days_a_year(time) + day, np.float64)
    return np.asarray(np.floor(days / step + 1e-6), np.int64)


def of_keys(number: np.ndarray, step: float) -> np.ndarray:
    """Dates of steps: middles of months, or beginnings of other steps."""
    if _monthly(step):
        months = (number - 1970 * 12).astype("datetime64[M]")
        first, last = (each.astype("datetime64[ns]") for each in (months, months + 1))
        return np.asarray(first + (last - first) // 2)
    days = np.round(number * step * 86400).astype("timedelta64[s]")
    return np.asarray((EPOCH + days).astype("datetime64[ns]"))


def check_step(axis: TimeAxis, step: float) -> None:
    """Refuse fields of another frequency than the model's.

    Times further apart than the model's steps may be a choice of them (all Januaries), unless
    their bounds say that they are longer.

    Parameters
    ----------
    axis : TimeAxis
    step : float
        Days of the model's step.
    """
    if not np.isfinite(step):
        return
    if axis.bounds is not None:
        own = float(np.median(axis.step_days))
    elif len(axis) > 1:
        own = min(float(np.median(np.diff(axis.days))), step)
    else:
        return
    if step / OTHER <= own <= step * OTHER:
        return
    freq = "MS" if _monthly(step) else f"{step:.3g}D"
    told = f"{axis.dim}: steps of {own:.3g} days, and the model was fitted to steps of {step:.3g}"
    if own < step:
        raise GridError(f"{told}. Average them: ds.resample({axis.dim}={freq!r}).mean()")
    raise GridError(f"{told}. Fit a model to fields like these, or take finer ones")


def _monthly(step: float) -> bool:
    return MONTH[0] <= step <= MONTH[1]


def _days_a_year(time: xr.DataArray) -> float:
    lengths: dict[Any, float] = {"360_day": 360.0, "noleap": 365.0, "365_day": 365.0}
    return lengths.get(time.dt.calendar, 365.25)
