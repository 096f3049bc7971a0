"""The parts of a current as labelled arrays, and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml import metadata
from xocean_ml.currents import drift, geostrophy
from xocean_ml.currents.cells import placed, places_of
from xocean_ml.currents.gains import Gain
from xocean_ml.currents.reading import COMPONENTS, Height, Vector

__all__ = [
    "EKMAN",
    "GEOSTROPHIC",
    "REST",
    "SMOOTH",
    "WIDTH",
    "Pair",
    "check_smooth",
    "described",
    "drift_of",
    "geostrophic",
    "ordered",
    "recalled",
    "remembered",
    "stress",
]

Pair = tuple[xr.DataArray, xr.DataArray]
GEOSTROPHIC, EKMAN, REST = "geostrophic", "ekman", "ageostrophic"
"""Last parts of the names of variables."""
WIDTH = 1.5
"""Cells over which slopes are smoothed unless told otherwise."""
SMOOTH = "smoothed_over_cells"
"""Attribute that tells `join` how slopes were smoothed."""
_TITLES = {
    GEOSTROPHIC: "{} geostrophic current",
    EKMAN: "{} Ekman current",
    REST: "{} current that is neither geostrophic nor Ekman",
}
_NAMES = {
    GEOSTROPHIC: "surface_geostrophic_{}_sea_water_velocity",
    EKMAN: "{}_sea_water_velocity_due_to_ekman_drift",
    REST: "",
}
_KEPT = ("standard_name", "long_name", "ancillary_variables")
_ANOMALY = "_assuming_mean_sea_level_for_geoid"


def geostrophic(height: Height, like: xr.DataArray, smooth: float) -> Pair:
    """Geostrophic current, m s-1, on the cells of another array, in its precision."""
    places, dims = places_of(like)
    array = placed(height.array, like)
    dtype = np.result_type(like.dtype, np.float32)

    def balance(values: np.ndarray) -> tuple[np.ndarray, ...]:
        both = geostrophy.geostrophic(values, places, smooth)
        return tuple(each.astype(dtype, copy=False) for each in both)

    u, v = xr.apply_ufunc(
        balance,
        array.chunk(dict.fromkeys(dims, -1)) if array.chunks else array,
        input_core_dims=[dims],
        output_core_dims=[dims, dims],
        dask="parallelized",
        output_dtypes=[dtype, dtype],
    )
    return u, v


def stress(wind: Vector, like: xr.DataArray) -> xr.DataArray:
    """Complex stress of a wind, Pa, on the cells of another array; a stress as it is."""
    east, north = (placed(part, like) for part in wind.parts)
    if wind.key.endswith("stress"):
        return east + 1j * north
    dtype = np.result_type(east.dtype, north.dtype, np.complex64)
    made: xr.DataArray = xr.apply_ufunc(
        partial(_stress, dtype=dtype), east, north, dask="parallelized", output_dtypes=[dtype]
    )
    return made


def _stress(east: np.ndarray, north: np.ndarray, dtype: Any) -> np.ndarray:
    return drift.stress(east, north).astype(dtype, copy=False)


def drift_of(gain: Gain, tau: xr.DataArray, known: xr.DataArray) -> Pair:
    """Ekman current, m s-1, of a stress in Pa, where another part is known; in its precision."""
    current = gain.of(tau).where(known.notnull())
    real, imag = (each.astype(known.dtype) for each in (current.real, current.imag))
    return real, imag


def ordered(array: xr.DataArray, like: xr.DataArray) -> xr.DataArray:
    """The array with the dimensions that it has in the order of another, its own first."""
    return array.transpose(..., *(dim for dim in like.dims if dim in array.dims))


def check_smooth(smooth: float) -> None:
    """Refuse a width that is none."""
    if not 0 <= smooth < 100:
        raise ValueError(f"smooth={smooth!r}: a number of cells from 0 on, below 100")


def remembered(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """What the rest keeps of the attributes of the current, for `join`."""
    return {f"total_{key}": attrs[key] for key in _KEPT if key in attrs}


def recalled(attrs: Mapping[Any, Any], which: int) -> dict[str, Any]:
    """Attributes of a total current, from those of its rest."""
    told = {key: attrs[f"total_{key}"] for key in _KEPT if f"total_{key}" in attrs}
    usual = {"standard_name": f"{COMPONENTS[which]}_sea_water_velocity"}
    gone = {SMOOTH, "long_name", "standard_name", *(f"total_{key}" for key in _KEPT)}
    kept = {str(key): value for key, value in attrs.items() if key not in gone}
    return kept | (told or usual)


def described(
    attrs: Mapping[Any, Any], units: str, part: str, which: int, total: bool = True
) -> dict[str, Any]:
    """Attributes of a part.

    Parameters
    ----------
    attrs : mapping
        Of the current that it is a part of.
    units : str
        Of the part.
    part : str
        Which of the three.
    which : int
        0 eastward, 1 northward.
    total : bool
        Whether a geostrophic current is that of the whole height, not of its anomaly.
    """
    title, name = (table[part].format(COMPONENTS[which]) for table in (_TITLES, _NAMES))
    anomaly = part == GEOSTROPHIC and not total
    return metadata.describe(
        attrs,
        role="state",
        units=units,
        standard_name=name + _ANOMALY if anomaly else name,
        long_name=title + ", anomaly" if anomaly else title,
        ancillary_variables=None,
    )
