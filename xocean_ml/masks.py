"""Three masks that are never confused: land, unobserved, zero.

Land is missing always: NaN in, NaN out. Unobserved is missing sometimes: it is there to be
filled. Zero is a value, and no mask at all. All masks here are lazy where the data are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr

from .errors import GridError
from .grid import axes

__all__ = ["given_land", "land", "unobserved"]


def land(da: xr.DataArray, over: Iterable[str] = ("T", "E")) -> xr.DataArray:
    """Return True where a field is missing always.

    Parameters
    ----------
    da : DataArray
        Field with NaN over land, in any units.
    over : iterable of str
        Axes (``"T"``, ``"E"`` ...) or dimensions that "always" runs over; those that the field
        lacks are passed over.

    Returns
    -------
    DataArray of bool
        On the other dimensions of `da`; lazy where `da` is.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> sst = xr.DataArray([[np.nan, 1.0, 0.0], [np.nan, np.nan, 0.0]], dims=("time", "x"))
    >>> land(sst).values
    array([ True, False, False])
    """
    found = axes(da)
    dims = {found.get(each, each) for each in over} & set(map(str, da.dims))
    mask = da.isnull().all([dim for dim in da.dims if dim in dims])
    return _named(mask, "land")


def unobserved(da: xr.DataArray, mask: xr.DataArray | None = None) -> xr.DataArray:
    """Return True where a field is missing but not over land: what there is to fill.

    Parameters
    ----------
    da : DataArray
        Field with NaN where nothing is known.
    mask : DataArray of bool, optional
        True over land, from a file (`given_land`) or another field; by default `land` of `da`.

    Returns
    -------
    DataArray of bool
        Dimensions as `da`, lazy where `da` is.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> sst = xr.DataArray([[np.nan, 1.0, 0.0], [np.nan, np.nan, 0.0]], dims=("time", "x"))
    >>> unobserved(sst).values
    array([[False, False, False],
           [False,  True, False]])
    """
    mask = land(da) if mask is None else mask
    return _named((da.isnull() & ~mask).transpose(*da.dims, ...), "unobserved")


def given_land(ds: xr.Dataset) -> xr.DataArray | None:
    """Return the land mask that a file gives, True over land, or None if its attributes tell none.

    Understood are the standard names `sea_binary_mask`, `land_binary_mask`, `sea_area_fraction`
    and `land_area_fraction` (the larger half decides), and masks (`area_type`, or "mask" in the
    name or long name) whose flags name land: ``flag_values`` or ``flag_masks`` with
    ``flag_meanings``, or ``option_0``, ``option_1`` ... A mask that is itself missing is land.

    Raises
    ------
    GridError
        Several masks, as on a staggered grid.

    Examples
    --------
    >>> import xarray as xr
    >>> attrs = {"standard_name": "sea_binary_mask"}
    >>> given_land(xr.Dataset({"mask": ("x", [0, 1, 1], attrs)})).values
    array([ True, False, False])
    """
    decoded = {name: _decode(ds[name]) for name in ds.variables if name not in ds.dims}
    found = {name: mask for name, mask in decoded.items() if mask is not None}
    if len(found) > 1:
        raise GridError(
            f"several land masks: {', '.join(map(str, found))}. Take the variables of one grid, "
            "or drop the masks that are not meant"
        )
    return _named(next(iter(found.values())), "land") if found else None


def _decode(variable: xr.DataArray) -> xr.DataArray | None:
    standard_name = variable.attrs.get("standard_name", "")
    half = 50 if variable.attrs.get("units") in {"%", "percent"} else 0.5
    # negated comparisons, because a missing mask compares False and is land
    if standard_name in {"sea_binary_mask", "sea_area_fraction"}:
        return ~(variable > half)
    if standard_name in {"land_binary_mask", "land_area_fraction"}:
        return ~(variable <= half)
    title = f"{variable.name} {variable.attrs.get('long_name', '')}".lower()
    return _flagged(variable) if standard_name == "area_type" or "mask" in title else None


def _flagged(variable: xr.DataArray) -> xr.DataArray | None:
    attrs = variable.attrs
    meanings = str(attrs.get("flag_meanings", "")).split()
    if "land" in meanings and "flag_values" in attrs:
        return variable.isin([_at(attrs["flag_values"], meanings)]) | variable.isnull()
    if "land" in meanings and "flag_masks" in attrs:
        bits = variable.fillna(0).astype(np.int64)
        return ((bits & _at(attrs["flag_masks"], meanings)) != 0) | variable.isnull()
    for key, meaning in attrs.items():
        if key.startswith("option_") and meaning == "land":
            return (variable == int(key.removeprefix("option_"))) | variable.isnull()
    return None


def _at(flags: Any, meanings: list[str]) -> int:
    """Return the flag of land; some files write flags as text, '0b, 1b'."""
    if isinstance(flags, str):
        flags = [each.strip(" b") for each in flags.split(",")]
    return int(np.atleast_1d(flags)[meanings.index("land")])


def _named(mask: xr.DataArray, name: str) -> xr.DataArray:
    mask = mask.astype(bool).rename(name)
    mask.attrs = {}  # units and standard name of the field are not those of its mask
    return mask
