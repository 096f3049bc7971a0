"""pint-quantified Datasets: Quantities are taken off at the door and put on again on the way out.

dask drops or breaks Quantities silently, so none may enter its graph.
"""

from __future__ import annotations

import sys
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import xarray as xr

from xocean_ml.units.strings import cf_string, linear, read, registry

__all__ = ["dequantify", "requantify", "units_of", "with_spreads"]


def units_of(variable: xr.Variable | xr.DataArray) -> str | None:
    """The units of a variable: of its Quantity, else its ``units`` attribute, else None."""
    variable = variable.variable if isinstance(variable, xr.DataArray) else variable
    unit = _quantity_unit(variable)
    if unit is not None:
        return cf_string(unit)
    units = variable.attrs.get("units")
    return None if units is None else str(units)


def _quantity_unit(variable: xr.Variable) -> Any:
    """The unit of a pint-quantified variable, None for any other; reads no data."""
    if "pint" not in sys.modules:
        return None
    import pint

    # `.data` would load a lazily opened variable; `_data` only looks.
    data = variable._data
    for each in (data, getattr(data, "_meta", None)):
        if isinstance(each, pint.Quantity):
            return each.units
    return None


def dequantify(ds: xr.Dataset) -> tuple[xr.Dataset, dict[Hashable, Any]]:
    """Replace pint Quantities by plain arrays with a ``units`` attribute.

    Parameters
    ----------
    ds : Dataset
        Data variables, coordinates and indexes (pint-xarray's `PintIndex`) may be quantified, with
        numpy or dask inside, or (after ``.chunk()``) as chunks of a dask array.

    Returns
    -------
    plain : Dataset
        Without any Quantity; the units of a temperature difference are marked by
        ``units_metadata`` (CF 1.11, 3.1.2).
    units : dict
        The pint unit of each variable that was a Quantity, for `requantify`.

    Examples
    --------
    >>> import pint
    >>> ureg = pint.get_application_registry()
    >>> ds = xr.Dataset({"u": ("x", ureg.Quantity([1.0, 2.0], "m/s"))})
    >>> plain, units = dequantify(ds)
    >>> plain.u.attrs
    {'units': 'm s-1'}
    >>> requantify(plain, units).u.data.units
    <Unit('meter / second')>
    """
    units: dict[Hashable, Any] = {}
    for name, variable in ds.variables.items():
        unit = _quantity_unit(variable)
        if unit is not None:
            units[name] = unit
    if not units:
        return ds, units
    plain = ds.drop_indexes([name for name in units if name in ds.xindexes])
    return plain.assign({n: _plain(plain.variables[n], u) for n, u in units.items()}), units


def _plain(variable: xr.Variable, unit: Any) -> xr.Variable:
    data: Any = variable._data
    if hasattr(data, "magnitude"):
        data = data.magnitude
    else:  # dask of Quantities: strip each chunk, still lazily
        data = data.map_blocks(_magnitude, dtype=data.dtype, meta=data._meta.magnitude)
    attrs = {**variable.attrs, "units": cf_string(unit)}
    if f"{unit:D}".startswith("delta_degree_"):
        attrs["units_metadata"] = "temperature: difference"
    return xr.Variable(variable.dims, data, attrs, variable.encoding)


def _magnitude(chunk: Any) -> Any:
    return getattr(chunk, "magnitude", chunk)


def requantify(ds: xr.Dataset, units: Mapping[Any, Any] | Iterable[Hashable]) -> xr.Dataset:
    """Make Quantities again of the variables that `dequantify` laid bare.

    Parameters
    ----------
    ds : Dataset
        Plain; variables may have been converted or dropped since: their ``units`` attribute holds.
    units : mapping of name to pint unit, or names alone
        As `dequantify` gave it. A variable whose attribute still spells that unit gets the very
        unit (and registry) back; names alone take the attribute and the application registry. A
        name that the Dataset lacks, or that has no units at all, is passed over.

    Returns
    -------
    Dataset
        Quantified; an indexed coordinate gets a `pint_xarray.PintIndex`.
    """
    known = units if isinstance(units, Mapping) else dict.fromkeys(units)
    for name, before in known.items():
        if name not in ds.variables:
            continue
        variable = ds.variables[name]
        if before is None and "units" not in variable.attrs:
            continue
        unit, scale = _unit_again(variable, before)
        data = variable.data * scale if scale != 1 else variable.data
        attrs = {k: v for k, v in variable.attrs.items() if k != "units"}
        if name in ds.xindexes:
            from pint_xarray import PintIndex  # the input had one, so it is imported already

            ds = ds.drop_indexes(name).assign_coords({name: (name, data, attrs)})
            ds = ds.drop_indexes(name).set_xindex([name], PintIndex, units=unit)
        else:
            quantity = unit._REGISTRY.Quantity(data, unit)
            ds = ds.assign({name: xr.Variable(variable.dims, quantity, attrs, variable.encoding)})
    return ds


def _unit_again(variable: xr.Variable, before: Any) -> tuple[Any, float]:
    """The unit that the attributes tell now, the old one if it is still so spelled; and a scale."""
    text = variable.attrs.get("units")
    if before is not None and text in (None, cf_string(before)):
        return before, 1.0
    ureg = registry() if before is None else before._REGISTRY
    reading = read(str(text))
    if (reading.scale, reading.expression) == (1e-3, ""):
        return ureg.Unit("permille"), 1.0
    difference = variable.attrs.get("units_metadata") == "temperature: difference"
    new = linear(reading.unit) if difference else reading.unit
    return ureg.Unit(f"{new:D}"), reading.scale


def with_spreads(units: Mapping[Any, Any], made: Iterable[Hashable]) -> dict[Any, Any]:
    """Units of the Quantities, and of the spreads that were made of them: of differences."""
    spreads = {f"{name}_spread": linear(unit) for name, unit in units.items()}
    names = set(made)
    return {**units, **{name: unit for name, unit in spreads.items() if name in names}}
