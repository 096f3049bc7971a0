"""Cells: where they lie, that two arrays have the same, and values that cannot be."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml.currents.geostrophy import Places
from xocean_ml.errors import GridError, ValuesError
from xocean_ml.grid import axes, same_grid, sides_of

__all__ = ["checked", "placed", "places_of"]

APART = 1e-3
"""Degrees by which two grids may differ and are still one."""


def places_of(array: xr.DataArray) -> tuple[Places, list[str]]:
    """Where its cells lie, and its dimensions of rows and columns."""
    rows, columns = sides_of(array, str(array.name))
    dims = [rows.dim, columns.dim]
    missing = [dim for dim in dims if dim not in array.dims]
    if missing:
        raise GridError(f"{array.name} does not lie on {', '.join(missing)}: no current map")
    latitude, longitude = (s.centres[:: -1 if s.flipped else 1] for s in (rows, columns))
    return Places(latitude, longitude, columns.wraps), dims


def checked(array: xr.DataArray) -> xr.DataArray:
    """The array, refusing infinite values; where it is lazy, once it is computed."""
    told = partial(_finite, name=str(array.name), dims=tuple(map(str, array.dims)))
    if array.chunks is None:
        return array.copy(data=told(array.data))
    lazy = array.data.map_blocks(told, dtype=array.dtype, meta=array.data._meta)
    return array.copy(data=lazy)


def _finite(values: Any, name: str, dims: tuple[str, ...], block_info: Any = None) -> Any:
    wrong = np.isinf(values)
    if wrong.any():
        first = [0] * values.ndim
        if block_info:
            first = [start for start, _ in block_info[0]["array-location"]]
        at = [int(i) + start for i, start in zip(np.argwhere(wrong)[0], first, strict=True)]
        told = ", ".join(f"{dim}={i}" for dim, i in zip(dims, at, strict=True))
        raise ValuesError(f"{name}: infinite at index ({told})")
    return values


def placed(
    array: xr.DataArray, like: xr.DataArray, what: str = "", axes_of: str = "YX"
) -> xr.DataArray:
    """The array with the dimensions and coordinates of another, whose cells must be the same.

    Parameters
    ----------
    array, like : DataArray
        Either may have dimensions that the other has not, but for those of `axes_of`.
    what : str
        What the array is, for messages; its name by default.
    axes_of : str
        Axes that it must have.

    Raises
    ------
    GridError
        Other cells, or other times.
    """
    what = what or str(array.name)
    own, its = axes(array), axes(like)
    lacking = [its[axis] for axis in axes_of if axis not in own]
    if lacking:
        raise GridError(f"{what} does not lie on {', '.join(lacking)}, as {like.name} does")
    renamed = {own[a]: its[a] for a in "TYX" if a in own and a in its and own[a] != its[a]}
    out = array.rename(renamed)
    horizontal = {its["Y"], its["X"]}
    if "Y" in own and "X" in own and not same_grid(out, like, APART):
        raise _elsewhere(what, like, " and ".join(sorted(horizontal)))
    for dim in map(str, set(out.dims) & set(like.dims)):
        if out.sizes[dim] != like.sizes[dim] or not _same(out, like, dim, dim in horizontal):
            raise _elsewhere(what, like, dim)
    out = out.drop_vars(list(out.coords.keys() - set(out.dims)))
    shared = set(out.dims) & set(like.dims)
    out = out.drop_vars(list(shared & set(out.coords)))
    return out.assign_coords({dim: like.coords[dim] for dim in shared & set(like.coords)})


def _elsewhere(what: str, like: xr.DataArray, dims: str) -> GridError:
    return GridError(
        f"{what}: its cells or times are not those of {like.name}, along {dims}. Bring it there "
        "first, by interp_like or a selection"
    )


def _same(one: xr.DataArray, other: xr.DataArray, dim: str, degrees: bool) -> bool:
    """Whether two have the same places along a dimension; of cells this is known, but for turns."""
    if dim not in one.indexes or dim not in other.indexes:
        return True
    a, b = one.indexes[dim], other.indexes[dim]
    if not degrees:
        return bool(a.equals(b))
    apart = np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64))
    return bool((np.minimum(apart % 360, -apart % 360) <= APART).all())
