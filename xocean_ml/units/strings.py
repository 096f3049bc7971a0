"""How files spell units: our own table, the UDUNITS exponent syntax, pint's names; and back."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from xocean_ml.errors import UnitsError

if TYPE_CHECKING:
    import pint

__all__ = ["Reading", "cf_string", "factors_of", "linear", "read", "registry"]

# Whole phrases, before the string is cut into factors. A direction says nothing about the unit.
_PHRASES = [
    (re.compile(pattern, re.IGNORECASE), name)
    for pattern, name in (
        (r"(?:\bdeg(?:ree)?s?|[°º])[\s_.]*(?:celsius|centigrade|c)\b", "degree_Celsius"),
        (r"(?:\bdeg(?:ree)?s?|[°º])[\s_.]*(?:kelvin|k)\b", "kelvin"),
        (r"(?:\bdeg(?:ree)?s?|[°º])[\s_.]*(?:fahrenheit|f)\b", "degree_Fahrenheit"),
        (r"\bdeg(?:ree)?s?(?:_(?:[nsewt]|true)|[\s_](?:north|south|east|west))\b", "degree"),
        (r"\bpss(?:[-_ ]?78)?\b|\bpractical[\s_]salinity[\s_](?:unit|scale)s?\b", "psu"),
        (r"\bper[\s_]?mil(?:le)?\b|‰|\bo/oo\b|\b0/00\b", "permille"),
        (r"\bper\b", "/"),
        (r"(?<![a-z0-9])n/a\b", ""),
    )
]

# Exact symbols that pint takes for something else (millibarn, megabyte, picopint, sievert stays).
_SYMBOLS = {
    "MB": "millibar",
    "mb": "millibar",
    "Mb": "millibar",
    "db": "decibar",
    "ppt": "permille",
    "%": "percent",
    "°": "degree",
    "º": "degree",
    "M": "meter",
}
# Words in any case.
_WORDS = {
    "celsius": "degree_Celsius",
    "centigrade": "degree_Celsius",
    "fahrenheit": "degree_Fahrenheit",
    "deg": "degree",
    "degs": "degree",
    "dbars": "decibar",
    "dimensionless": "",
    "fraction": "",
    "none": "",
    "unitless": "",
    "secs": "second",
    "yrs": "year",
    "psu": "psu",
}
# Symbols of an upper-case string: FORTRAN and Ferret files shout.
_SHOUTED = {
    "G": "gram",
    "KG": "kilogram",
    "S": "second",
    "H": "hour",
    "CM": "centimeter",
    "MM": "millimeter",
    "KM": "kilometer",
    "PA": "pascal",
    "HPA": "hectopascal",
    "DBAR": "decibar",
    "MBAR": "millibar",
    "SEC": "second",
    "DAY": "day",
}
_NUMBERS = {"psu": 1e-3, "permille": 1e-3}
# fmt: off
_SPELLINGS = [
    "degC", "K", "degF", "m", "cm", "mm", "km", "s", "min", "hour", "day", "month", "year", "kg",
    "g", "Pa", "hPa", "mbar", "dbar", "psu", "percent", "count", "degree", "radian", "m/s",
    "kg/m2/s", "mm/day", "g/kg", "N/m2", "W/m2", "degrees_north", "degrees_east", "celsius",
    "kelvin", "meter", "second", "pascal", "decibar",
]
# fmt: on

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>10(?:\^|\*\*)[+-]?\d+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<name>[^\W\d]+|[%°º])
      (?:\s*(?:\^|\*\*)\s*(?P<power>[+-]?\d+(?:\.\d+)?)|(?P<exponent>[+-]?\d+))?
    | (?P<operator>\*|[/.·⋅×()])
    )\s*""",
    re.VERBOSE,
)
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")


@dataclass(frozen=True)
class Reading:
    """A units string as read: `scale` times `expression`, spelled in pint's names."""

    scale: float
    expression: str
    practical: bool = False  # it says psu

    @property
    def unit(self) -> Any:
        """The pint unit, of the application registry, without the scale."""
        return registry().parse_units(self.expression)


def registry() -> Any:
    """The application's pint registry, as it is now."""
    import pint

    return pint.get_application_registry()


@lru_cache(maxsize=512)
def read(text: str) -> Reading:
    """Read a units string; UnitsError names it and a likely spelling."""
    spelled = text.strip().translate(_SUPERSCRIPTS)
    if re.search(r"\bsince\b", spelled, re.IGNORECASE):
        raise UnitsError(
            f"units {text!r} are those of a time axis, not of a quantity: decode it with "
            "xr.decode_cf, or give the axis times of your own"
        )
    if spelled in ("-", "--"):
        spelled = ""
    shouted = spelled == spelled.upper()
    for pattern, name in _PHRASES:
        spelled = pattern.sub(name, spelled)
    scale, factors = factors_of(spelled, text)
    compound = len(factors) > 1
    expression, practical = [], False
    for name, power in factors:
        known = _known(name, shouted and (compound or len(name) > 1), text)
        practical |= known == "psu"
        scale *= _NUMBERS.get(known, 1.0) ** power
        if known and known not in _NUMBERS:
            expression.append(known if power == 1 else f"{known} ** {power:g}")
    return Reading(float(f"{scale:.15g}"), " * ".join(expression), practical)


