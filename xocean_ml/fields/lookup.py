"""The three ways to ask: for one field, for all that a model reads, for the table itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import xarray as xr

from xocean_ml.errors import FieldNotFound, XOceanError, raise_all
from xocean_ml.fields.links import find_spread
from xocean_ml.fields.rows import ROWS
from xocean_ml.fields.search import Found, find_field, look, row_of
from xocean_ml.spec import FieldSpec, Role

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["find", "find_all", "look_for", "table"]


def table() -> pd.DataFrame:
    """The look-up table, one row a field.

    Examples
    --------
    >>> table().loc["sea_level_anomaly", "units"]
    'm'
    """
    import pandas as pd

    rows = {
        row.key: {
            "standard_names": ", ".join(row.all_names),
            "variables": ", ".join(row.variables),
            "units": " or ".join(row.units),
            "role": row.role,
            "trap": row.trap,
        }
        for row in ROWS.values()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("key")


def find(
    ds: xr.Dataset,
    key: str,
    *,
    role: Role | None = None,
    fields: Mapping[str, str] | None = None,
) -> Found:
    """Find the variable that is a field.

    Parameters
    ----------
    ds : Dataset
        Only names, attributes, dimensions and dtypes are read.
    key : str
        Row of the `table`, or a standard name in it.
    role : Role, optional
        What the numbers must be: a state is then no difference and the other way round;
        ``spread`` and ``variance`` look for the field's ensemble spread (`find_spread`).
    fields : mapping of key or standard name to variable name, optional
        What the user says goes before everything else.

    Returns
    -------
    Found

    Raises
    ------
    FieldNotFound
        If no variable is it; tells what was looked for, what is there, and the `fields=` to paste.
    AmbiguousField
        If several are, at the same step of the search.
    UnitsError
        If the variable's units are missing, cannot be read, or are of another dimension.

    Warns
    -----
    ProfileWarning
        Once for each variable that was taken by a product's variable name.

    Examples
    --------
    >>> ds = xr.Dataset({"t": ("x", [290.0], {"standard_name": "sea_surface_temperature",
    ...                                       "units": "K"})})
    >>> found = find(ds, "sea_surface_temperature")
    >>> found.variable, found.how, found.role
    ('t', 'standard_name', 'state')
    """
    if _of_spread(key, role):
        field = find_field(ds, key, None, fields)
        spread = find_spread(ds, field)
        if spread is None:
            raise FieldNotFound(
                f"{key}: {field.variable!r} is it, and no variable is its ensemble spread: none "
                "has its standard_name with cell_methods 'realization: standard_deviation' "
                "(or variance), or is linked by ancillary_variables; give spread='NAME'"
            )
        return spread
    return find_field(ds, key, role, fields)


def _of_spread(key: str, role: Role | None) -> bool:
    """Whether the ensemble spread of a field is meant."""
    return role in ("spread", "variance") and row_of(key).role != "spread"


def look_for(
    ds: xr.Dataset,
    key: str,
    *,
    role: Role | None = None,
    fields: Mapping[str, str] | None = None,
) -> Found | None:
    """Find the variable that is a field, if there is one.

    Parameters
    ----------
    ds, key, role, fields
        As for `find`.

    Returns
    -------
    Found or None
        None where `find` raises `FieldNotFound`, whose message takes longer than the search.

    Raises
    ------
    AmbiguousField, UnitsError
        As `find` raises them.

    Warns
    -----
    ProfileWarning
        As `find` does.

    Examples
    --------
    >>> look_for(xr.Dataset(), "sea_surface_temperature") is None
    True
    """
    try:
        if _of_spread(key, role):
            field = look(ds, key, None, fields)
            return None if field is None else find_spread(ds, field)
        return look(ds, key, role, fields)
    except FieldNotFound:  # what the user names is not there
        return None


def find_all(
    ds: xr.Dataset, specs: Sequence[FieldSpec], fields: Mapping[str, str] | None = None
) -> dict[str, Found]:
    """Find all fields that a model reads, and tell all that fails as one error.

    Parameters
    ----------
    ds : Dataset
        Only metadata are read.
    specs : sequence of FieldSpec
        What is wanted. One that is not required may be absent, not wrong.
    fields : mapping of key or standard name to variable name, optional
        What the user says.

    Returns
    -------
    dict of str to Found
        By key; the spread of a field that is wanted too is ``"<key> spread"``.

    Raises
    ------
    FieldNotFound, AmbiguousField, UnitsError, XOceanErrorGroup
        As `find` does, for all fields at once; also if units do not convert to the model's.

    Examples
    --------
    >>> ds = xr.Dataset({"t": ("x", [290.0], {"standard_name": "sea_surface_temperature",
    ...                                       "units": "K"})})
    >>> sst = FieldSpec("sea_surface_temperature", "state", "degC")
    >>> list(find_all(ds, [sst, FieldSpec("sea_surface_salinity", "state", "1", required=False)]))
    ['sea_surface_temperature']
    """
    all_found: dict[str, Found] = {}
    errors: list[XOceanError] = []
    for spec in specs:
        try:
            found = find(ds, spec.key, role=spec.role, fields=fields)
            found.conversion(f"({spec.units}) s-1" if found.rate else spec.units)
            of_spread = _of_spread(found.key, spec.role)
            all_found[f"{spec.key} spread" if of_spread else spec.key] = found
        except FieldNotFound as error:
            named = {spec.key, *row_of(spec.key).all_names} & set(fields or {})
            if spec.required or named:
                errors.append(error)
        except XOceanError as error:
            errors.append(error)
    raise_all(errors, f"{len(errors)} of {len(specs)} fields")
    return all_found
