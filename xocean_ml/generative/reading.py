"""Reads fields to learn from: found by CF names, currents without their geostrophic part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml import currents, units
from xocean_ml import fields as cf
from xocean_ml.assimilation import reading
from xocean_ml.downscaling.target import spacing
from xocean_ml.errors import UnitsError
from xocean_ml.grid import sides_of

__all__ = ["CURRENTS", "HEIGHTS", "KNOWN", "Read", "found_keys", "read", "remainder"]

HEIGHTS = ("sea_level_anomaly", "sea_surface_height_above_geoid")
CURRENTS = ("eastward_sea_water_velocity", "northward_sea_water_velocity")
KNOWN = (*HEIGHTS, "sea_surface_temperature", "sea_surface_salinity", *CURRENTS)
"""Fields that are taken where none is named; of the heights, the first that is there."""


@dataclass(frozen=True, eq=False)
class Read:
    """Fields of one Dataset.

    Parameters
    ----------
    values : array of float32, (samples, fields, rows, columns)
        Rows and columns ascend; NaN on land.
    fields : tuple of mapping
        ``key``, ``role``, ``units``, ``name``, ``attrs``, ``dtype``.
    times : array of int, (samples,)
    step : float
        Days between times; NaN for one.
    cell : (float, float)
        Height and width of a usual cell, km.
    layout : mapping
        Names and attributes of the coordinates.
    latitude, longitude : array
        Centres, ascending.
    """

    values: np.ndarray
    fields: tuple[Mapping[str, Any], ...]
    times: np.ndarray
    step: float
    cell: tuple[float, float]
    layout: Mapping[str, Any]
    latitude: np.ndarray
    longitude: np.ndarray


def found_keys(ds: xr.Dataset, fields: Any) -> dict[str, str]:
    """Variables by key: those that are named, or all that are known.

    Raises
    ------
    FieldNotFound, AmbiguousField, UnitsError
    """
    return {each.key: each.variable for each in reading.fields_of(ds, fields, KNOWN, HEIGHTS)}


def remainder(ds: xr.Dataset, named: Mapping[str, str], smooth: float) -> xr.Dataset:
    """Currents without their geostrophic part, by the names of the whole ones."""
    keys = [*CURRENTS, *(key for key in HEIGHTS if key in named)]
    fields = {key: named[key] for key in keys}
    parts = currents.split(ds, ekman=None, smooth=smooth, fields=fields)
    rest = {
        named[key]: parts[f"{named[key]}_ageostrophic"].assign_attrs(ds[named[key]].attrs)
        for key in CURRENTS
    }
    return ds.assign(rest)


def read(
    ds: xr.Dataset, fields: Any, smooth: float | None, like: Sequence[Mapping[str, Any]] = ()
) -> Read:
    """Read all fields of a Dataset.

    Parameters
    ----------
    ds : Dataset
        On time, one-dimensional latitude and longitude, and whatever else.
    fields : mapping, iterable of str, or None
        Which, by key; None: all that are known.
    smooth : float or None
        Cells over which slopes of the sea surface are smoothed, to take the geostrophic part from
        currents; None: currents are left whole.
    like : sequence of mapping
        Fields as another Dataset has them, whose units these are brought to.
    """
    plain, _ = units.dequantify(ds)
    named = found_keys(plain, fields if not like else _named(plain, fields, like))
    if smooth is not None:
        plain = remainder(plain, named, smooth)
    data = reading.read(plain, named)
    values = data.values
    for number, (own, other) in enumerate(zip(data.fields, like, strict=False)):
        values[:, number] = _converted(values[:, number], own, other)
    cell = spacing(sides_of(plain[[data.fields[0]["name"]]]))
    return Read(
        values,
        data.fields,
        data.times,
        data.step,
        cell,
        data.layout,
        data.latitude,
        data.longitude,
    )


def _named(ds: xr.Dataset, fields: Any, like: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    told = {str(k): str(v) for k, v in fields.items()} if isinstance(fields, Mapping) else {}
    told = {key: name for key, name in told.items() if name in ds.variables}
    return {each["key"]: cf.find(ds, each["key"], fields=told).variable for each in like}


def _converted(values: np.ndarray, own: Mapping[str, Any], other: Mapping[str, Any]) -> np.ndarray:
    try:
        change = units.conversion(own["units"], other["units"], other["role"])
    except UnitsError as error:
        raise UnitsError(f"{own['name']}: {error}") from None
    return np.asarray(values * np.float32(change.factor) + np.float32(change.offset))
