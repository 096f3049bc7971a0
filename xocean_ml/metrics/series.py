"""Read labelled fields as plain series: axes, eras, depth bands, windows and anomalies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import xarray as xr

from xocean_ml import grid, units
from xocean_ml.errors import GridError

__all__ = [
    "BANDS",
    "Eras",
    "anomalies",
    "depth_bands",
    "era_members",
    "months",
    "stack",
    "window_labels",
]

Eras: TypeAlias = "Mapping[str, slice] | xr.DataArray | None"
"""Names of eras: a mapping of name to a slice of times, or a label for each step."""

BANDS = (0.0, 20.0, 300.0, 800.0, 2000.0, np.inf)
"""Edges of the depth bands in metres; each band holds its shallower edge."""


def stack(fields: Mapping[str, xr.DataArray], weights: xr.DataArray | None = None) -> xr.Dataset:
    """Bring fields, and weights, to dimensions (time, depth, column).

    Parameters
    ----------
    fields : mapping of str to DataArray
        Increments on the same coordinates, converted to the units of the one named ``raw``; one
        that lacks a dimension of the first is repeated along it.
    weights : DataArray, optional
        Any of the first field's dimensions; becomes the variable ``weights``, along time only if
        it had time.

    Returns
    -------
    Dataset
        Lazy where the input was. Its coordinate ``depth`` is in metres, positive down; absent
        where the levels have no depth.

    Raises
    ------
    GridError
        No dates; coordinates that differ.
    UnitsError
        Units that do not convert.
    """
    plain = dict(zip(fields, _in_units_of(fields), strict=True))
    first = next(iter(plain.values()))
    time = grid.time_axis(first).dim
    depth = grid.axes(first).get("Z")
    for name, array in plain.items():
        if extra := set(array.dims) - set(first.dims):
            lead = next(iter(plain))
            raise GridError(f"{name} has dimensions {sorted(map(str, extra))} that {lead} lacks")
    if weights is not None:
        weights = _plain(weights).fillna(0)
        plain["weights"] = weights.broadcast_like(first.isel({time: 0}, drop=True))
    try:
        aligned = xr.align(*plain.values(), join="exact", copy=False)
    except ValueError as error:
        raise GridError(f"{', '.join(plain)} must share their coordinates: {error}") from error
    bare = [array.drop_vars([c for c in array.coords if c != time]) for array in aligned]
    # By name: the order of dimensions must not decide which columns are neighbours.
    rest = sorted((dim for dim in first.dims if dim not in (time, depth)), key=str)
    out = {}
    for name, array in zip(plain, bare, strict=True):
        whole = array if name == "weights" else array.broadcast_like(bare[0])
        whole = whole.expand_dims("depth") if depth is None else whole.rename({depth: "depth"})
        whole = (
            whole.stack(_column=rest, create_index=False) if rest else whole.expand_dims("_column")
        )
        out[name] = whole.rename(_column="column").transpose(..., "depth", "column")
    ds = xr.Dataset(out)
    ds = ds.rename({time: "time"}) if time != "time" else ds
    metres = _metres(first)
    return ds if metres is None else ds.assign_coords(depth=("depth", metres))


def _in_units_of(fields: Mapping[str, xr.DataArray]) -> list[xr.DataArray]:
    """Take Quantities off, and convert all fields to the units of ``raw`` where both tell any."""
    target = units.units_of(fields["raw"])
    out = []
    for name, field in fields.items():
        have = units.units_of(field)
        array = _plain(field)
        if have is not None and target is not None and have != target:
            convert = units.conversion(have, target, "difference", variable=name)
            array = array.copy(data=convert(array.data))
        out.append(array)
    return out


def _plain(array: xr.DataArray) -> xr.DataArray:
    """Take off pint Quantities."""
    return units.dequantify(array.to_dataset(name="_field"))[0]["_field"]


def _metres(da: xr.DataArray) -> np.ndarray | None:
    level = grid.axes(da).get("Z")
    if level is None or level not in da.coords:
        return None
    try:
        depth = grid.depth(da)
    except GridError:  # level numbers or sigma: no depth, so no bands
        return None
    return depth.mean([dim for dim in depth.dims if dim != level]).values


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


def depth_bands(metres: np.ndarray, edges: Sequence[float] | None = None) -> dict[str, np.ndarray]:
    """Return which levels belong to each depth band, those present.

    Parameters
    ----------
    metres : ndarray, shape (depth,)
        Depths in metres, positive down.
    edges : sequence of float, optional
        Edges of the bands in metres; `BANDS` by default.

    Returns
    -------
    dict of str to ndarray of bool, shape (depth,)

    Examples
    --------
    >>> list(depth_bands(np.array([5.0, 100.0, 3000.0])))
    ['0-20', '20-300', '>2000']
    """
    edges = BANDS if edges is None else tuple(edges)
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
        Labels themselves, or a frequency, see `xocean_ml.grid.TimeAxis.segments`.

    Returns
    -------
    ndarray of int, shape (time,)
    """
    if isinstance(windows, str):
        return grid.time_axis(time).segments(windows).index
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
