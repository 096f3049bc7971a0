r"""Fields that follow from currents: what nobody fitted, and turbulence is known by.

.. math:: |u| = \sqrt{u^2 + v^2}, \qquad
   \zeta = \frac{1}{R \cos\varphi} (\partial_\lambda v - \partial_\varphi (u \cos\varphi))
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from xocean_ml.currents.cells import places_of
from xocean_ml.currents.reading import currents
from xocean_ml.fields import Found
from xocean_ml.generative.reading import CURRENTS
from xocean_ml.grid import EARTH_RADIUS

__all__ = ["DERIVED", "derived", "vorticity"]

DERIVED = {
    "speed": {"long_name": "speed of the current", "units": "m s-1"},
    "vorticity": {"long_name": "relative vorticity of the current", "units": "s-1"},
}
"""Names and attributes."""


def derived(ds: xr.Dataset, found: Mapping[str, Found]) -> dict[str, xr.DataArray]:
    """Speed, m s-1, and relative vorticity, s-1, where both currents are there.

    Parameters
    ----------
    ds : Dataset
        Of members, or a truth.
    found : mapping
        Its fields, by key.

    Returns
    -------
    dict of str to DataArray
        Without those whose names the Dataset has for something.
    """
    if not set(CURRENTS) <= set(found):
        return {}
    names = {key: found[key].variable for key in CURRENTS}
    east, north = currents(ds[[*names.values()]], names).parts
    speed = xr.apply_ufunc(np.hypot, east, north, dask="allowed")
    made = {"speed": speed, "vorticity": vorticity(east, north)}
    return {
        name: array.drop_attrs(deep=False).assign_attrs(DERIVED[name]).rename(name)
        for name, array in made.items()
        if name not in ds.variables
    }


def vorticity(east: xr.DataArray, north: xr.DataArray) -> xr.DataArray:
    """Relative vorticity, s-1, of currents on a rectilinear grid.

    Centred differences, one-sided at the edges of the box; NaN beside land.

    Parameters
    ----------
    east, north : DataArray
        m s-1, on latitude, longitude and whatever else.

    Returns
    -------
    DataArray
        Lazy where they are.

    Examples
    --------
    Of a sea that turns as a solid body does, 2 w sin(latitude):

    >>> lat = xr.DataArray(np.arange(30, 34, 0.5), dims="lat", attrs={"units": "degrees_north"})
    >>> lon = xr.DataArray(np.arange(4.0), dims="lon", attrs={"units": "degrees_east"})
    >>> east = (np.cos(np.deg2rad(lat)) + 0 * lon).assign_coords(lat=lat, lon=lon)
    >>> turn = vorticity(1e-5 * EARTH_RADIUS * east, 0 * east).isel(lat=slice(1, -1), lon=0)
    >>> bool(np.allclose(turn, 2e-5 * np.sin(np.deg2rad(turn.lat)), rtol=1e-3,
    ...                  atol=0))
    True
    """
    places, (y, x) = places_of(east)
    phi, lam = np.deg2rad(places.latitude), np.deg2rad(places.longitude)
    cosine = xr.DataArray(np.cos(phi), dims=y)
    cosine = cosine.where(cosine > 1e-6)  # there is no east at a pole
    u, v = (_bare(each).assign_coords({y: phi, x: lam}) for each in (east, north))
    turn = v.differentiate(x) - (u * cosine).differentiate(y)
    found = (_bare(turn) / (EARTH_RADIUS * cosine)).transpose(*east.dims)
    return east.copy(data=found.data)


def _bare(array: xr.DataArray) -> xr.DataArray:
    return array.drop_vars(list(array.coords))
