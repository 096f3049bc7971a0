"""Names, coordinates and attributes of what satellites see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from ..fields.rows import ROWS
from ..metadata import describe, finish
from ._footprints import Cells
from ._gridded import Field, dates_of
from ._orbits import Array

__all__ = ["map_of", "stored_map", "swath_of", "table_of"]

TIME = {"standard_name": "time", "units_metadata": "leap_seconds: none"}
LATITUDE = {"standard_name": "latitude", "units": "degrees_north"}
LONGITUDE = {"standard_name": "longitude", "units": "degrees_east"}
PASS = {"long_name": "number of the pass, half a revolution; even ones go north", "units": "1"}


def table_of(field: Field, rows: Array, error: float, satellites: Sequence[str]) -> xr.Dataset:
    """Points, of rows (obs, 6): time, latitude, longitude, value, satellite, pass."""
    days, latitude, longitude, values, satellite, passes = rows.T
    flags = {
        "long_name": "satellite",
        "flag_values": np.arange(len(satellites), dtype=np.int8),
        "flag_meanings": " ".join(satellites),
    }
    coords = {
        "time": ("obs", dates_of(days, field.times.values), TIME),
        "latitude": ("obs", latitude, LATITUDE),
        "longitude": ("obs", longitude, LONGITUDE),
        "satellite": ("obs", satellite.astype(np.int8), flags),
        "pass_number": ("obs", passes.astype(np.int32), PASS),
    }
    ds = xr.Dataset(_both(field, ("obs",), values, error), coords, {"featureType": "point"})
    return _encoded(ds)


def swath_of(field: Field, parts: Sequence[Any], across: Array, error: float) -> xr.Dataset:
    """Lines of pixels, of parts: time, pass, latitude, longitude, value."""
    days, passes, latitude, longitude, values = parts
    dims = ("along", "across")
    aside = {"long_name": "distance from the track, positive to its right", "units": "km"}
    coords = {
        "time": ("along", dates_of(days, field.times.values), TIME),
        "pass_number": ("along", passes, PASS),
        "latitude": (dims, latitude, LATITUDE),
        "longitude": (dims, longitude, LONGITUDE),
        "cross_track_distance": ("across", across, aside),
    }
    return _encoded(xr.Dataset(_both(field, dims, values, error), coords))


def map_of(
    field: Field, values: Array, cells: tuple[Cells, Cells], error: float, footprint: float
) -> xr.Dataset:
    """A coarse map, (time, latitude, longitude), of cells of its own."""
    dims = ("time", "latitude", "longitude")
    coords: dict[str, tuple[Any, ...]] = {
        "time": ("time", field.times.values, TIME | {"axis": "T"})
    }
    axes = (LATITUDE | {"axis": "Y"}, LONGITUDE | {"axis": "X"})
    for name, side, attrs in zip(dims[1:], cells, axes, strict=True):
        bounds = np.stack([side.edges[:-1], side.edges[1:]], axis=1)
        coords[name] = (name, side.centres, attrs | {"bounds": f"{name}_bnds"})
        coords[f"{name}_bnds"] = ((name, "bnds"), bounds)
    ds = xr.Dataset(_both(field, dims, values, error), coords)
    ds[field.found.variable].attrs["footprint_km"] = footprint
    return _encoded(ds, "days")


def stored_map(
    field: Field, truth: xr.Dataset, values: Array, error: float, line: str
) -> xr.Dataset:
    """A map as the truth keeps its own, with its coordinates and a line of history."""
    value, spread = _both(field, field.dims, values, error, dict(field.stored.attrs)).items()
    changed = {}
    for name, (_, data, attrs) in (value, spread):
        changed[name] = field.as_stored(data)
        changed[name].attrs = attrs
    bounds = {str(each.attrs.get("bounds", "")) for each in truth.variables.values()}
    others = [each for each in truth.data_vars if each not in {field.found.variable, *bounds}]
    return finish(truth.drop_vars(others), changed, line=line)


def _both(
    field: Field, dims: tuple[str, ...], values: Array, error: float, attrs: Any = None
) -> dict[str, tuple[Any, Any, dict[str, Any]]]:
    """A variable and its standard error, which is missing where the value is."""
    found, old = field.found, field.stored.attrs
    name = str(found.variable)
    standard = found.standard_name or ROWS[found.key].names[0]
    long_name = str(old.get("long_name", standard.replace("_", " ")))
    value = describe(
        {"long_name": long_name} if attrs is None else attrs,
        role=found.role,
        units=found.units,
        standard_name=standard,
        ancillary_variables=f"{name}_standard_error",
    )
    spread = describe(
        {"long_name": f"standard error of {long_name}"},
        role="spread",
        units=found.units,
        standard_name=f"{standard} standard_error",
    )
    known = np.where(np.isnan(values), np.nan, error).astype(field.dtype)
    return {
        name: (dims, values.astype(field.dtype), value),
        f"{name}_standard_error": (dims, known, spread),
    }


def _encoded(ds: xr.Dataset, units: str = "milliseconds") -> xr.Dataset:
    """With encodings that files need: whole units of time, no fill value on coordinates."""
    for name, variable in ds.variables.items():
        if name in ds.coords:
            variable.encoding["_FillValue"] = None
        else:
            variable.encoding["_FillValue"] = variable.dtype.type(np.nan)
    ds["time"].encoding |= {"units": f"{units} since 2000-01-01", "dtype": "float64"}
    return ds
