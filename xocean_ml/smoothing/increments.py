"""Increments made from an analysis and its background."""

from __future__ import annotations

from typing import Any

import xarray as xr

from xocean_ml import fields as cf
from xocean_ml import metadata, units
from xocean_ml.errors import FieldNotFound, GridError

__all__ = ["increments"]

_MADE = {
    "potential_temperature": "change_over_time_in_sea_water_potential_temperature",
    "conservative_temperature": "change_over_time_in_sea_water_conservative_temperature",
    "in_situ_temperature": "change_over_time_in_sea_water_temperature",
    "practical_salinity": "change_over_time_in_sea_water_practical_salinity",
    "sea_water_salinity": "change_over_time_in_sea_water_salinity",
    "absolute_salinity": "change_over_time_in_sea_water_absolute_salinity",
}


def increments(
    analysis: xr.Dataset, background: xr.Dataset, *, fields: dict[str, str] | None = None
) -> xr.Dataset:
    """Increments that assimilation made: analysis minus background, as `smooth` takes them.

    Parameters
    ----------
    analysis, background : Dataset
        Temperature or salinity or both, on the same grid and times; any units.
    fields : mapping of str to str, optional
        Which variable is which field, e.g. ``{"potential_temperature": "T"}``; in both Datasets.

    Returns
    -------
    Dataset
        ``<name>_increment`` for each field, in the analysis' units taken as differences.
        Lazy where the input is.

    Raises
    ------
    FieldNotFound
        If there is neither temperature nor salinity, or not in both.
    GridError
        If coordinates differ.

    Examples
    --------
    >>> time = xr.date_range("2000-01-01", periods=3)
    >>> ds = xr.Dataset({"thetao": ("time", [10.0, 11.0, 12.0],
    ...     {"units": "degC", "standard_name": "sea_water_potential_temperature"})}, {"time": time})
    >>> increments(ds, ds - 1).thetao_increment.attrs["standard_name"]
    'change_over_time_in_sea_water_potential_temperature'
    """
    plain, quantities = units.dequantify(analysis)
    other, _ = units.dequantify(background)
    made: dict[str, xr.DataArray] = {}
    for key, standard_name in _MADE.items():
        found = cf.look_for(plain, key, role="state", fields=fields)
        if found is not None:
            made[f"{found.variable}_increment"] = _difference(plain, other, found, standard_name)
    if not made:
        raise FieldNotFound(
            f"analysis has neither temperature nor salinity among {list(plain.data_vars)}; name "
            'them, e.g. fields={"potential_temperature": "T"}'
        )
    out = metadata.finish(
        plain.drop_vars(list(plain.data_vars)), made, line=metadata.history_line("increments")
    )
    return units.requantify(out, list(made)) if quantities else out


def _difference(
    analysis: xr.Dataset, background: xr.Dataset, found: cf.Found, standard_name: str
) -> xr.DataArray:
    before = cf.find(
        background,
        found.key,
        role="state",
        fields={found.key: found.variable} if found.variable in background else None,
    )
    convert = before.conversion(found.units)
    one, two = analysis[found.variable], background[before.variable]
    for dim in one.dims:
        if dim not in two.dims or not _same(one, two, dim):
            raise GridError(f"analysis and background differ along {dim}; align them first")
    data: Any = one - two.copy(data=convert(two.data))
    attrs = metadata.describe(
        {},
        role="difference",
        units=_difference_units(found),
        standard_name=standard_name,
        cell_methods="time: sum",
    )
    return data.assign_attrs(attrs)


def _same(one: xr.DataArray, two: xr.DataArray, dim: Any) -> bool:
    if one.sizes[dim] != two.sizes[dim]:
        return False
    if dim in one.indexes and dim in two.indexes:
        return bool(one.indexes[dim].equals(two.indexes[dim]))
    return True


def _difference_units(found: cf.Found) -> str:
    """Units of a difference: kelvin for any Celsius (a difference of 1 degC is 1 K)."""
    same = (
        units.compatible(found.units, "K")
        and units.conversion(found.units, "K", "difference").identity
    )
    return "K" if same else found.units
