"""The search: what was found, the steps in their order, and the errors where they fail."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

import xarray as xr

from xocean_ml.errors import FieldNotFound, UnitsError, warn
from xocean_ml.fields import cf_attrs
from xocean_ml.fields.cf_attrs import bearing
from xocean_ml.fields.failures import ambiguous, found_lines, not_found
from xocean_ml.fields.fits import (
    can_be,
    equivalence_of,
    example_units,
    expected_units,
    is_per_time,
    units_fit,
)
from xocean_ml.fields.row import Row
from xocean_ml.fields.rows import ROWS
from xocean_ml.spec import Role
from xocean_ml.units import Conversion, conversion, normalise, units_of

__all__ = ["Found", "ProfileWarning", "as_found", "find_field", "look", "row_of", "warn_profile"]


class ProfileWarning(UserWarning):
    """A field was found by a product's variable name, not by its metadata."""


@dataclass(frozen=True)
class Found:
    """A field found in a Dataset.

    Parameters
    ----------
    key : str
        Row of the table.
    variable : str
        Name in the Dataset.
    how : str
        ``"fields="``, ``"standard_name"``, ``"height"``, ``"cell_methods"``, ``"profile"`` or
        ``"ancillary_variables"``.
    role : Role
        What the numbers are; it decides their conversion.
    units : str
        As the file writes them.
    standard_name : str or None
        As the file writes it, without a modifier.
    rate : bool
        Whether the numbers are per time: an increment given as ``tendency_of_...``.
    divisor, bias : str or None
        Of an error: variables that divide it (``standard_error_multiplier``), and that are to be
        taken off the field (``sses_bias``).
    """

    key: str
    variable: str
    how: str
    role: Role
    units: str
    standard_name: str | None = None
    rate: bool = False
    divisor: str | None = None
    bias: str | None = None

    def conversion(self, units: str) -> Conversion:
        """The conversion of this field's numbers to `units`, by its role.

        Examples
        --------
        >>> Found("temperature_increment", "d", "fields=", "difference", "degC").conversion("K")
        Conversion(factor=1.0, offset=0.0)
        """
        equivalence = equivalence_of(ROWS[self.key], self.standard_name, self.units)
        return conversion(
            self.units, units, self.role, equivalence=equivalence, variable=self.variable
        )


def row_of(key: str) -> Row:
    """The row of a key, or of a standard name that one row has."""
    if key in ROWS:
        return ROWS[key]
    for row in ROWS.values():
        if key in row.all_names:
            return row
    near = difflib.get_close_matches(key, _all_names(), n=3)
    raise FieldNotFound(
        f"{key!r} is neither a key of the table nor a standard name in it"
        + (f"; near it: {', '.join(map(repr, near))}" if near else "")
        + "; xocean_ml.fields.table() shows all"
    )


def _all_names() -> set[str]:
    return {name for row in ROWS.values() for name in (row.key, *row.all_names)}


def find_field(
    ds: xr.Dataset, key: str, role: Role | None, fields: Mapping[str, str] | None
) -> Found:
    """The variable that is a field."""
    found = look(ds, key, role, fields)
    if found is None:
        raise not_found(ds, row_of(key), role)
    return found


def look(
    ds: xr.Dataset, key: str, role: Role | None, fields: Mapping[str, str] | None
) -> Found | None:
    """The same, or None; the steps in the order of the table's page."""
    row = row_of(key)
    chosen = _chosen(ds, row, key, fields or {})
    if chosen is not None:
        told = cf_attrs.role_told(ds.variables[chosen], row) if row.role == "state" else None
        return as_found(ds, row, chosen, "fields=", role or told or row.role)
    candidates = candidates_of(ds, row)
    for how, names in (
        ("standard_name", bearing(row, candidates, row.names)),
        ("standard_name", bearing(row, candidates, row.family)),
        ("standard_name", _marked_as_difference(row, candidates)),
        ("height", _by_height(ds, row, candidates)),
        ("cell_methods", _by_sea_mask(ds, row, candidates)),
        ("profile", _by_profile(ds, row, candidates)),
    ):
        names = _of_role(row, role, {name: candidates[name] for name in names})
        if len(names) > 1:
            raise ambiguous(ds, row, how, names)
        if names:
            if how == "profile":
                warn_profile(row.key, names[0])
            told = cf_attrs.role_told(candidates[names[0]], row) if row.role == "state" else None
            return as_found(ds, row, names[0], how, told or role or row.role)
    return None


def _chosen(ds: xr.Dataset, row: Row, key: str, fields: Mapping[str, str]) -> str | None:
    """The variable that the user named for a row."""
    for name, variable in fields.items():
        if name not in _all_names():
            row_of(name)  # raises, naming what is near
        if name in (key, row.key, *row.all_names) and variable not in ds.variables:
            raise FieldNotFound(
                f"{name}: fields= names the variable {variable!r}, which the Dataset has not\n"
                f"{found_lines(ds, row)}"
            )
    own = [name for name in (key, row.key, *row.all_names) if name in fields]
    return str(fields[own[0]]) if own else None


