"""Reads fields to learn from: found by their CF names, on one grid, as one array."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml import fields as cf
from xocean_ml import grid, units
from xocean_ml.assimilation.when import dates, decoded
from xocean_ml.downscaling.reading import maps
from xocean_ml.errors import FieldNotFound, GridError
from xocean_ml.fields.search import row_of
from xocean_ml.grid import sides_of

__all__ = ["KNOWN", "Read", "fields_of", "month_of", "read", "same_grid", "seasons", "told_apart"]

KNOWN = (
    "sea_surface_temperature",
    "sea_surface_salinity",
    "sea_level_anomaly",
    "sea_surface_height_above_geoid",
    "air_pressure_at_mean_sea_level",
    "air_temperature_2m",
    "precipitation",
    "eastward_wind",
    "northward_wind",
)
"""Fields that are taken where none is named: all that are there."""


CLOSE = 1e-3
"""Degrees by which grids may differ."""


@dataclass(frozen=True, eq=False)
class Read:
    """Fields of one Dataset.

    Parameters
    ----------
    values : array of float32, (samples, fields, rows, columns)
        Rows and columns ascend; a sample is one time, and one of whatever else there is (members).
    fields : tuple of mapping
        ``key``, ``role``, ``units``, ``name``, ``attrs``, ``dtype`` of each.
    latitude, longitude : array
        Centres, ascending.
    layout : mapping
        Names, attributes and order of the stored coordinates.
    times : array of int, (samples,)
        Number of each sample's time.
    month : array, (samples,)
        Months since mid-January, by `seasons`.
    step : float
        Days between times; NaN for one time.
    """

    values: np.ndarray
    fields: tuple[Mapping[str, Any], ...]
    latitude: np.ndarray
    longitude: np.ndarray
    layout: Mapping[str, Any]
    times: np.ndarray
    month: np.ndarray
    step: float

    def told(self, power: Sequence[int], lengths: Sequence[float]) -> list[dict[str, Any]]:
        """Fields as a model's configuration has them."""
        return [
            {**each, "power": one, "length": length}
            for each, one, length in zip(self.fields, power, lengths, strict=True)
        ]

    def some(self, keep: np.ndarray) -> Read:
        """Some of the samples."""
        return replace(
            self, values=self.values[keep], times=self.times[keep], month=self.month[keep]
        )


def seasons(time: xr.DataArray) -> np.ndarray:
    """Months since mid-January, of dates of any calendar: 0.5 is the first of February.

    Examples
    --------
    >>> seasons(xr.DataArray(np.array(["2001-01-16T12", "2001-03-01"], "M8[ns]"), dims="time"))
    array([0. , 1.5])
    """
    date = decoded(time).dt
    day = date.day - 1 + date.hour / 24
    return np.asarray(date.month - 1 + day / date.days_in_month - 0.5, np.float64)


def read(ds: xr.Dataset, fields: Any, besides: Sequence[str] = ()) -> Read:
    """Read all fields of a Dataset.

    Parameters
    ----------
    ds : Dataset
        On time, one-dimensional latitude and longitude, and whatever else.
    fields : mapping, iterable of str, or None
        Which fields, by key or standard name; a mapping tells their variables too. None: all that
        are known.
    besides : sequence of str
        Keys that are left out of these.

    Raises
    ------
    FieldNotFound, AmbiguousField, UnitsError, GridError, ValuesError
    """
    plain, _ = units.dequantify(ds)
    found = fields_of(plain, fields, [key for key in KNOWN if key not in besides])
    first = plain[found[0].variable]
    sides = sides_of(plain[[found[0].variable]])
    time = grid.axes(first).get("T")
    if time is None:
        raise GridError(f"{first.name} has no time: fields to learn from need many times")
    leading = [time, *(d for d in first.dims if d not in {time, sides[0].dim, sides[1].dim})]
    arrays = [_values(plain[each.variable], first, sides, leading) for each in found]
    many = first.sizes[time]
    rest = len(arrays[0]) // many
    axis = grid.time_axis(plain[[found[0].variable]]) if many > 1 else None
    return Read(
        np.stack(arrays, axis=1),
        tuple(_told(plain[each.variable], each) for each in found),
        sides[0].centres,
        sides[1].centres,
        _layout(sides, plain, time),
        np.repeat(np.arange(many), rest),
        np.repeat(seasons(dates(first, time)), rest),
        float(np.median(np.diff(axis.days))) if axis is not None else float("nan"),
    )


