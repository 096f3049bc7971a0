"""Bounds and edges: where the cells of a coordinate begin and end."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xocean_ml.errors import GridError
from xocean_ml.grid._labelled import Labelled, variables_of
from xocean_ml.grid.vocabulary import COORDINATE_NAMES, is_kind, matches

__all__ = ["bounds_of", "edges_of", "midpoint_edges"]


def bounds_of(obj: Labelled, coordinate: xr.DataArray) -> xr.DataArray | None:
    """Return the bounds of a coordinate, of shape coordinate.shape + (vertices,), if it has any."""
    # decode_coords="all" moves the attribute to the encoding
    named = coordinate.attrs.get("bounds") or coordinate.encoding.get("bounds")
    usual = (f"{coordinate.name}_bnds", f"{coordinate.name}_bounds")
    for name in (named, *usual):
        if name in variables_of(obj):
            bounds = obj[name]
            if bounds.shape[:-1] == coordinate.shape and bounds.dims[:-1] == coordinate.dims:
                return bounds
    return None


def edges_of(obj: Labelled, centres: xr.DataArray) -> NDArray[np.float64]:
    """Return the edges of each cell, shape (n, 2), in the order of the centres."""
    bounds = bounds_of(obj, centres)
    if bounds is not None and bounds.shape[-1] == 2:
        return np.asarray(bounds.values, np.float64)
    if centres.size < 2:
        raise GridError(
            f"{centres.name}: one cell without bounds has no size. Give its edges in a variable "
            f"of shape (1, 2) named in obj['{centres.name}'].attrs['bounds']"
        )
    values = np.asarray(centres.values, np.float64)
    if matches(COORDINATE_NAMES["longitude"], centres.name) or is_kind(
        centres.name or "", centres.variable, "longitude"
    ):
        values = np.unwrap(values, period=360)
    step = np.diff(values)
    if not ((step > 0).all() or (step < 0).all()):
        raise GridError(f"{centres.name} is not monotonic. Sort it: obj.sortby('{centres.name}')")
    edges = midpoint_edges(values)
    return np.stack([edges[:-1], edges[1:]], axis=1)


def midpoint_edges(centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return n + 1 edges half-way between n >= 2 centres, the outer cells symmetric."""
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])
