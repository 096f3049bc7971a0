"""`perturb`: what a change of some fields changes in all others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml import fields as cf
from xocean_ml import metadata, persist, units
from xocean_ml.assimilation.assimilate import assimilate
from xocean_ml.assimilation.prepare import chosen_model
from xocean_ml.assimilation.sources import named_in
from xocean_ml.errors import FieldNotFound, GridError
from xocean_ml.fields.search import row_of

__all__ = ["perturb"]


def perturb(
    ds: xr.Dataset,
    model: Any = None,
    change: Mapping[str, Any] | None = None,
    *,
    also: Sequence[xr.Dataset] = (),
    fields: Mapping[str, str] | None = None,
    **arguments: Any,
) -> xr.Dataset:
    """Change some observed fields, and see what all fields do.

    Parameters
    ----------
    ds : Dataset
        Observed fields, as for `assimilate`.
    model : model, path, URL or name
    change : mapping
        By field what is added to it: ``{"sea_surface_temperature": 1.0}``, in the units of the
        variable; a number, a pint Quantity, or a DataArray (a pattern).
    also, fields, **arguments
        As for `assimilate`.

    Returns
    -------
    Dataset
        Of every field the analysis with the change less that without it, in the units of the
        field, and ``<name>_spread``: how sure the changed analysis is, which is how sure one can
        be of a change that is not itself observed.

    Raises
    ------
    FieldNotFound
        A changed field that is not observed: its present state must be known.
    TypeError
        No changes.
    UnitsError
        A Quantity of other units.

    Notes
    -----
    For a linear model the response is the gain times the change, whatever is observed.
    """
    if not isinstance(change, Mapping) or not change:
        raise TypeError(
            f"change={change!r}: a mapping from fields to what is added to them is needed, "
            "{'sea_surface_temperature': 1.0}"
        )
    chosen, origin = chosen_model(model)
    given = chosen if origin is None else model
    changed = [_changed(each, change, chosen, fields) for each in (ds, *also)]
    missing = set(change) - {key for _, keys in changed for key in keys}
    if missing:
        raise FieldNotFound(
            f"{', '.join(sorted(missing))} is to be changed and not observed: give its present "
            "state too, from an analysis, say"
        )
    # differences from the climatology are small numbers, that lose no digits
    arguments = {"fields": fields, **arguments, "anomalies": True}
    before = assimilate(ds, given, also=also, **arguments)
    after = assimilate(changed[0][0], given, also=[each for each, _ in changed[1:]], **arguments)
    before, quantities = units.dequantify(before)
    after, _ = units.dequantify(after)
    made = {}
    for name in before.data_vars:
        if f"{name}_spread" not in before.data_vars:
            continue
        response = (after[name] - before[name]).astype(before[name].dtype)
        attrs = dict(before[name].attrs)
        attrs["long_name"] = attrs["long_name"].replace("anomaly", "change", 1)
        made[str(name)] = response.drop_attrs(deep=False).assign_attrs(attrs)
        made[f"{name}_spread"] = after[f"{name}_spread"].astype(before[f"{name}_spread"].dtype)
    coordinates = xr.Dataset(coords=before.coords)
    told = ", ".join(f"{key}: {_short(value)}" for key, value in change.items())
    line = metadata.history_line(
        "perturb", model=persist.called(chosen, origin), change=f"{{{told}}}"
    )
    out = metadata.finish(before[[]], made, line=line, coordinates=coordinates)
    return units.requantify(out, quantities)


def _changed(
    ds: xr.Dataset, change: Mapping[str, Any], model: Any, fields: Mapping[str, str] | None
) -> tuple[xr.Dataset, list[str]]:
    """A Dataset with its fields changed, and which were."""
    plain, _ = units.dequantify(ds)
    roles = {each["key"]: each["role"] for each in model.config["fields"]}
    mine = named_in(plain, fields)
    done = []
    for key, value in change.items():
        row = row_of(key).key
        if row not in roles:
            raise FieldNotFound(f"{key} is no field of the model; it has {', '.join(roles)}")
        found = cf.look_for(plain, row, role=roles[row], fields=mine)
        if found is None:
            continue
        array = plain[found.variable]
        added = _plus(array.astype(np.float64), _in_units(value, found.units or "1"))
        ds = ds.assign({found.variable: added.drop_attrs(deep=False).assign_attrs(array.attrs)})
        done.append(key)
    return ds, done


def _plus(array: xr.DataArray, value: Any) -> xr.DataArray:
    """A field and what is added to it, which must lie where it does."""
    if not isinstance(value, xr.DataArray):
        return array + value
    try:
        value = xr.align(value, array, join="exact")[0]
    except ValueError as wrong:
        raise GridError(f"the change of {array.name} does not lie where it does: {wrong}") from None
    if extra := {*value.dims} - {*array.dims}:
        raise GridError(f"the change of {array.name} has {extra}, which it has not itself")
    return (array + value).transpose(*array.dims)


def _in_units(value: Any, own: str) -> Any:
    if isinstance(value, xr.DataArray):
        told = units.units_of(value)
        plain = units.dequantify(value.to_dataset(name="change"))[0]["change"]
        factor = units.conversion(told, own, "difference").factor if told else 1.0
        return plain.drop_attrs(deep=False) * factor
    if hasattr(value, "magnitude"):
        return (
            value.magnitude
            * units.conversion(units.cf_string(value.units), own, "difference").factor
        )
    return value


def _short(value: Any) -> str:
    return "a pattern" if isinstance(value, xr.DataArray) else str(value)
