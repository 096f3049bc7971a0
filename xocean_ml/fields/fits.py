"""Whether a variable's units can be those of a field."""

from __future__ import annotations

import xarray as xr

from xocean_ml.errors import UnitsError
from xocean_ml.fields.row import Row
from xocean_ml.spec import Role
from xocean_ml.units import Equivalence, compatible, conversion, is_rate, normalise, units_of

__all__ = [
    "can_be",
    "equivalence_of",
    "example_units",
    "expected_units",
    "is_per_time",
    "units_fit",
]


def expected_units(row: Row, standard: str | None) -> tuple[str, ...]:
    """Canonical units of a row under a standard name: g/kg only for absolute salinity."""
    if standard and "absolute_salinity" in standard:
        return ("g kg-1",)
    if standard and "practical_salinity" in standard:
        return ("1",)
    return row.units


def equivalence_of(row: Row, standard: str | None, units: str) -> Equivalence | None:
    """The row's equivalence where it holds: absolute salinity has none."""
    if row.equivalence != "practical_salinity":
        return row.equivalence
    practical = ("1", "s-1", "s")
    fits = any(compatible(units, each, equivalence=row.equivalence) for each in practical)
    absolute = standard is not None and "absolute_salinity" in standard
    return row.equivalence if fits and not absolute else None


def units_fit(row: Row, standard: str | None, units: str, role: Role) -> bool:
    """Whether units have the dimension of a row's; UnitsError if they cannot be read."""
    for each in expected_units(row, standard):
        # g/kg would convert to 1, but absolute salinity is no practical one.
        absolute = each.startswith("g kg-1")
        equivalence = None if absolute else row.equivalence
        plain = _converts(units, each, role, equivalence)
        rate = row.rates and is_rate(units, each, equivalence=equivalence)
        tendency = str(standard).startswith("tendency_of_")
        change = str(standard).startswith("change_over_time_in_")
        if (plain and not tendency) or (rate and not change):
            return True
    return False


def _converts(units: str, to: str, role: Role, equivalence: Equivalence | None) -> bool:
    try:
        conversion(units, to, role, equivalence=equivalence)
    except UnitsError:
        normalise(units)
        return False
    return True


def is_per_time(row: Row, standard: str | None, units: str) -> bool:
    """Whether an increment is given as a rate."""
    equivalence = equivalence_of(row, standard, units)
    return row.rates and any(is_rate(units, u, equivalence=equivalence) for u in row.units)


def example_units(row: Row) -> str:
    """A spelling to show in an error."""
    return {"K": "degC"}.get(row.units[0], row.units[0]) if row.units else "1"


def can_be(ds: xr.Dataset, row: Row, name: str) -> bool:
    """Whether a variable has units that fit; False where they are missing or cannot be read."""
    units = units_of(ds.variables[name])
    try:
        return units is not None and units_fit(row, None, units, row.role)
    except UnitsError:
        return False
