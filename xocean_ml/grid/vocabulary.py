"""What names, attributes and values tell of a coordinate: its axis, whether it is a latitude."""

from __future__ import annotations

import re
from collections.abc import Hashable

import numpy as np
import xarray as xr

from xocean_ml.grid._labelled import text

__all__ = [
    "AXIS_NAMES",
    "COORDINATE_NAMES",
    "LETTERS",
    "axis_of",
    "evidence",
    "is_datelike",
    "is_kind",
    "likeness",
    "matches",
]

LETTERS = "TZYXE"
_STANDARD_NAMES = {
    "time": "T",
    "depth": "Z",
    "depth_below_geoid": "Z",
    "height": "Z",
    "altitude": "Z",
    "model_level_number": "Z",
    "sea_water_pressure": "Z",
    "air_pressure": "Z",
    "ocean_sigma_coordinate": "Z",
    "ocean_s_coordinate": "Z",
    "ocean_s_coordinate_g1": "Z",
    "ocean_s_coordinate_g2": "Z",
    "latitude": "Y",
    "grid_latitude": "Y",
    "projection_y_coordinate": "Y",
    "longitude": "X",
    "grid_longitude": "X",
    "projection_x_coordinate": "X",
    "realization": "E",
}
_NORTH = re.compile(r"degrees?_?n(orth)?")
_EAST = re.compile(r"degrees?_?e(ast)?")
AXIS_NAMES = {
    "T": re.compile(r"t|time\d*|times|valid_time|time_counter|ocean_time|datetime|dates?"),
    "Z": re.compile(
        r"z|k|depth[tuvw]?|lev|level|olevel|nav_lev|s_(rho|w)|z_?[lict]|s[tw]_ocean"
        r"|zax.*|pres(sure)?|height|altitude"
    ),
    "Y": re.compile(
        r"y|j|nj|lat|latitude|rlat|nlat|y_?[tuvwfcgqh]|eta_(rho|u|v|psi)|y[tu]_ocean|yax.*"
    ),
    "X": re.compile(
        r"x|i|ni|lon|longitude|rlon|nlon|x_?[tuvwfcgqh]|xi_(rho|u|v|psi)|x[tu]_ocean|xax.*"
    ),
    "E": re.compile(r"reali[sz]ation|number|member(_id)?|ens|ensemble(_member)?"),
}
_STAGGER = r"(_?(t|u|v|w|f|c|rho|psi))?"
COORDINATE_NAMES = {
    "latitude": re.compile(rf"(nav_|geo|[tu])?lat(itude)?{_STAGGER}|gphi[tuvf]"),
    "longitude": re.compile(rf"(nav_|geo|[tu])?lon(g|gitude)?{_STAGGER}|glam[tuvf]"),
}
_COORDINATE_UNITS = {"latitude": _NORTH, "longitude": _EAST}


def matches(pattern: re.Pattern[str], name: Hashable) -> bool:
    """Tell whether a pattern is the whole of a name, in any case."""
    return pattern.fullmatch(str(name).lower()) is not None


def evidence(variable: xr.Variable | xr.DataArray) -> tuple[int, str] | None:
    """Return the axis that a coordinate's attributes and values tell, best evidence first."""
    axis = text(variable, "axis").upper()
    if axis and axis in LETTERS:
        return 0, axis
    standard_name, units = text(variable, "standard_name"), text(variable, "units").lower()
    if standard_name in _STANDARD_NAMES:
        return 1, _STANDARD_NAMES[standard_name]
    if _NORTH.fullmatch(units):
        return 2, "Y"
    if _EAST.fullmatch(units):
        return 2, "X"
    if text(variable, "positive").lower() in {"up", "down"}:
        return 2, "Z"
    if is_datelike(variable) or " since " in units:
        # a named other time (forecast_reference_time) must not rival the time itself
        return (3 if standard_name else 2), "T"
    return None


def axis_of(variable: xr.Variable | xr.DataArray) -> str | None:
    """Return the axis that a coordinate's attributes and values tell."""
    found = evidence(variable)
    return found[1] if found else None


def is_datelike(variable: xr.Variable | xr.DataArray) -> bool:
    """Tell whether values are dates, `datetime64` or cftime; nothing lazy is computed."""
    if np.issubdtype(variable.dtype, np.datetime64):
        return True
    if variable.dtype != object or variable.chunks is not None or variable.size == 0:
        return False
    return hasattr(variable.values.flat[0], "calendar")


def is_kind(name: Hashable, variable: xr.Variable, kind: str) -> bool:
    """Tell whether a variable is ``"latitude"`` or ``"longitude"``, whichever `kind` is."""
    return likeness(name, variable, kind) > 0


def likeness(name: Hashable, variable: xr.Variable, kind: str) -> int:
    """Return what tells that it is: 3 its standard name, 2 its units, 1 its name, 0 nothing."""
    standard_name, units = text(variable, "standard_name"), text(variable, "units").lower()
    if standard_name:
        return 3 * (standard_name.lower() == kind)
    if _COORDINATE_UNITS[kind].fullmatch(units):
        return 2
    named = matches(COORDINATE_NAMES[kind], name)
    return int(named and (not units or units.startswith("deg")))
