"""Latitude and longitude."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import xarray as xr

from xocean_ml.errors import GridError
from xocean_ml.grid._labelled import Labelled, listed, variables_of
from xocean_ml.grid.vocabulary import COORDINATE_NAMES, is_kind, matches

__all__ = ["candidates", "latitude", "longitude"]

_COORDINATE_RANGE = {"latitude": (-90.5, 90.5), "longitude": (-361.0, 721.0)}


def latitude(obj: Labelled) -> xr.DataArray:
    """Return the latitude, degrees north: of shape (Y,), (Y, X), a point's (), or (time,) ...

    Raises
    ------
    GridError
        None found, several with equal right, or values that cannot be latitudes.

    Examples
    --------
    >>> import xarray as xr
    >>> ds = xr.Dataset(coords={"LAT": ("LAT", [10.0, 20.0])})
    >>> latitude(ds).values
    array([10., 20.])
    """
    return _horizontal(obj, "latitude")


def longitude(obj: Labelled) -> xr.DataArray:
    """Return the longitude, degrees east, in whatever range it came; see `latitude`."""
    return _horizontal(obj, "longitude")


def candidates(obj: Labelled, kind: str) -> list[Hashable]:
    """Return the variables that are `kind`, best evidence only."""
    found = [
        name for name, v in variables_of(obj).items() if v.ndim <= 2 and is_kind(name, v, kind)
    ]
    # the 1 Hz `lat` beside `lat_20hz`: a dimension's own coordinate first, then the plain name
    own = [name for name in found if name in obj.sizes]
    usual = [name for name in found if matches(COORDINATE_NAMES[kind], name)]
    return own or usual or found


def _horizontal(obj: Labelled, kind: str) -> xr.DataArray:
    found = candidates(obj, kind)
    if not found:
        raise GridError(
            f"no {kind} among {listed(variables_of(obj))}. Add it, e.g. "
            f"obj.assign_coords({kind}=(dims, values, {{'standard_name': '{kind}', ...}}))"
        )
    if len(found) > 1:
        raise GridError(
            f"several {kind}s: {listed(found)}. Take the variable to work on, or drop the others"
        )
    coordinate = obj[found[0]]
    if coordinate.ndim <= 1:
        _check_range(coordinate, kind)
    return coordinate


def _check_range(coordinate: xr.DataArray, kind: str) -> None:
    low, high = _COORDINATE_RANGE[kind]
    values = np.asarray(coordinate.values, np.float64)
    wrong = values[(values < low) | (values > high)]
    if wrong.size:
        raise GridError(
            f"{coordinate.name}: {wrong.flat[0]:g} is no {kind} in degrees; expected {low:g} to "
            f"{high:g}. Mend the coordinate, or rename it if it is something else"
        )
