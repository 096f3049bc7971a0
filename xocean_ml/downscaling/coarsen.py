"""Coarse fields from fine ones: what downscaling is trained on, and tested with."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from xocean_ml.downscaling.guides import ordered
from xocean_ml.downscaling.target import Side, source_side
from xocean_ml.errors import GridError
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
        Fields of latitude and longitude on the coarse cells, with bounds; others as they are.

    Raises
    ------
    GridError
        A grid that is not rectilinear; fewer than two coarse cells.

    Examples
    --------
    >>> from xocean_ml import tutorial
    >>> ds = tutorial.open_dataset("surface")
    >>> dict(coarsen(ds[["ssh"]], 9).sizes)
    {'time': 12, 'latitude': 16, 'longitude': 16, 'bnds': 2}
    """
    sides = source_side(ds, "Y"), source_side(ds, "X")
    edges, lengths = [], []
    for side in sides:
        count = round(len(side) / factor)
        if factor < 1 or count < 2:
            raise GridError(
                f"factor={factor!r}: {side.coordinate.name} has {len(side)} cells, and at least "
                "two coarse ones, not finer than they, are needed"
            )
        at = np.linspace(0, len(side), count + 1)
        edges.append(np.interp(at, np.arange(len(side) + 1), side.edges))
        lengths.append(overlaps(_measure(side, edges[-1]), _measure(side, side.edges)))
    rows, columns = sides
    horizontal = {rows.dim, columns.dim}
    changed = {}
    for name, each in ds.data_vars.items():
        if horizontal <= set(each.dims) and each.dtype.kind == "f":
            leading = [d for d in each.dims if d not in horizontal]
            values = np.asarray(ordered(each, sides, leading).values, np.float64)
            mean, share = area_mean(values, *lengths)
            mean = np.where(share > least, mean, np.nan).astype(each.dtype)
            changed[name] = ((*leading, rows.dim, columns.dim), mean, dict(each.attrs))
    kept = ds.drop_vars([n for n, v in ds.variables.items() if horizontal & set(v.dims)])
    made: dict[Any, Any] = {}
    for side, edge in zip(sides, edges, strict=True):
        name = str(side.coordinate.name)
        attrs = dict(side.coordinate.attrs) | {"bounds": f"{name}_bnds"}
        made[name] = (side.dim, (edge[1:] + edge[:-1]) / 2, attrs)
        made[f"{name}_bnds"] = ((side.dim, "bnds"), np.stack([edge[:-1], edge[1:]], axis=1))
    return kept.assign(changed).assign_coords(made)


def _measure(side: Side, edges: np.ndarray) -> np.ndarray:
    """Edges in units in which areas are products of lengths."""
    return np.sin(np.deg2rad(np.clip(edges, -90, 90))) if side.kind == "Y" else edges
