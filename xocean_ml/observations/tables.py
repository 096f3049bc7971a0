"""Tables of observations: one row for each value, with its error, time and place."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr

from xocean_ml.errors import FieldNotFound, GridError, ValuesError, raise_all
from xocean_ml.observations.sampling import (
    KINDS,
    coordinate,
    depth_of,
    error_of,
    expand,
    links_of,
    observed,
)

__all__ = ["from_grid", "select", "table"]


class _Source(NamedTuple):
    """An observed variable with its error (or None) and coordinates, each on its dimensions."""

    value: xr.DataArray
    error: xr.DataArray | None
    coords: dict[str, xr.DataArray]


def table(
    ds: xr.Dataset,
    variable: str | None = None,
    *,
    error: float | str | None = None,
    depth: float | str | None = None,
) -> xr.Dataset:
    """Return the observations of one variable as a table with one row for each.

    Parameters
    ----------
    ds : xarray.Dataset
        Observations in any CF discrete-sampling geometry, or with latitude, longitude and time
        along the variable's dimensions.
    variable : str, optional
        Name or standard name of the observed variable; may be left out if there is only one.
    error : float or str, optional
        Standard error of the observations: one number, in the variable's units, or the name of a
        variable. Else it is taken from an ancillary variable whose standard name ends in
        `` standard_error`` or, for Argo, from ``<variable>_ERROR``; else it is unknown (NaN).
    depth : float or str, optional
        Depth in metres, positive down, or the name of the vertical coordinate (depth, height or
        sea-water pressure). Found by name if left out; NaN where there is none (the surface).

    Returns
    -------
    xarray.Dataset
        Dimension ``obs``; variables ``value`` and ``error`` (units and ``role`` in the
        attributes), ``index`` (position in the flattened source variable, whose shape is in the
        attributes), coordinates ``time``, ``latitude``, ``longitude`` (degrees) and ``depth``
        (m, positive down). Rows without value or position are left out and counted in the
        attributes ``dropped_without_value`` and ``dropped_without_position``.

    Raises
    ------
    FieldNotFound, AmbiguousField
        No variable, or several, or a coordinate of it that is not there.
    GridError
        Times that are not decoded, a ragged array that does not add up, a gridded variable.
    ValuesError
        Infinite values or negative errors.

    Examples
    --------
    >>> pass_ = xr.Dataset(
    ...     {"ssha": ("time", [0.1, np.nan, 0.3], {"units": "m"})},
    ...     {"time": np.array(["2002-01-15"] * 3, "M8[ns]"),
    ...      "lat": ("time", [10.0, 10.1, 10.2]), "lon": ("time", [200.0, 200.1, 200.2])})
    >>> rows = table(pass_, error=0.03)
    >>> rows["value"].values, rows["error"].values, rows.attrs["dropped_without_value"]
    (array([0.1, 0.3]), array([0.03, 0.03]), 1)
    """
    source = _source(ds, variable, error, depth)
    latitude, longitude = source.coords["latitude"], source.coords["longitude"]
    if latitude.ndim and longitude.ndim and not set(latitude.dims) & set(longitude.dims):
        raise GridError(
            f"{source.value.name!r} lies on a grid {source.value.dims}: latitude and longitude "
            "have no dimension in common; to take its cells as observations, call from_grid"
        )
    return _rows(source)


def from_grid(
    ds: xr.Dataset,
    variable: str | None = None,
    *,
    error: float | str | None = None,
    depth: float | str | None = None,
) -> xr.Dataset:
    """Return the cells of a gridded field that have a value, as a table of observations.

    The variable is computed whole (select the times wanted before); coordinates are looked up
    only at the cells that have a value. Parameters, result and errors are those of `table`.

    Examples
    --------
    >>> grid = xr.Dataset(
    ...     {"sst": (("time", "lat", "lon"), [[[290.0, np.nan], [np.nan, 292.0]]])},
    ...     {"time": np.array(["2005-04-01"], "M8[ns]"), "lat": [36.0, 37.0], "lon": [2.0, 3.0]})
    >>> rows = from_grid(grid)
    >>> rows["latitude"].values, rows["longitude"].values, rows["index"].values
    (array([36., 37.]), array([2., 3.]), array([0, 3]))
    """
    return _rows(_source(ds, variable, error, depth))


def select(
    table: xr.Dataset,
    *,
    time: slice | None = None,
    box: tuple[float, float, float, float] | None = None,
    depth: tuple[float, float] | None = None,
) -> xr.Dataset:
    """Return the rows of a table within a time range, a box and a depth range, ends included.

    Parameters
    ----------
    table : xarray.Dataset
        A table of observations, in any order of time.
    time : slice, optional
        Dates or strings, as in ``Dataset.sel``: ``slice("2012", "2013-06")`` ends with June.
    box : (west, east, south, north), optional
        Degrees. Longitudes may be on 0..360 or -180..180 and the box may cross either seam.
    depth : (top, bottom), optional
        Metres, positive down; rows without depth are then left out.

    Examples
    --------
    >>> rows = xr.Dataset(coords={
    ...     "time": ("obs", np.array(["2012-05-02", "2012-07-01", "2012-01-01"], "M8[ns]")),
    ...     "longitude": ("obs", [-5.0, 359.0, 200.0]), "latitude": ("obs", [40.0, 41.0, 42.0])})
    >>> select(rows, time=slice("2012", "2012-06"), box=(350, 10, 30, 50))["latitude"].values
    array([40.])
    """
    keep = np.ones(table.sizes["obs"], dtype=bool)
    if time is not None:
        keep &= _within(table["time"], time)
    if box is not None:
        west, east, south, north = box
        width = 360.0 if east - west >= 360.0 else (east - west) % 360.0
        latitude = table["latitude"].values
        keep &= (table["longitude"].values - west) % 360.0 <= width
        keep &= (latitude >= south) & (latitude <= north)
    if depth is not None:
        keep &= (table["depth"].values >= depth[0]) & (table["depth"].values <= depth[1])
    return table.isel(obs=np.flatnonzero(keep))


def _source(
    ds: xr.Dataset, variable: str | None, error: float | str | None, depth: float | str | None
) -> _Source:
    links = links_of(ds)
    value = observed(ds, variable, links)
    coords = {kind: coordinate(ds, value, kind, links) for kind in KINDS if kind != "depth"}
    missing = [
        FieldNotFound(
            f"{value.name!r} has no {kind}: no variable on {value.dims} has the standard_name, "
            f"units or a usual name of one; found {sorted(map(str, ds.variables))}"
        )
        for kind, coord in coords.items()
        if coord is None
    ]
    raise_all(missing, f"coordinates of {value.name!r}")
    found = {kind: coord for kind, coord in coords.items() if coord is not None}
    found["depth"] = depth_of(ds, value, depth, found["latitude"], links)
    found = {kind: expand(coord, value.dims, links) for kind, coord in found.items()}
    if found["time"].dtype.kind not in "MO":
        raise GridError(
            f"time {found['time'].name!r} of {value.name!r} is not decoded (dtype "
            f"{found['time'].dtype}): call xarray.decode_cf first or assign datetime64 values"
        )
    return _Source(value, error_of(ds, value, error, links), found)


def _rows(source: _Source) -> xr.Dataset:
    value = source.value
    flat = np.ascontiguousarray(value.values).ravel()
    _check(value, np.isinf(flat), "is infinite")
    rows = np.flatnonzero(~np.isnan(flat))
    coords = {kind: _at(coord, value, rows) for kind, coord in source.coords.items()}
    located = ~(np.isnan(coords["latitude"]) | np.isnan(coords["longitude"]))
    located &= ~_isnat(coords["time"])
    if source.coords["depth"].ndim:
        located &= ~np.isnan(coords["depth"])
    kept = rows[located]
    error = np.full(kept.size, np.nan)
    if source.error is not None:
        error = _at(source.error, value, kept).astype(float)
        _check(source.error, error < 0, "is negative", kept)
    attrs = {name: each for name, each in value.attrs.items() if name in _KEPT_ATTRS}
    spread = {"long_name": "standard error", "role": "spread"}
    spread |= {"units": attrs["units"]} if "units" in attrs else {}
    data = {
        "value": (
            "obs",
            flat[kept],
            attrs | {"role": _role(value), "ancillary_variables": "error"},
        ),
        "error": ("obs", error, spread),
        "index": ("obs", kept, {"long_name": "position in the flattened source variable"}),
    }
    return xr.Dataset(
        data,
        {kind: ("obs", each[located], _COORD_ATTRS[kind]) for kind, each in coords.items()},
        {
            "featureType": "point",
            "source_variable": str(value.name),
            "source_shape": list(value.shape),
            "dropped_without_value": int(flat.size - rows.size),
            "dropped_without_position": int(rows.size - kept.size),
        },
    )


_KEPT_ATTRS = ("standard_name", "long_name", "units", "units_metadata")
_COORD_ATTRS = {
    "time": {"standard_name": "time"},
    "latitude": {"standard_name": "latitude", "units": "degrees_north"},
    "longitude": {"standard_name": "longitude", "units": "degrees_east"},
    "depth": {"standard_name": "depth", "units": "m", "positive": "down"},
}


def _at(coord: xr.DataArray, value: xr.DataArray, rows: np.ndarray) -> np.ndarray:
    """Return `coord` at flat positions of `value`, without broadcasting it to all of `value`."""
    if not coord.ndim:
        return np.full(rows.size, coord.values)
    where = dict(zip(value.dims, np.unravel_index(rows, value.shape), strict=True))
    return coord.values[tuple(where[dim] for dim in coord.dims)]


def _check(of: xr.DataArray, bad: np.ndarray, what: str, rows: np.ndarray | None = None) -> None:
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        place = first if rows is None else int(rows[first])
        raise ValuesError(
            f"{of.name!r} {what} at {int(bad.sum())} places, first at flat position {place}: "
            "mask them (Dataset.where) before making a table"
        )


def _isnat(time: np.ndarray) -> np.ndarray:
    # cftime dates are objects: a missing one is None or a float NaN, the only value unlike itself.
    if time.dtype.kind == "M":
        return np.isnat(time)
    return np.array([each is None or each != each for each in time], dtype=bool)


def _within(time: xr.DataArray, span: slice) -> np.ndarray:
    """Return which times lie in `span`, by the index's own rules for partial dates."""
    index = time.to_index()
    order = index.argsort()
    keep = np.zeros(len(index), dtype=bool)
    keep[order[index[order].slice_indexer(span.start, span.stop)]] = True
    return keep


def _role(value: xr.DataArray) -> str:
    standard = str(value.attrs.get("standard_name", ""))
    change = standard.startswith(("change_over_time_in_", "tendency_of_"))
    difference = change or "difference" in str(value.attrs.get("units_metadata", ""))
    return "difference" if difference else "state"
