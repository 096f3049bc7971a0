"""Coarse fields from fine ones: what downscaling is trained on, and tested with."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from xocean_ml import metadata, units
from xocean_ml.errors import GridError
from xocean_ml.grid import Side, side_of
from xocean_ml.kernels.lattice import overlaps
from xocean_ml.kernels.resample import area_mean

__all__ = ["coarsen"]


def coarsen(ds: xr.Dataset, factor: float, *, least: float = 0.0) -> xr.Dataset:
    """Average fields over coarser cells, by area, land left out.

    Parameters
    ----------
    ds : Dataset
        Fields on one-dimensional latitude and longitude and any other dimensions; NaN on land.
    factor : float
        Fine cells in a coarse one, along both axes; not whole: the nearest whole number of
        coarse cells on the same area.
    least : float
        Share of a coarse cell's area that must be sea (more than it), else it is land.

    Returns
    -------
    Dataset
        Fields of latitude and longitude on the coarse cells, with bounds, in their own units,
        dimension order and direction; lazy if they were. Others as they are, but for those on
        the fine grid that have no mean (whole numbers, flags), which are left out.

    Raises
    ------
    GridError
        A grid that is not rectilinear; fewer than two coarse cells; a factor below one.

    Examples
    --------
    >>> from xocean_ml import tutorial
    >>> ds = tutorial.open_dataset("surface")
    >>> dict(coarsen(ds[["ssh"]], 9).sizes)
    {'time': 12, 'latitude': 16, 'longitude': 16, 'bnds': 2}
    """
    plain, quantities = units.dequantify(ds)
    sides = side_of(plain, "Y"), side_of(plain, "X")
    edges = [_edges(side, factor) for side in sides]
    lengths = [_overlaps(side, each) for side, each in zip(sides, edges, strict=True)]
    dims = [side.dim for side in sides]
    changed = {
        str(name): _means(each, dims, lengths, least)
        for name, each in plain.data_vars.items()
        if set(dims) <= set(each.dims) and each.dtype.kind == "f"
    }
    made: dict[Any, Any] = {}
    for side, each in zip(sides, edges, strict=True):
        made |= _coordinate(side, each)
    out = metadata.finish(
        plain,
        changed,
        line=metadata.history_line("coarsen", factor=factor, least=least or None),
        coordinates=xr.Dataset(coords=made),
    )
    return units.requantify(out, quantities)


def _edges(side: Side, factor: float) -> np.ndarray:
    """Of the coarse cells, ascending."""
    count = round(len(side) / factor) if factor >= 1 else 0
    if count < 2:
        raise GridError(
            f"factor={factor!r}: {side.coordinate.name} has {len(side)} cells, and at least "
            "two coarse ones, not finer than they, are needed"
        )
    at = np.linspace(0, len(side), count + 1)
    return np.interp(at, np.arange(len(side) + 1), side.edges)


def _overlaps(side: Side, edges: np.ndarray) -> np.ndarray:
    """Lengths in common of coarse and fine cells, both in the order of the stored grid."""
    lengths = overlaps(_measure(side, edges), _measure(side, side.edges))
    return lengths[::-1, ::-1] if side.flipped else lengths


def _means(
    field: xr.DataArray, dims: list[str], lengths: list[np.ndarray], least: float
) -> xr.DataArray:
    def mean(values: np.ndarray) -> np.ndarray:
        found, share = area_mean(np.asarray(values, np.float64), *lengths)
        return np.where(share > least, found, np.nan).astype(values.dtype)

    out = xr.apply_ufunc(
        mean,
        field.chunk(dict.fromkeys(dims, -1)) if field.chunks else field,
        input_core_dims=[dims],
        output_core_dims=[dims],
        exclude_dims=set(dims),
        dask="parallelized",
        output_dtypes=[field.dtype],
        dask_gufunc_kwargs={
            "output_sizes": dict(zip(dims, map(len, lengths), strict=True)),
        },
    ).transpose(*field.dims)
    attrs = {key: value for key, value in field.attrs.items() if key not in metadata.STALE}
    return out.assign_attrs(attrs)


def _coordinate(side: Side, edges: np.ndarray) -> dict[str, Any]:
    """The coarse coordinate and its bounds, in the order of the stored one."""
    edges = edges[::-1] if side.flipped else edges
    name = str(side.coordinate.name)
    bounds = str(side.coordinate.attrs.get("bounds", f"{name}_bnds"))
    attrs = dict(side.coordinate.attrs) | {"bounds": bounds}
    return {
        name: (side.dim, (edges[1:] + edges[:-1]) / 2, attrs),
        bounds: ((side.dim, "bnds"), np.stack([edges[:-1], edges[1:]], axis=1)),
    }


def _measure(side: Side, edges: np.ndarray) -> np.ndarray:
    """Edges in units in which areas are products of lengths."""
    return np.sin(np.deg2rad(np.clip(edges, -90, 90))) if side.kind == "Y" else edges