def candidates_of(ds: xr.Dataset, row: Row) -> dict[str, xr.Variable]:
    """Variables of numbers that are no statistic, error or flag of something."""
    names = ds.variables if row.role == "weight" else ds.data_vars
    return {
        name: ds.variables[name]
        for name in names
        if isinstance(name, str)
        and cf_attrs.is_numeric(ds.variables[name])
        and cf_attrs.standard_name(ds.variables[name])[1] is None
        and not cf_attrs.is_statistic(ds.variables[name])
    }


def _marked_as_difference(row: Row, candidates: dict[str, xr.Variable]) -> list[str]:
    """States that ``units_metadata`` marks as a difference: increments by another name."""
    names = bearing(row, candidates, row.states)
    mark = "temperature: difference"
    return [n for n in names if str(candidates[n].attrs.get("units_metadata")).strip() == mark]


def _by_height(ds: xr.Dataset, row: Row, candidates: dict[str, xr.Variable]) -> list[str]:
    found = []
    for name, span in row.weak:
        if span is None:
            continue
        for each in bearing(row, candidates, (name,)):
            height = cf_attrs.height_of(ds, candidates[each])
            if height is not None and span[0] <= abs(height) <= span[1]:
                found.append(each)
    return found


def _by_sea_mask(ds: xr.Dataset, row: Row, candidates: dict[str, xr.Variable]) -> list[str]:
    return [
        each
        for name, span in row.weak
        if span is None
        for each in bearing(row, candidates, (name,))
        if cf_attrs.has_sea_mask(ds, name, candidates[each])
    ]


def _by_profile(ds: xr.Dataset, row: Row, candidates: dict[str, xr.Variable]) -> list[str]:
    return [
        name
        for name, variable in candidates.items()
        if _bears_product_name(ds, row, name, variable) and can_be(ds, row, name)
    ]


def _bears_product_name(ds: xr.Dataset, row: Row, name: str, variable: xr.Variable) -> bool:
    """Whether variable name (or long name), standard name and dimension kinds are a product's."""
    standard = cf_attrs.standard_name(variable)[0]
    other_height = cf_attrs.height_of(ds, variable) if standard else None
    if standard is not None and (
        standard not in (*row.all_names, *row.loose) or (other_height is not None and row.weak)
    ):
        return False
    # Not the row's own standard names: a variable that misuses one is to be named by the user.
    long_names = (
        *row.long_names,
        *(each.replace("_", " ") for each in (*row.names, *(n for n, _ in row.weak))),
    )
    misused = dict(row.misused).get(str(standard), ())
    named = name in row.variables or cf_attrs.long_name(variable) in long_names
    return named and name not in misused and _has_level(ds, row, variable)


def _has_level(ds: xr.Dataset, row: Row, variable: xr.Variable) -> bool:
    vertical = bool(cf_attrs.vertical_dims(ds, variable))
    if row.level == "depth":
        return vertical or cf_attrs.height_of(ds, variable) is not None
    return bool(variable.dims) and not (row.level == "surface" and vertical)


def _of_role(row: Row, role: Role | None, candidates: dict[str, xr.Variable]) -> list[str]:
    """A difference is no state and a state no difference; without a role states come first."""
    if row.role != "state":
        return list(candidates)
    told = {n: cf_attrs.role_told(v, row) == "difference" for n, v in candidates.items()}
    differences = [name for name, is_difference in told.items() if is_difference]
    states = [name for name, is_difference in told.items() if not is_difference]
    if role == "difference":
        return differences
    return states if role == "state" else states or differences


def as_found(ds: xr.Dataset, row: Row, name: str, how: str, role: Role) -> Found:
    """Describe a variable; its units must fit the row (squared for a variance)."""
    standard, _ = cf_attrs.standard_name(ds.variables[name])
    units = units_of(ds.variables[name])
    if units is None:
        if row.units[:1] != ("1",):
            raise UnitsError(
                f"{name}: no units, and {row.key} needs them: say which, "
                f"ds[{name!r}].attrs['units'] = {example_units(row)!r}"
            )
        units = "1"
    if row.units and not units_fit(row, standard, units, role):
        expected = " or ".join(expected_units(row, standard))
        raise UnitsError(
            f"{name}: units {units!r} ({normalise(units)}) are not those of {row.key}, "
            f"which are {expected}"
            + (" squared" if role == "variance" else "")
            + (" (per time for a tendency)" if row.rates else "")
            + (f"; {row.trap}" if "salinity" in row.key else "")
        )
    rate = is_per_time(row, standard, units)
    return Found(row.key, name, how, role, units, standard, rate)


_warned: set[tuple[str, str]] = set()


def warn_profile(key: str, variable: str, note: str = "") -> None:
    """Warn, once in a process, that a variable was taken by its product name."""
    if (key, variable) in _warned:
        return
    _warned.add((key, variable))
    warn(
        f"{variable!r} is taken for {key} because of its name, units and dimensions, not by a "
        f"standard_name{note}; to say so yourself: fields={{{key!r}: {variable!r}}}",
        ProfileWarning,
    )