def factors_of(spelled: str, text: str) -> tuple[float, list[tuple[str, float]]]:
    """Cut a string into its number and its (name, power) factors; ``/`` takes one factor."""
    scale = 1.0
    factors: list[tuple[str, float]] = []
    sign, group, position = 1, [1], 0
    while position < len(spelled):
        token = _TOKEN.match(spelled, position)
        if token is None:
            raise _unreadable(text, spelled[position:])
        position = token.end()
        operator, number, name = token["operator"], token["number"], token["name"]
        if operator == "/":
            sign = -1
        elif operator == "(":
            group.append(group[-1] * sign)
            sign = 1
        elif operator == ")":
            if len(group) == 1:
                raise _unreadable(text, spelled[position - 1 :])
            group.pop()
        elif number:
            scale *= _value(number) ** (sign * group[-1])
            sign = 1
        elif name:
            power = float(token["power"] or token["exponent"] or 1)
            factors.append((name, power * sign * group[-1]))
            sign = 1
    if len(group) > 1:
        raise _unreadable(text, "(")
    if scale <= 0:
        raise _unreadable(text, "0")
    return scale, factors


def _value(number: str) -> float:
    """The number of ``1e-3``, ``0.01``, ``10^6``, ``10**-3``."""
    base, raised, power = number.replace("**", "^").partition("^")
    return float(base) ** int(power) if raised else float(number)


def _known(name: str, shouted: bool, text: str) -> str:
    """The name by which pint knows one unit; ``""`` for a word that says "no unit"."""
    if name in _SYMBOLS:
        return _SYMBOLS[name]
    if shouted and name in _SHOUTED:
        return _SHOUTED[name]
    lower = name.lower()
    if lower in _WORDS or lower in _NUMBERS:
        return _WORDS.get(lower, lower)
    # Symbols mean other things in lower case (Pa, K, S), words do not.
    for spelling in (name, lower) if len(name) > 3 else (name,):
        if spelling in registry():
            return str(registry().get_name(spelling))
    raise _unreadable(text, name)


def _unreadable(text: str, part: str) -> UnitsError:
    """The error for a string that is no unit, with a likely spelling where there is one."""
    spellings = {each.lower(): each for each in _SPELLINGS}
    likely = difflib.get_close_matches(part.strip().lower(), spellings, n=1, cutoff=0.5)
    what = f"; do you mean {spellings[likely[0]]!r}?" if likely else ""
    return UnitsError(
        f"units {text!r} cannot be read: {part.strip()!r} is no unit{what} "
        "(spellings that are read: 'm s-1', 'degC', 'kg m-2 s-1', 'hPa', '1e-3', '1')"
    )


def linear(unit: Any) -> Any:
    """The unit of a difference: ``degree_Celsius`` becomes ``delta_degree_Celsius``."""
    name = f"{unit:D}"
    offset = name in ("degree_Celsius", "degree_Fahrenheit", "degree_Reaumur")
    return registry().Unit(f"delta_{name}") if offset else unit


# Where UDUNITS spells a unit otherwise than by pint's symbol.
_CF_NAMES = {
    "degree_Celsius": "degC",
    "delta_degree_Celsius": "degC",
    "degree_Fahrenheit": "degF",
    "delta_degree_Fahrenheit": "degF",
    "kelvin": "K",
    "percent": "%",
    "degree": "degree",
    "minute": "minute",
    "hour": "hour",
    "day": "day",
    "week": "week",
    "month": "month",
    "year": "year",
    "sverdrup": "sverdrup",
}
_CF_NUMBERS = {"permille": 1e-3, "ppm": 1e-6, "dimensionless": 1.0}


def cf_string(unit: pint.Unit) -> str:
    """A pint unit as a CF (UDUNITS) units string.

    Examples
    --------
    >>> import pint
    >>> ureg = pint.get_application_registry()
    >>> [cf_string(ureg.Unit(u)) for u in ("kg/m**2/s", "degC", "delta_degC", "permille", "")]
    ['kg m-2 s-1', 'degC', 'degC', '1e-3', '1']
    """
    # The last format writes every power out, whatever format the registry prefers.
    scale, parts = 1.0, []
    for name, power in factors_of(f"{unit:D}", str(unit))[1]:
        if name in _CF_NUMBERS:
            scale *= _CF_NUMBERS[name] ** power
        else:
            parts.append(_cf_name(name) + ("" if power == 1 else f"{power:g}"))
    if scale != 1 or not parts:
        exponent = f"{scale:g}".replace("e-0", "e-")
        parts.insert(0, {"0.001": "1e-3"}.get(exponent, exponent))
    return " ".join(parts)


def _cf_name(name: str) -> str:
    if name in _CF_NAMES:
        return _CF_NAMES[name]
    symbol = registry().get_symbol(name).replace("µ", "u").replace("μ", "u")
    try:
        reading = read(symbol)
    except UnitsError:
        return name
    same = symbol.isascii() and reading.scale == 1 and f"{reading.unit:D}" == name
    return symbol if same else name
