"""Sea water by TEOS-10: gsw on labelled arrays, lazy where they are, broadcast by name."""

from __future__ import annotations

from typing import Any

import xarray as xr

__all__ = ["depth_of_pressure", "teos10"]


def teos10(name: str, *arrays: xr.DataArray) -> xr.DataArray:
    """Call a function of gsw; units are gsw's, who is asked only for numbers."""
    import gsw

    function: Any = getattr(gsw, name)
    return xr.apply_ufunc(function, *arrays, dask="parallelized", output_dtypes=[float])


def depth_of_pressure(pressure: xr.DataArray, latitude: xr.DataArray) -> xr.DataArray:
    """Return the depth in m, positive down, of sea pressure in dbar at a latitude.

    Examples
    --------
    >>> float(depth_of_pressure(xr.DataArray(1000.0), xr.DataArray(45.0)).round(1))
    989.5
    """
    return -teos10("z_from_p", pressure, latitude)
