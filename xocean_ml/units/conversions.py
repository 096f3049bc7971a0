"""Convert by role: a state by factor and offset, all else by the factor, a variance squared."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from xocean_ml.errors import UnitsError
from xocean_ml.spec import Role
from xocean_ml.units.strings import Reading, factors_of, linear, read, registry

__all__ = ["Conversion", "Equivalence", "compatible", "conversion", "is_rate", "normalise"]

Equivalence = Literal["practical_salinity", "liquid_water"]
"""Two units that a quantity lets pass for one another although their dimension says otherwise.

``practical_salinity``: 35 in ``1e-3``, ``psu`` and ``1`` is the same number (g/kg is not:
that is absolute salinity). ``liquid_water``: a depth of water is a mass, by 1000 kg m-3.
"""

WATER_DENSITY = "1000 kg m-3"

_LIKELY = {"coulomb": "degC", "farad": "degF", "sievert": "sverdrup"}


def normalise(text: str) -> str:
    """Spell a units string so that pint reads it rightly.

    Parameters
    ----------
    text : str
        Units as a file writes them: ``"m s-1"``, ``"Deg C"``, ``"MB"``, ``"1e-3"``, ``""``.

    Returns
    -------
    str
        The same units in pint's long names; equal units of any spelling give equal strings. A
        scale comes first: ``"0.001"`` for ``"1e-3"`` and ``"psu"``.

    Raises
    ------
    UnitsError
        If it cannot be read; names the string and a likely spelling.

    Examples
    --------
    >>> normalise("meter second-1"), normalise("M/S"), normalise("MB"), normalise("psu")
    ('meter / second', 'meter / second', 'millibar', '0.001')
    """
    reading = read(text)
    unit = f"{reading.unit:D}"
    if reading.scale == 1:
        return unit
    scale = f"{reading.scale:.15g}"
    return scale if unit == "dimensionless" else f"{scale} {unit}"


@dataclass(frozen=True)
class Conversion:
    """The conversion ``y = factor * x + offset``.

    Examples
    --------
    >>> to_kelvin = conversion("degC", "K")
    >>> to_kelvin
    Conversion(factor=1.0, offset=273.15)
    >>> to_kelvin.inverse()(to_kelvin(20.0))
    20.0
    """

    factor: float = 1.0
    offset: float = 0.0

    @property
    def identity(self) -> bool:
        """Whether the numbers stay as they are."""
        return self.factor == 1 and self.offset == 0

    def __call__(self, data: Any) -> Any:
        """Convert an array of any kind: a floating dtype stays, dask stays lazy.

        The factors are Python floats, which leave the dtype of numpy, dask, cupy and torch arrays
        alone. Attributes are the caller's affair: of a DataArray convert ``.data``.
        """
        if self.factor != 1:
            data = data * self.factor
        if self.offset:
            data = data + self.offset
        return data

    def inverse(self) -> Conversion:
        """The conversion back."""
        return Conversion(1 / self.factor, -self.offset / self.factor if self.offset else 0.0)


def conversion(
    source: str,
    target: str,
    role: Role = "state",
    *,
    equivalence: Equivalence | None = None,
    variable: str | None = None,
) -> Conversion:
    """The conversion from one unit to another, for numbers of a role.

    Parameters
    ----------
    source, target : str
        Units as files write them. For ``role="variance"`` they may be the field's (``"K"``) or
        already squared (``"K2"``): a unit that is a perfect square is not squared again.
    role : Role
        ``state`` takes the offset of a scale, all others only the factor, ``variance`` squared.
    equivalence : {"practical_salinity", "liquid_water"}, optional
        What this quantity lets pass; see `Equivalence`. Units of ``psu`` bring the first.
    variable : str, optional
        Named in the error.

    Raises
    ------
    UnitsError
        If a string cannot be read, or the dimensions differ.

    Examples
    --------
    >>> conversion("degC", "K", "difference")
    Conversion(factor=1.0, offset=0.0)
    >>> conversion("cm", "m", "variance").factor
    0.0001
    >>> conversion("mm/day", "kg m-2 s-1", equivalence="liquid_water").factor * 86400
    1.0
    >>> conversion("psu", "1").identity
    True
    """
    a, b = read(source), read(target)
    found = _convert(a, b, role, equivalence)
    if found is None:
        raise _mismatch(source, target, a.unit, equivalence, variable)
    return found


def compatible(a: str, b: str, *, equivalence: Equivalence | None = None) -> bool:
    """Whether one unit converts to the other.

    Examples
    --------
    >>> compatible("MB", "Pa"), compatible("degrees_north", "1"), compatible("psu", "g/kg")
    (True, False, False)
    """
    return _convert(read(a), read(b), "state", equivalence) is not None


def is_rate(unit: str, of: str, *, equivalence: Equivalence | None = None) -> bool:
    """Whether `unit` is the unit `of` per time, as those of ``tendency_of_...`` are.

    Examples
    --------
    >>> is_rate("degC day-1", "K"), is_rate("degC", "K"), is_rate("1e-3 s-1", "psu")
    (True, False, True)
    """
    return compatible(f"({unit}) s", of, equivalence=equivalence)


def _convert(
    a: Reading, b: Reading, role: Role, equivalence: Equivalence | None
) -> Conversion | None:
    """The conversion between two readings; None where the dimensions differ."""
    if a == b:
        return Conversion()
    if "decibel" in a.expression + b.expression:  # a logarithm converts by no factor
        return None
    if equivalence == "practical_salinity" or a.practical or b.practical:
        return _convert_practical(a, b, role)
    if equivalence == "liquid_water":
        water = read(WATER_DENSITY)
        for density in (1, -1):
            heavier = Reading(a.scale * water.scale**density, _times(a, water, density))
            found = _convert(heavier, b, role, None)
            if found is not None:
                return found
    (scale_a, first), (scale_b, second) = _as_role(a, role), _as_role(b, role)
    if _signature(first) != _signature(second):
        return None
    ureg = registry()
    factor = scale_a / scale_b * ureg.Quantity(1.0, first).to(second).magnitude
    offset = 0.0
    if role == "state" and (a.unit != first or b.unit != second):
        offset = ureg.Quantity(0.0, a.unit).to(b.unit).magnitude / b.scale
    return Conversion(_tidy(factor), _tidy(offset))


def _tidy(number: float) -> float:
    """A Python float without the noise that pint's chains of factors leave in the last digit.

    Not a numpy scalar, which would make float64 of float32 arrays.
    """
    number = float(number)
    short = float(f"{number:.12g}")
    return short if math.isclose(short, number, rel_tol=1e-15) else number


def _times(a: Reading, b: Reading, power: int) -> str:
    return f"{linear(a.unit) * b.unit**power:D}"


def _convert_practical(a: Reading, b: Reading, role: Role) -> Conversion | None:
    """Practical salinity has no unit: numbers in psu, 1e-3 and 1 are the same."""
    for reading in (a, b):
        if reading.scale not in (1, 1e-3) and role != "variance":
            return None
        # By name: g/kg would cancel to a plain number.
        names = {name for name, _ in factors_of(f"{reading.unit:D}", "")[1]}
        if not all(name == "dimensionless" or _is_time(name) for name in names):
            return None
    return _convert(Reading(1, a.expression), Reading(1, b.expression), role, None)


def _is_time(name: str) -> bool:
    return _signature(registry().Unit(name)) == {"second": 1}


def _as_role(reading: Reading, role: Role) -> tuple[float, Any]:
    """Scale and unit that convert by a factor alone; for a variance those of the square."""
    unit = linear(reading.unit)
    if role == "variance" and not _is_square(unit):
        return reading.scale**2, unit**2
    return reading.scale, unit


def _is_square(unit: Any) -> bool:
    powers = list(unit.dimensionality.values())
    return bool(powers) and all(power % 2 == 0 for power in powers)


def _signature(unit: Any) -> dict[str, float]:
    """What must be equal to convert: base units, an angle being no plain number."""
    root = registry().get_root_units(unit)[1]
    factors = dict(factors_of(f"{root:D}", "")[1])
    for plain in ("dimensionless", "count"):
        factors.pop(plain, None)
    return factors


def _mismatch(
    source: str, target: str, unit: Any, equivalence: Equivalence | None, variable: str | None
) -> UnitsError:
    of = f"{variable}: " if variable else ""
    likely = _LIKELY.get(f"{unit:D}")
    hint = f"; do you mean {likely!r}?" if likely else ""
    if equivalence == "practical_salinity" or "psu" in (source, target):
        hint = "; practical and absolute salinity are two quantities: use gsw.SA_from_SP"
    return UnitsError(
        f"{of}units {source!r} cannot be converted to {target!r}: "
        f"{normalise(source)!r} and {normalise(target)!r} differ in dimension{hint}"
    )
