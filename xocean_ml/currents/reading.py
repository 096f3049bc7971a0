"""Finds currents, heights and wind in a Dataset, and gives them in SI units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import xarray as xr

from xocean_ml.currents.cells import checked, placed
from xocean_ml.errors import FieldNotFound, GridError, warn
from xocean_ml.fields import Found, find, find_all, look_for
from xocean_ml.fields.cf_attrs import height_of, vertical_dims
from xocean_ml.fields.search import row_of
from xocean_ml.grid import axes
from xocean_ml.spec import FieldSpec
from xocean_ml.units import compatible, units_of

__all__ = [
    "COMPONENTS",
    "Fields",
    "Height",
    "Vector",
    "currents",
    "depth_of",
    "height",
    "topography",
    "wind",
]

COMPONENTS = ("eastward", "northward")
Fields = Mapping[str, str] | None
WIND = ("eastward_wind", "northward_wind")
STRESS = ("eastward_wind_stress", "northward_wind_stress")
TOPOGRAPHY = "mean_dynamic_topography"


@dataclass(frozen=True)
class Vector:
    """Two components in SI units, and where they came from.

    Parameters
    ----------
    names : (str, str)
        Of the eastward and northward variable.
    parts : (DataArray, DataArray)
        m s-1 (a stress: Pa), lazy where they were.
    key : str
        What the eastward one was found as.
    """

    names: tuple[str, str]
    parts: tuple[xr.DataArray, xr.DataArray]
    key: str


@dataclass(frozen=True)
class Height:
    """Height of the sea surface in m: above the geoid if `total`, else of its mean."""

    array: xr.DataArray
    names: tuple[str, ...]
    total: bool


def currents(ds: xr.Dataset, fields: Fields) -> Vector:
    """The total current, of one level."""
    found = _two(ds, ("eastward_sea_water_velocity", "northward_sea_water_velocity"), fields)
    vector = _vector(ds, found, "m s-1")
    for name, part in zip(vector.names, vector.parts, strict=True):
        deep = vertical_dims(ds, ds.variables[name])
        if deep:
            raise GridError(
                f"{name} has {part.sizes[deep[0]]} levels along {deep[0]}: only the current near "
                f"the surface has these parts. Take one level: ds.isel({deep[0]}=0)"
            )
    one, other = vector.parts
    if set(one.dims) != set(other.dims):
        raise GridError(
            f"{one.name} lies on ({', '.join(map(str, one.dims))}), {other.name} on "
            f"({', '.join(map(str, other.dims))}). Bring both to the same cells first"
        )
    return vector


def depth_of(ds: xr.Dataset, name: str) -> float | None:
    """Depth, m, that a scalar coordinate tells of a variable."""
    found = height_of(_apart(ds, "height", "up"), ds.variables[name])
    return None if found is None else abs(found)


def _apart(ds: xr.Dataset, what: str, positive: str) -> xr.Dataset:
    """Without scalar heights, or depths: in a Dataset those of the wind are the current's too."""
    gone = [
        name
        for name, coordinate in ds.coords.items()
        if not coordinate.dims
        and (
            coordinate.attrs.get("standard_name") == what
            or coordinate.attrs.get("positive") == positive
            or str(name).lower().startswith(what)
        )
    ]
    return ds.drop_vars(gone)


def height(ds: xr.Dataset, fields: Fields) -> Height:
    """Height above the geoid; or an anomaly, with the mean topography where there is one.

    Raises
    ------
    FieldNotFound
        Neither is there.

    Warns
    -----
    UserWarning
        There is only an anomaly.
    """
    known = _of_table(fields)
    total = _perhaps(ds, "sea_surface_height_above_geoid", known)
    if total is not None:
        return Height(_converted(ds, total, "m"), (total.variable,), True)
    anomaly = _perhaps(ds, "sea_level_anomaly", known)
    if anomaly is None:
        raise FieldNotFound(
            "no height of the sea surface, which the geostrophic current needs: neither "
            "sea_surface_height_above_geoid nor sea_level_anomaly was found among "
            f"{', '.join(map(str, ds.data_vars))}. Name it: "
            "fields={'sea_surface_height_above_geoid': NAME}"
        )
    array, mean = _converted(ds, anomaly, "m"), topography(ds, fields or {})
    if mean is None:
        warn(
            f"{anomaly.variable!r} is an anomaly and no mean dynamic topography was found: the "
            "geostrophic current is an anomaly too, and the mean one stays in the rest. Add it as "
            f"a variable 'mdt', or name it: fields={{{TOPOGRAPHY!r}: NAME}}"
        )
        return Height(array, (anomaly.variable,), False)
    whole = array + placed(mean, array)
    return Height(whole.rename(array.name), (anomaly.variable, str(mean.name)), True)


