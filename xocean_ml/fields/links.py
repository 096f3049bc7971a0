"""Variables that belong to a field: its ensemble spread, its error, its counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import xarray as xr

from xocean_ml.errors import FieldNotFound, UnitsError
from xocean_ml.fields import cf_attrs
from xocean_ml.fields.failures import ambiguous, found_lines
from xocean_ml.fields.row import Row
from xocean_ml.fields.rows import ERROR_VARIABLES, ROWS
from xocean_ml.fields.search import Found, as_found, look, row_of, warn_profile

__all__ = ["find_counts", "find_error", "find_spread"]


def find_spread(ds: xr.Dataset, found: Found, spread: str | None = None) -> Found | None:
    """Find the ensemble spread of a field.

    Parameters
    ----------
    ds : Dataset
        Nothing of it is computed.
    found : Found
        The field, by `find`.
    spread : str, optional
        The variable, if its metadata do not say.

    Returns
    -------
    Found or None
        Of role ``spread`` (standard deviation) or ``variance``. Linked by ``ancillary_variables``,
        or bearing the field's standard name (that of its state, for an increment), with
        ``cell_methods`` of ``realization: standard_deviation`` or ``variance``; other ensemble
        dimensions are number, member, member_id, ens.

    Raises
    ------
    FieldNotFound
        If `spread` names no variable.
    AmbiguousField
        If several are it.
    UnitsError
        If its units are not those of the field (squared, for a variance).

    Examples
    --------
    >>> std = {"standard_name": "sea_surface_temperature", "units": "K",
    ...        "cell_methods": "realization: standard_deviation"}
    >>> ds = xr.Dataset({"sst": ("x", [290.0], {**std, "cell_methods": "time: mean"}),
    ...                  "sst_std": ("x", [0.3], std)})
    >>> from xocean_ml.fields import find
    >>> find_spread(ds, find(ds, "sea_surface_temperature")).variable
    'sst_std'
    """
    row = row_of(found.key)
    if spread is not None:
        if spread not in ds.variables:
            raise FieldNotFound(
                f"spread={spread!r}: the Dataset has no such variable\n{found_lines(ds, row)}"
            )
        return _as_spread(ds, row, spread, "fields=")
    spreads = {n: v for n, v in _numbers(ds) if cf_attrs.spread_role(v) is not None}
    spreads = {n: v for n, v in spreads.items() if cf_attrs.standard_name(v)[1] is None}
    linked = [n for n in cf_attrs.ancillary(ds, ds.variables[found.variable]) if n in spreads]
    names = [found.standard_name] if found.standard_name else [*row.all_names]
    for how, candidates in (
        ("ancillary_variables", linked),
        ("standard_name", cf_attrs.bearing(row, spreads, _aliases(row, names))),
        ("standard_name", cf_attrs.bearing(row, spreads, _states(row))),
    ):
        if len(candidates) > 1:
            raise ambiguous(ds, row, f"{how} and cell_methods", candidates)
        if candidates:
            return _as_spread(ds, row, candidates[0], how)
    return None


def _as_spread(ds: xr.Dataset, row: Row, name: str, how: str) -> Found:
    """Its role by cell_methods; where they are silent by whether the units are squared."""
    told = cf_attrs.spread_role(ds.variables[name])
    if told == "variance":
        return as_found(ds, row, name, how, told)
    try:
        return as_found(ds, row, name, how, "spread")
    except UnitsError:
        if told is not None:
            raise
        return as_found(ds, row, name, how, "variance")


def find_error(ds: xr.Dataset, found: Found) -> Found | None:
    """Find the standard error of an observed field.

    Parameters
    ----------
    ds : Dataset
        Nothing of it is computed.
    found : Found
        The field, by `find`.

    Returns
    -------
    Found or None
        Of role ``spread``, with standard name ``<name> standard_error``: linked by
        ``ancillary_variables``, or else alone with the name, or else by the variable name of a
        product (which warns once: ``err_sla`` is a mapping error). `Found.divisor` names a
        ``standard_error_multiplier`` that the numbers are to be divided by, `Found.bias` the
        ``sses_bias`` that belongs to it.

    Raises
    ------
    AmbiguousField
        If several are it.

    Examples
    --------
    >>> name = "sea_surface_height_above_sea_level"
    >>> sla = {"units": "m", "standard_name": name, "ancillary_variables": "e"}
    >>> error = {"units": "m", "standard_name": f"{name} standard_error"}
    >>> ds = xr.Dataset({"sla": ("x", [0.1], sla), "e": ("x", [0.02], error)})
    >>> from xocean_ml.fields import find
    >>> find_error(ds, find(ds, "sea_level_anomaly")).variable
    'e'
    """
    row = row_of(found.key)
    linked = cf_attrs.ancillary(ds, ds.variables[found.variable])
    numbers = dict(_numbers(ds))
    errors = _modified(row, found, numbers, "standard_error")
    products = [name for name in _error_names(found) if name in numbers]
    for how, candidates in (
        ("ancillary_variables", [name for name in errors if name in linked]),
        ("ancillary_variables", [name for name in products if name in linked]),
        ("standard_name", errors),
        ("profile", products),
    ):
        if len(candidates) > 1:
            raise ambiguous(ds, row, f"{how}, its standard_error", candidates)
        if candidates:
            if how == "profile":
                note = ", and is a mapping error" if candidates[0] == "err_sla" else ""
                warn_profile(f"the error of {found.variable}", candidates[0], note)
            error = as_found(ds, row, candidates[0], how, "spread")
            return _with_divisor_and_bias(ds, error, linked)
    return None


def _error_names(found: Found) -> list[str]:
    """Product names of the error of a field: Argo's hang on the variable, others on the field."""
    own = [f"{found.variable}_ERROR"] if found.variable.endswith("_ADJUSTED") else []
    return own + [name for name, keys in ERROR_VARIABLES.items() if found.key in keys]


