"""Read labelled fields as plain series: axes, eras, depth bands, windows and anomalies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import xarray as xr

from xocean_ml.errors import GridError

__all__ = [
    "BANDS",
    "Eras",
    "anomalies",
    "depth_bands",
    "depth_dimension",
    "era_members",
    "months",
    "stack",
    "time_dimension",
    "window_labels",
]

Eras: TypeAlias = "Mapping[str, slice] | xr.DataArray | None"
"""Names of eras: a mapping of name to a slice of times, or a label for each step."""

BANDS = (0.0, 20.0, 300.0, 800.0, 2000.0, np.inf)
"""Edges of the depth bands in metres; each band holds its shallower edge."""

_DEPTHS = {"depth", "lev", "level", "deptht", "z", "z_t", "st_ocean", "olevel"}


def time_dimension(da: xr.DataArray) -> str:
    """Return the name of the dimension whose coordinate holds increasing dates.

    Raises
    ------
    GridError
        If no dimension has dates, or they do not increase.
    """
    for dim in da.dims:
        index = da.indexes.get(dim)
        dates = index is not None and (
            np.issubdtype(index.dtype, np.datetime64) or isinstance(index, xr.CFTimeIndex)
        )
        if index is None or not dates:
            continue
        if not (index.is_monotonic_increasing and index.is_unique):
            raise GridError(f"times along {dim!r} must increase: sort them with .sortby({dim!r})")
        return str(dim)
    raise GridError(
        f"looked for a dimension with dates as coordinate (datetime64 or cftime); found {da.dims}: "
        "decode the times with xr.decode_cf"
    )


def depth_dimension(da: xr.DataArray) -> str | None:
    """Return the name of the vertical dimension, None if there is none."""
    for dim in da.dims:
        attrs = da[dim].attrs
        if attrs.get("axis") == "Z" or "positive" in attrs or str(dim).lower() in _DEPTHS:
            return str(dim)
        if attrs.get("standard_name") in ("depth", "sea_water_pressure"):
            return str(dim)
    return None


def stack(fields: Mapping[str, xr.DataArray], weights: xr.DataArray | None = None) -> xr.Dataset:
    """Bring fields, and weights, to dimensions (time, depth, column).

    Parameters
    ----------
    fields : mapping of str to DataArray
        Fields on the same coordinates; one that lacks a dimension of the first is repeated along
        it.
    weights : DataArray, optional
        Any of the first field's dimensions; becomes the variable ``weights``, along time only if
        it had time.

    Returns
    -------
    Dataset
        Lazy where the input was.

    Raises
    ------
    GridError
        If coordinates differ.
    """
    names, arrays = list(fields), list(fields.values())
    first = arrays[0]
    time, depth = time_dimension(first), depth_dimension(first)
    for name, array in fields.items():
        if extra := set(array.dims) - set(first.dims):
            raise GridError(
                f"{name} has dimensions {sorted(map(str, extra))} that {names[0]} lacks"
            )
    if weights is not None:
        weights = weights.fillna(0).broadcast_like(first.isel({time: 0}, drop=True))
        names, arrays = [*names, "weights"], [*arrays, weights]
    try:
        arrays = list(xr.align(*arrays, join="exact", copy=False))
    except ValueError as error:
        raise GridError(f"{', '.join(names)} must share their coordinates: {error}") from error
    keep = {time, depth}
    # By name: the order of dimensions must not decide which columns are neighbours.
    rest = sorted((dim for dim in first.dims if dim not in keep), key=str)
    out = {}
    for name, array in zip(names, arrays, strict=True):
        array = array.drop_vars([coord for coord in array.coords if coord not in keep])
        if name != "weights":
            array = array.broadcast_like(arrays[0].drop_vars(list(arrays[0].coords)))
        if depth is None:
            array = array.expand_dims("depth")
        array = (
            array.stack(_column=rest, create_index=False) if rest else array.expand_dims("_column")
        )
        dims = [dim for dim in (time, depth or "depth", "_column") if dim in array.dims]
        out[name] = array.transpose(*dims)
    ds = xr.Dataset(out)
    labels = {time: "time", depth or "depth": "depth", "_column": "column"}
    return ds.rename({old: new for old, new in labels.items() if old != new})


def era_members(time: xr.DataArray, eras: Eras = None) -> dict[str, np.ndarray]:
    """Return which steps belong to each era: ``all``, then those present.

    Parameters
    ----------
    time : DataArray
        Dates, shape (time,).
    eras : mapping of str to slice, or DataArray, optional
        Slices of times by name, or a label for each step (text, or flags with `flag_values` and
        `flag_meanings`). By default the observing system: before 1970 ``ship``, to 2003 ``xbt``,
        then ``argo``.

    Returns
    -------
    dict of str to ndarray of bool, shape (time,)

    Examples
    --------
    >>> time = xr.date_range("1960-01-01", "2009-01-01", freq="YS")
    >>> members = era_members(xr.DataArray(time, dims="time"))
    >>> {name: int(steps.sum()) for name, steps in members.items()}
    {'all': 50, 'ship': 10, 'xbt': 34, 'argo': 6}
    """
    members = {"all": np.ones(time.size, bool)}
    if isinstance(eras, Mapping):
        steps = xr.DataArray(np.arange(time.size), dims="time", coords={"time": time.values})
        for name, part in eras.items():
            members[str(name)] = np.isin(steps, steps.sel(time=part))
        return members
    names = _observing_system(time) if eras is None else _era_names(eras, time.size)
    for name in dict.fromkeys(names.tolist()):
        members[name] = names == name
    return members


def _observing_system(time: xr.DataArray) -> np.ndarray:
    year = time.dt.year.values
    return np.array(["ship", "xbt", "argo"])[np.digitize(year, [1970, 2004])]


def _era_names(eras: xr.DataArray, size: int) -> np.ndarray:
    values = np.asarray(eras)
    if values.shape != (size,):
        raise GridError(f"eras need one label for each of {size} steps; found shape {values.shape}")
    attrs = getattr(eras, "attrs", {})
    meanings = str(attrs.get("flag_meanings", "")).split()
    flags = np.atleast_1d(attrs.get("flag_values", np.arange(len(meanings))))
    if meanings and values.dtype.kind in "iuf":
        names = dict(zip(flags.tolist(), meanings, strict=True))
        return np.array([names.get(value, str(value)) for value in values.tolist()])
    return values.astype(str)


def depth_bands(
    depth: xr.DataArray | None, edges: Sequence[float] | None = None
) -> dict[str, np.ndarray]:
    """Return which levels belong to each depth band, those present.

    Parameters
    ----------
    depth : DataArray or None
        Depths in metres, either sign, shape (depth,).
    edges : sequence of float, optional
        Edges of the bands in metres; `BANDS` by default.

    Returns
    -------
    dict of str to ndarray of bool, shape (depth,)
        One band ``all`` where there is no depth.

    Examples
    --------
    >>> list(depth_bands(xr.DataArray([5.0, 100.0, 3000.0])))
    ['0-20', '20-300', '>2000']
    """
    if depth is None:
        return {"all": np.ones(1, bool)}
    edges = BANDS if edges is None else tuple(edges)
    metres = np.abs(np.asarray(depth, float))
    bands = {}
    for top, bottom in pairwise(edges):
        levels = (metres >= top) & (metres < bottom)
        name = f"{top:g}-{bottom:g}" if np.isfinite(bottom) else f">{top:g}"
        if levels.any():
            bands[name] = levels
    if not bands:
        raise GridError(f"no level between {edges[0]:g} and {edges[-1]:g} m; found {metres}")
    return bands


def months(time: xr.DataArray) -> np.ndarray:
    """Return the season label of each step: its month, or 0 where there is no season to remove.

    A season can be told only from three years or more of steps shorter than a year.
    """
    year = time.dt.decimal_year.values
    if year.size < 2 or year[-1] - year[0] < 2.9 or np.median(np.diff(year)) > 0.9:
        return np.zeros(year.size, int)
    return time.dt.month.values - 1


def window_labels(time: xr.DataArray, windows: Any) -> np.ndarray:
    """Return an integer label for each step's conservation window.

    Parameters
    ----------
    time : DataArray
        Dates, shape (time,).
    windows : array_like of int, or str
        Labels themselves, or a frequency in years or months (``"5YS"``, ``"18MS"``), counted
        from year 0 so that cropping a series does not move its windows.

    Returns
    -------
    ndarray of int, shape (time,)
    """
    if isinstance(windows, str):
        text = windows.upper().rstrip("SE")
        count, unit = text[:-1] or "1", text[-1:]
        if unit not in "YAM" or not unit or not count.isdigit():
            raise GridError(f"windows {windows!r}: give years ('5YS'), months ('6MS') or labels")
        month = time.dt.year.values * 12 + time.dt.month.values - 1
        return month // (int(count) * (1 if unit == "M" else 12))
    labels = np.asarray(windows)
    if labels.shape != (time.size,):
        raise GridError(
            f"windows need one label for each of {time.size} steps; found {labels.shape}"
        )
    return labels.astype(int)


def anomalies(x: np.ndarray, valid: np.ndarray, season: np.ndarray, year: np.ndarray) -> np.ndarray:
    """Remove from each series its seasonal means and linear trend, fitted together.

    Parameters
    ----------
    x : ndarray, shape (time, ...)
        Series; zero where not valid.
    valid : ndarray of bool, shape (time, ...)
        Which values count.
    season : ndarray of int, shape (time,)
        Season of each step, from `months`.
    year : ndarray, shape (time,)
        Time in years.

    Returns
    -------
    ndarray, shape (time, ...)
        Zero where not valid.
    """
    shape = x.shape
    x, ok = x.reshape(shape[0], -1), valid.reshape(shape[0], -1)
    member = (season == np.unique(season)[:, None]).astype(float)
    slot = np.unique(season, return_inverse=True)[1]
    # Series without gaps, the usual case, share one trend: a single column stands for all.
    gaps = np.any(ok != ok[:1])
    count = member @ (ok if gaps else np.ones((shape[0], 1)))
    t = (year - year.mean())[:, None] * (ok if gaps else 1.0)
    scale = 1 / np.maximum(count, 1)
    t = t - ((member @ t) * scale)[slot] * (ok if gaps else 1.0)
    x = x - ((member @ x) * scale)[slot] * ok
    power = np.sum(t * t, axis=0)
    slope = (np.einsum("tn,tn->n", t, x) if gaps else t[:, 0] @ x) / np.where(power > 0, power, 1.0)
    return (x - t * slope).reshape(shape)
