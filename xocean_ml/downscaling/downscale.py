"""`downscale`: from a Dataset of coarse fields to the same fields on a finer grid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import xarray as xr

from xocean_ml import metadata, units
from xocean_ml.downscaling.prepare import prepare

if TYPE_CHECKING:
    from xocean_ml.plan import Plan

__all__ = ["downscale", "plan"]


def downscale(
    ds: xr.Dataset,
    model: Any = None,
    *,
    factor: float | Mapping[str, float] | None = None,
    like: xr.Dataset | xr.DataArray | None = None,
    guide: xr.Dataset | None = None,
    fields: Mapping[str, str] | None = None,
    conserve: bool = False,
    device: str | None = None,
) -> xr.Dataset:
    """Bring coarse fields to a finer grid.

    Parameters
    ----------
    ds : Dataset
        Holds the coarse fields on one-dimensional latitude and longitude, regional or global, and
        any other dimensions; NaN over land; numpy, dask or cupy, chunked as it may be.
    model : model, path, URL or name, optional
        ``"bicubic"`` interpolates any field. None: the packaged guided network where `guide` is
        given, the packaged unguided one otherwise.
    factor : number or mapping, optional
        Fine cells in a coarse one along each axis, at least 1: for both axes, or by axis,
        ``{"lat": 3, "lon": 4}``. Not whole: the nearest whole number of cells on the same area.
    like : Dataset or DataArray, optional
        Whose latitudes and longitudes are the target: finer, shifted, cropped, in any ratio.
    guide : Dataset, optional
        Fine fields (SST) that a guided model takes, found by their CF names, at the times of
        `ds` or without times; brought to the target where their grid differs.
    fields : mapping of str to str, optional
        Which variable is which field or guide, e.g. ``{"sea_level_anomaly": "sla"}``; for
        ``"bicubic"`` the variables to take.
    conserve : bool
        Make means over coarse cells those of the input: right where it holds cell means.
    device : str, optional
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``. None: where the data are, else CUDA if there is one.

    Returns
    -------
    Dataset
        The fields under their own names, in their own units, dimension order and dtype, on new
        coordinates with bounds; ``<name>_spread`` from models that say how sure they are; and
        whatever else of `ds` does not lie on the coarse grid. Lazy if anything read is.

    Raises
    ------
    FieldNotFound, AmbiguousField, UnitsError
        A field or guide that is not there, or in other units.
    GridError
        A target that is coarser or not inside; a guide that is coarser than the target, lies
        elsewhere, or lacks a time; curvilinear grids; axes of one cell; a globe whose first
        meridian is repeated.
    ValuesError
        Infinite values (when computed, with their place).
    TypeError
        Both or neither of `factor` and `like`; a guide missing, or not wanted; `fields` that
        are no mapping.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> lat = xr.DataArray([30.0, 31, 32, 33], dims="lat", attrs={"units": "degrees_north"})
    >>> lon = xr.DataArray([0.0, 1, 2], dims="lon", attrs={"units": "degrees_east"})
    >>> sst = xr.DataArray(np.arange(12.0).reshape(4, 3), {"lat": lat, "lon": lon}, ("lat", "lon"))
    >>> fine = downscale(sst.to_dataset(name="sst"), "bicubic", factor=2)
    >>> fine.sst.shape, fine.lat.values[:3]
    ((8, 6), array([29.75, 30.25, 30.75]))
    """
    ready = prepare(
        ds,
        model,
        factor=factor,
        like=like,
        guide=guide,
        fields=fields,
        conserve=conserve,
        device=device,
    )
    changed: dict[str, xr.DataArray] = {}
    for group in ready.groups:
        changed |= group.run(ready)
    out = metadata.finish(
        ready.source,
        changed,
        line=ready.history(),
        coordinates=ready.groups[0].target.coordinates,
    )
    return units.requantify(out, units.with_spreads(ready.quantities, changed))


def plan(ds: xr.Dataset, model: Any = None, **arguments: Any) -> Plan:
    """Tell what `downscale` would do with the same arguments, before anything runs."""
    from xocean_ml.downscaling.planning import describe

    return describe(prepare(ds, model, **arguments))
