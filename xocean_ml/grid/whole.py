"""Grids as a whole: whether one closes round the Earth, whether two are the same."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from xocean_ml.grid._labelled import Labelled
from xocean_ml.grid.horizontal import candidates, latitude, longitude

__all__ = ["is_periodic", "same_grid"]


def is_periodic(obj: Labelled) -> bool:
    """Tell whether the first column follows the last: n * dlon is 360 degrees.

    Only for longitudes of one dimension, in any range and direction.

    A grid whose last column repeats the first (0 and 360) is not called periodic: wrapped as it
    is, it would hold that meridian twice. Leave the repeat out, ``obj.isel(lon=slice(-1))``, and
    it is.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> is_periodic(xr.Dataset(coords={"lon": np.arange(-180.0, 180.0)}))
    True
    >>> closed = xr.Dataset(coords={"lon": np.arange(0.0, 361.0)})
    >>> is_periodic(closed), is_periodic(closed.isel(lon=slice(-1)))
    (False, True)
    """
    if not candidates(obj, "longitude"):
        return False
    lon = longitude(obj)
    if lon.ndim != 1 or lon.size < 3 or lon.dims == _lat_dims(obj):
        return False
    values = np.unwrap(np.asarray(lon.values, np.float64), period=360)
    step = np.diff(values)
    size = abs(values[-1] - values[0]) / (lon.size - 1)
    even = np.abs(np.abs(step) - size).max() < 0.1 * size
    return bool(even and abs(lon.size * size - 360) < 0.01 * size)


def _lat_dims(obj: Labelled) -> tuple[Hashable, ...]:
    return latitude(obj).dims if candidates(obj, "latitude") else ()


def same_grid(a: Labelled, b: Labelled, tolerance: float = 1e-3) -> bool:
    """Tell whether two objects have the same latitudes and longitudes in the same order.

    Parameters
    ----------
    a, b : Dataset or DataArray
        Latitude and longitude of one or two dimensions; they are read.
    tolerance : float
        Greatest difference, in degrees of arc. Longitudes may differ by whole turns.

    Examples
    --------
    >>> import xarray as xr
    >>> east = xr.Dataset(coords={"lat": [0.0, 1.0], "lon": [200.0, 201.0]})
    >>> west = xr.Dataset(coords={"LATITUDE": [0.0, 1.0], "LONGITUDE": [-160.0, -159.0]})
    >>> same_grid(east, west)
    True
    """
    for kind in (latitude, longitude):
        one, other = kind(a), kind(b)
        if one.shape != other.shape:
            return False
        apart = np.abs(one.values.astype(np.float64) - other.values.astype(np.float64))
        if kind is longitude:
            apart = np.minimum(apart % 360, -apart % 360)
        if not (apart <= tolerance).all():
            return False
    return True