def topography(ds: xr.Dataset, fields: Mapping[str, str]) -> xr.DataArray | None:
    """The mean dynamic topography, m; no standard name is its own."""
    if TOPOGRAPHY in fields and fields[TOPOGRAPHY] not in ds.variables:
        raise FieldNotFound(
            f"{TOPOGRAPHY}: fields= names the variable {fields[TOPOGRAPHY]!r}, which the Dataset "
            "has not"
        )
    told = [fields[TOPOGRAPHY]] if TOPOGRAPHY in fields else [*map(str, ds.data_vars)]
    for name in told:
        title = str(ds[name].attrs.get("long_name", "")).lower().replace("_", " ")
        meant = TOPOGRAPHY in fields or name == "mdt" or title == "mean dynamic topography"
        unit = units_of(ds[name]) or "1"
        if meant and compatible(unit, "m"):
            found = Found("sea_level_anomaly", name, "fields=", "difference", unit)
            mean = _converted(ds, found, "m")
            single = axes(mean).get("T")
            return mean.isel({single: 0}) if single and mean.sizes[single] == 1 else mean
    return None


def wind(ds: xr.Dataset, fields: Fields) -> Vector | None:
    """The wind's stress, in Pa; else the wind at 10 m, in m s-1; None where there is neither."""
    ds = _apart(ds, "depth", "down")
    told = {key for key in fields or {} if "wind" in key or "stress" in key}
    if told.isdisjoint(WIND):
        try:
            return _vector(ds, _two(ds, STRESS, fields), "Pa")
        except FieldNotFound:
            if told:
                raise
    plain = {key: name for key in WIND if (name := _without_height(ds, key))}
    try:
        return _vector(ds, _two(ds, WIND, plain | dict(fields or {})), "m s-1")
    except FieldNotFound:
        if told:
            raise
        return None


def _without_height(ds: xr.Dataset, key: str) -> str | None:
    """The one wind of a standard name that is told no height, and has no levels."""
    names = [
        str(name)
        for name, array in ds.data_vars.items()
        if array.attrs.get("standard_name") == key
        and height_of(ds, array.variable) is None
        and not vertical_dims(ds, array.variable)
    ]
    return names[0] if len(names) == 1 else None


def _of_table(fields: Fields) -> dict[str, str]:
    """What the user says, without what no table knows."""
    return {key: name for key, name in (fields or {}).items() if key != TOPOGRAPHY}


def _two(ds: xr.Dataset, keys: tuple[str, str], fields: Fields) -> tuple[Found, Found]:
    units = "Pa" if keys[0].endswith("stress") else "m s-1"
    found = find_all(ds, [FieldSpec(key, "state", units) for key in keys], _of_table(fields))
    return found[keys[0]], found[keys[1]]


def _vector(ds: xr.Dataset, found: tuple[Found, Found], units: str) -> Vector:
    east, north = (_converted(ds, each, units) for each in found)
    return Vector((found[0].variable, found[1].variable), (east, north), found[0].key)


def _perhaps(ds: xr.Dataset, key: str, fields: Mapping[str, str]) -> Found | None:
    told = {key, *row_of(key).all_names} & set(fields)
    return find(ds, key, fields=fields) if told else look_for(ds, key, fields=fields)


def _converted(ds: xr.Dataset, found: Found, units: str) -> xr.DataArray:
    array = ds[found.variable]
    data = found.conversion(units)(array.data)
    return checked(array.copy(data=data))