def _with_divisor_and_bias(ds: xr.Dataset, error: Found, linked: list[str]) -> Found:
    divisors = cf_attrs.divisors(ds, error.variable, linked)
    if len(divisors) > 1:
        raise ambiguous(ds, ROWS[error.key], "standard_error_multiplier", divisors)
    sses = error.variable == "sses_standard_deviation" and "sses_bias" in ds.variables
    return replace(
        error, divisor=divisors[0] if divisors else None, bias="sses_bias" if sses else None
    )


def find_counts(ds: xr.Dataset, found: Found | None = None) -> Found | None:
    """Find how many observations went into each value.

    Parameters
    ----------
    ds : Dataset
        Nothing of it is computed.
    found : Found, optional
        The field they belong to.

    Returns
    -------
    Found or None
        Of role ``count``: the field's ``ancillary_variables`` first, then its standard name with
        the modifier ``number_of_observations``, then the one variable of that standard name.

    Raises
    ------
    AmbiguousField
        If several are it.

    Examples
    --------
    >>> n = {"standard_name": "number_of_observations", "units": "1"}
    >>> find_counts(xr.Dataset({"n": ("x", [3], n)})).role
    'count'
    """
    row = ROWS["number_of_observations"]
    if found is not None:
        numbers = dict(_numbers(ds))
        linked = cf_attrs.ancillary(ds, ds.variables[found.variable])
        modified = _modified(row_of(found.key), found, numbers, "number_of_observations")
        named = cf_attrs.bearing(row, numbers, row.names)
        for how, candidates in (
            ("ancillary_variables", [n for n in linked if n in modified or n in named]),
            ("standard_name", modified),
        ):
            if len(candidates) > 1:
                raise ambiguous(ds, row, how, candidates)
            if candidates:
                return as_found(ds, row, candidates[0], how, "count")
    return look(ds, row.key, None, None)


def _numbers(ds: xr.Dataset) -> Iterable[tuple[str, xr.Variable]]:
    return (
        (n, v) for n, v in ds.variables.items() if isinstance(n, str) and cf_attrs.is_numeric(v)
    )


def _modified(
    row: Row, found: Found, variables: dict[str, xr.Variable], modifier: str
) -> list[str]:
    """Variables bearing the field's standard name with a modifier, aliases resolved."""
    names = [found.standard_name] if found.standard_name else [*row.all_names]
    with_it = {n: v for n, v in variables.items() if cf_attrs.standard_name(v)[1] == modifier}
    return cf_attrs.bearing(row, with_it, _aliases(row, names))


def _aliases(row: Row, names: list[str]) -> tuple[str, ...]:
    """The names and what the row holds for the same quantity.

    The first names of a family row (temperature, salinity) are different quantities.
    """
    several = row.key in ("sea_water_temperature", "sea_water_salinity") or row.rates
    return tuple(names) if several or not set(names) & set(row.names) else row.names


def _states(row: Row) -> tuple[str, ...]:
    """Names of the states that an increment belongs to: ensembles give the spread of these."""
    prefix = "change_over_time_in_"
    return tuple(n.removeprefix(prefix) for n in row.names if row.rates and n.startswith(prefix))