def same_grid(data: Read, latitude: np.ndarray, longitude: np.ndarray, what: str) -> None:
    """Refuse fields that do not lie on a grid.

    Raises
    ------
    GridError
        Other sizes, other places, or longitudes that begin elsewhere.
    """
    pairs = {"latitude": (data.latitude, latitude), "longitude": (data.longitude, longitude)}
    for name, (here, there) in pairs.items():
        if here.shape != there.shape or np.abs((here - there + 180) % 360 - 180).max() > CLOSE:
            raise GridError(
                f"{what}: its {name}s, {_span(here)}, are not those of the grid, {_span(there)}"
            )


def _span(axis: np.ndarray) -> str:
    return f"{len(axis)} from {axis[0]:g} to {axis[-1]:g}"


def month_of(season: np.ndarray) -> np.ndarray:
    """Months, 0 for January, of what `seasons` gives; the first of a month lies in it."""
    return np.floor(season + 0.5).astype(int) % 12


def told_apart(season: np.ndarray, climatology: str | None) -> np.ndarray:
    """Times of the year, of `seasons`, as a climatology tells them apart: months, or days."""
    return season if climatology == "day" else month_of(season).astype(float)


def fields_of(
    ds: xr.Dataset, fields: Any, known: Sequence[str], either: Sequence[str] = ()
) -> list[cf.Found]:
    """Fields that are named, or all of those known that are there.

    Parameters
    ----------
    ds : Dataset
        Plain.
    fields : mapping, iterable of str, or None
        Which, by key or standard name; a mapping tells their variables too.
    known : sequence of str
        What is taken where none is named.
    either : sequence of str
        Of which only the first that is there is taken then.

    Raises
    ------
    FieldNotFound, AmbiguousField, UnitsError
    """
    named = {str(k): str(v) for k, v in fields.items()} if isinstance(fields, Mapping) else {}
    if fields is not None:
        if isinstance(fields, str) or not isinstance(fields, Iterable):
            raise TypeError(
                f"fields={fields!r}: names of fields are needed, ['sea_surface_temperature'], or a "
                "mapping from them to variables"
            )
        return [cf.find(ds, row_of(str(key)).key, fields=named) for key in fields]
    found: list[cf.Found] = []
    for key in known:
        if key in either and any(each.key in either for each in found):
            continue
        if each := cf.look_for(ds, key):
            found.append(each)
    if not found:
        raise FieldNotFound(
            f"none of {', '.join(known)} is there; there are {sorted(map(str, ds.data_vars))}. "
            "Say what they are: fields={'sea_surface_temperature': 'temp'}"
        )
    return found


def _values(
    array: xr.DataArray, first: xr.DataArray, sides: Any, leading: list[Hashable]
) -> np.ndarray:
    """Maps (samples, rows, columns), ascending, in float32."""
    if set(array.dims) != set(first.dims):
        raise GridError(
            f"{array.name} {array.dims} and {first.name} {first.dims} do not have the same "
            "dimensions: fields to learn from must share times and grid"
        )
    return maps(array, sides, leading)


ABOUT = ("standard_name", "long_name", "units", "units_metadata", "cell_methods")
"""Attributes of a field that a model remembers, for outputs that their input lacks."""


def _told(array: xr.DataArray, found: cf.Found) -> dict[str, Any]:
    attrs = {name: str(array.attrs[name]) for name in ABOUT if name in array.attrs}
    dtype = str(array.dtype) if array.dtype.kind == "f" else "float32"
    return {
        "key": found.key,
        "role": found.role,
        "units": found.units or "1",
        "name": str(array.name),
        "attrs": attrs,
        "dtype": np.dtype(dtype).newbyteorder("=").str,
    }


def _layout(sides: Any, ds: xr.Dataset, time: Hashable) -> dict[str, Any]:
    names = ("latitude", "longitude")
    told: dict[str, Any] = {"wraps": bool(sides[1].wraps), "time": str(time)}
    for name, side in zip(names, sides, strict=True):
        kept = {k: str(v) for k, v in side.coordinate.attrs.items() if k in (*ABOUT, "axis")}
        told[name] = {
            "name": str(side.coordinate.name),
            "dim": side.dim,
            "attrs": kept,
            "flipped": bool(side.flipped),
            "first": float(side.coordinate.values[-1 if side.flipped else 0]),
        }
    return told
