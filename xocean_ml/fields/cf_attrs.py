"""What the attributes of one variable say: its name, statistics, level, role. No data is read.

The only values looked at are those of scalar heights and depths, which are never dask arrays.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping

import xarray as xr

from xocean_ml.errors import UnitsError
from xocean_ml.fields.row import Row
from xocean_ml.fields.rows import ENSEMBLE_DIMS
from xocean_ml.spec import Role
from xocean_ml.units import conversion, units_of

__all__ = [
    "ancillary",
    "bearing",
    "divisors",
    "has_sea_mask",
    "height_of",
    "is_numeric",
    "is_statistic",
    "long_name",
    "role_told",
    "spread_role",
    "standard_name",
    "vertical_dims",
]

_ABSENT = {"", "unknown", "undef", "undefined", "none"}
_NO_STATE = {"standard_deviation", "variance", "range", "root_mean_square", "sum_of_squares"}
_EXTREMES = {"maximum", "minimum"}
_VERTICAL_NAMES = {
    *("depth", "deptht", "depthu", "depthv", "depthw", "lev", "level", "levels", "olevel", "z"),
    *("z_l", "z_t", "st_ocean", "s_rho", "s_w", "nz", "nav_lev", "n_levels", "plev", "pressure"),
    *("isobaricinhpa", "height", "altitude", "pres", "sigma", "heightaboveground"),
}
_VERTICAL_STANDARD = {"depth", "height", "altitude", "air_pressure", "model_level_number"}
_MASKS = {"land_binary_mask", "sea_binary_mask", "land_area_fraction", "sea_area_fraction"}


def standard_name(variable: xr.Variable) -> tuple[str | None, str | None]:
    """Standard name and modifier; None for one that is absent, empty, unknown or undef."""
    words = str(variable.attrs.get("standard_name", "")).split()
    if not words or words[0].lower() in _ABSENT:
        return None, None
    return words[0], " ".join(words[1:]) or None


def long_name(variable: xr.Variable) -> str:
    """The long name in lower case, words parted by single blanks."""
    return " ".join(re.split(r"[\s_]+", str(variable.attrs.get("long_name", "")).strip().lower()))


def is_numeric(variable: xr.Variable) -> bool:
    """Whether it holds numbers: no text, no times."""
    return variable.dtype.kind in "fiu"


def _cell_methods(variable: xr.Variable) -> list[tuple[set[str], str]]:
    """The (dimensions, method) pairs of ``cell_methods``, comments left out."""
    text = re.sub(r"\([^)]*\)", " ", str(variable.attrs.get("cell_methods", "")))
    pairs = re.findall(r"((?:[\w.]+:\s*)+)([A-Za-z_]\w*)", text)
    return [({name.strip() for name in names.split(":")[:-1]}, method) for names, method in pairs]


def is_statistic(variable: xr.Variable) -> bool:
    """Whether it is a spread or an extreme of the field rather than the field."""
    return any(
        method in _NO_STATE or (method in _EXTREMES and "time" in dims)
        for dims, method in _cell_methods(variable)
    )


def spread_role(variable: xr.Variable) -> Role | None:
    """``spread`` or ``variance`` for a statistic over the members of an ensemble."""
    roles: dict[str, Role] = {"standard_deviation": "spread", "variance": "variance"}
    for dims, method in _cell_methods(variable):
        if method in roles and dims & set(ENSEMBLE_DIMS):
            return roles[method]
    return None


def role_told(variable: xr.Variable, row: Row) -> Role | None:
    """``difference`` or ``state`` where the metadata says so."""
    told = str(variable.attrs.get("units_metadata", "")).removeprefix("temperature:").strip()
    if told:
        return {"difference": "difference", "on_scale": "state"}.get(told)  # type: ignore[return-value]
    names_anomalies = any("anomaly" in name for name in (row.key, *row.names))
    words = long_name(variable).split()
    if not names_anomalies and not {"anomaly", "anomalies"}.isdisjoint(words):
        return "difference"
    return None


def ancillary(ds: xr.Dataset, variable: xr.Variable) -> list[str]:
    """Variables of the Dataset that ``ancillary_variables`` links."""
    names = str(variable.attrs.get("ancillary_variables", "")).split()
    return [name for name in names if name in ds.variables]


def divisors(ds: xr.Dataset, error: str, linked: list[str]) -> list[str]:
    """Variables that divide a standard error: linked by it, or by the field beside it."""
    names = dict.fromkeys([*ancillary(ds, ds.variables[error]), *linked])
    return [n for n in names if standard_name(ds.variables[n])[0] == "standard_error_multiplier"]


def _is_vertical(name: Hashable, coordinate: xr.Variable | None) -> bool:
    attrs = {} if coordinate is None else coordinate.attrs
    standard = str(attrs.get("standard_name", ""))
    return (
        str(attrs.get("axis", "")).upper() == "Z"
        or "positive" in attrs
        or standard in _VERTICAL_STANDARD
        or standard.startswith(("ocean_s", "ocean_z", "ocean_sigma"))
        or str(name).lower() in _VERTICAL_NAMES
    )


def vertical_dims(ds: xr.Dataset, variable: xr.Variable) -> list[Hashable]:
    """Vertical dimensions of a variable, those of size one left out."""
    return [
        dim
        for dim, size in variable.sizes.items()
        if size > 1 and _is_vertical(dim, ds.variables.get(dim))
    ]


def height_of(ds: xr.Dataset, variable: xr.Variable) -> float | None:
    """Scalar height above ground, or depth, in metres; None where there is none (or it is dask)."""
    said = variable.encoding.get("coordinates") or variable.attrs.get("coordinates")
    for name, coordinate in ds.coords.items():
        scalar = coordinate.size == 1 and set(coordinate.dims) <= set(variable.dims)
        if not scalar or not _is_vertical(name, coordinate.variable) or coordinate.chunks:
            continue
        if said and not coordinate.dims and str(name) not in str(said).split():
            continue
        if not is_numeric(coordinate.variable):
            continue
        try:
            to_metres = conversion(units_of(coordinate) or "m", "m")
        except UnitsError:
            continue  # a pressure, or a level number
        value = getattr(coordinate.data, "magnitude", coordinate.data)
        return float(to_metres(value.reshape(())))
    return None


def has_sea_mask(ds: xr.Dataset, name: str, variable: xr.Variable) -> bool:
    """Whether a surface temperature can be told to be the sea's."""
    where = re.search(r"where \w*sea\b", str(variable.attrs.get("cell_methods", "")))
    masks = {standard_name(each)[0] for each in ds.variables.values()}
    return bool(where) or name.endswith("_where_open_sea") or bool(masks & _MASKS)


def bearing(row: Row, variables: Mapping[str, xr.Variable], accepted: tuple[str, ...]) -> list[str]:
    """Variables that bear one of the accepted standard names, and do not misuse it."""
    misused = dict(row.misused)
    named = {name: standard_name(variable)[0] for name, variable in variables.items()}
    return [n for n, s in named.items() if s in accepted and n not in misused.get(str(s), ())]
