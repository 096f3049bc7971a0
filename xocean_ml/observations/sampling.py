"""Which coordinates belong to an observed variable: CF discrete-sampling geometries.

A coordinate belongs to a variable if its dimensions are dimensions of the variable, or can be
reached from them through the index of a ragged array (contiguous or indexed, nested or not). That
one rule serves points, trajectories, profiles, time series and grids alike.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np
import xarray as xr

from xocean_ml.errors import AmbiguousField, FieldNotFound, GridError
from xocean_ml.fields import cf_attrs
from xocean_ml.grid.vocabulary import likeness
from xocean_ml.seawater import depth_of_pressure
from xocean_ml.units import compatible, conversion

__all__ = [
    "KINDS",
    "coordinate",
    "depth_of",
    "error_of",
    "expand",
    "links_of",
    "observed",
]


KINDS = ("time", "latitude", "longitude", "depth")
_PRESSURE = "sea_water_pressure"
# Of all variables, not of a dimension's own as in a grid: `t` may be a temperature here, and
# pressure stands beside depth. So fewer names tell a time or a depth than tell an axis.
_AXES = {"time": "T", "depth": "Z"}
_NAMES = {
    "time": ("time", "juld", "valid_time", "date"),
    "depth": ("depth", "deptht", "lev", "z"),
    _PRESSURE: ("pres",),
}
Links = Mapping[Hashable, tuple[Hashable, np.ndarray]]
"""Instance dimension of a ragged array -> its sample dimension, and each sample's instance."""


def links_of(ds: xr.Dataset) -> dict[Hashable, tuple[Hashable, np.ndarray]]:
    """Read the index variables of ragged arrays (CF 9.3.3 and 9.3.4).

    Examples
    --------
    >>> ds = xr.Dataset({"row_size": ("profile", [2, 1], {"sample_dimension": "obs"}),
    ...                  "t": ("obs", [1.0, 2.0, 3.0])})
    >>> links_of(ds)
    {'profile': ('obs', array([0, 0, 1]))}
    """
    links: dict[Hashable, tuple[Hashable, np.ndarray]] = {}
    for name, var in ds.variables.items():
        if "instance_dimension" in var.attrs:
            instance, sample = var.attrs["instance_dimension"], var.dims[0]
            index = np.asarray(var.values)
        elif "sample_dimension" in var.attrs:
            instance, sample = var.dims[0], var.attrs["sample_dimension"]
            index = np.repeat(np.arange(var.size), np.nan_to_num(var.values).astype(int))
        else:
            continue
        size = ds.sizes.get(instance, 0)
        if index.size != ds.sizes.get(sample, 0) or not ((index >= 0) & (index < size)).all():
            raise GridError(
                f"ragged array: {name!r} places {index.size} samples in {size} instances of "
                f"{instance!r}, but {sample!r} has {ds.sizes.get(sample, 0)}; "
                "its counts must add up and its indices lie within (from 0)"
            )
        links[instance] = (sample, index.astype(int))
    return links


def expand(coord: xr.DataArray, dims: tuple[Hashable, ...], links: Links) -> xr.DataArray:
    """Bring a coordinate of the instances of a ragged array onto its samples."""
    while beyond := [dim for dim in coord.dims if dim not in dims]:
        if beyond[0] not in links:
            raise GridError(
                f"{coord.name!r} has dimension {beyond[0]!r}, which is none of {dims} and which "
                "no ragged-array index leads to"
            )
        sample, index = links[beyond[0]]
        coord = coord.isel({beyond[0]: xr.DataArray(index, dims=[sample])})
    return coord


def _reached(dims: tuple[Hashable, ...], links: Links) -> set[Hashable]:
    reached = set(dims)
    for _ in links:  # nested ragged arrays: each pass goes up one level
        reached |= {instance for instance, (sample, _) in links.items() if sample in reached}
    return reached


def _bare(ds: xr.Dataset, name: Hashable) -> xr.DataArray:
    """Return a variable without its coordinates (they would be indexed along with it)."""
    return xr.DataArray(ds.variables[name].to_base_variable(), name=name)


def _named(ds: xr.Dataset, name: str) -> xr.DataArray:
    if name not in ds.variables:
        raise FieldNotFound(
            f"no variable {name!r} in the Dataset; it has {sorted(map(str, ds.variables))}"
        )
    return _bare(ds, name)


def observed(ds: xr.Dataset, name: str | None, links: Links) -> xr.DataArray:
    """Return the variable of a name or standard name; without one, the only observed variable."""
    if name is not None:
        if name in ds.variables:
            return _bare(ds, name)
        found = [each for each in ds.data_vars if ds[each].attrs.get("standard_name") == name]
    else:
        found = [each for each in ds.data_vars if _is_observed(ds, each, links)]
    if len(found) == 1:
        return _bare(ds, found[0])
    looked = f"a variable of name or standard_name {name!r}" if name else "an observed variable"
    if found:
        raise AmbiguousField(f"several are {looked}: {found}; pass variable=<one of these names>")
    raise FieldNotFound(
        f"looked for {looked}, found none among {sorted(map(str, ds.data_vars))}; "
        "pass variable=<the name of a floating-point variable>"
    )


def _is_observed(ds: xr.Dataset, name: Hashable, links: Links) -> bool:
    """Whether a variable may be the observed one: numbers, and no role beside another's."""
    var = ds[name]
    helpers = {"flag_values", "flag_masks", "sample_dimension", "instance_dimension"}
    if var.dtype.kind != "f" or not var.ndim or helpers & set(var.attrs):
        return False
    if set(var.dims) & set(links):  # described per instance, not per sample
        return False
    if str(name).endswith("_ERROR") or " " in str(var.attrs.get("standard_name", "")):
        return False
    served = {
        each
        for other in ds.variables.values()
        for key in ("ancillary_variables", "bounds", "coordinates")
        for each in f"{other.attrs.get(key, '')} {other.encoding.get(key, '')}".split()
    }
    kinds = (*KINDS, _PRESSURE)
    return name not in served and not any(_likeness(name, var.variable, k) for k in kinds)


def _likeness(name: Hashable, var: xr.Variable, kind: str) -> int:
    """Return how well a variable fits a kind of coordinate: 3 by standard name ... 0 not at all."""
    if kind in ("latitude", "longitude"):
        return likeness(name, var, kind)
    standard = str(var.attrs.get("standard_name", "")).lower()
    if standard:
        return 3 * (standard == kind)
    if kind in _AXES and var.attrs.get("axis") == _AXES[kind]:
        return 2
    return int(str(name).lower() in _NAMES[kind])


def coordinate(ds: xr.Dataset, value: xr.DataArray, kind: str, links: Links) -> xr.DataArray | None:
    """Find the coordinate of a kind that belongs to `value`, or None.

    The best rule wins; then what the variable itself lists; then what varies along most of the
    variable's dimensions (`time_20hz` before `time`).
    """
    reached = _reached(value.dims, links)
    source = ds.variables[value.name]
    listed = f"{source.attrs.get('coordinates', '')} {source.encoding.get('coordinates', '')}"

    def rank(name: Hashable) -> tuple[int, bool, int]:
        var = ds.variables[name]
        return _likeness(name, var, kind), name in listed.split(), var.ndim

    names = [name for name, var in ds.variables.items() if set(var.dims) <= reached]
    ranks = {name: rank(name) for name in names if name != value.name and rank(name)[0]}
    if not ranks:
        return None
    best = [name for name in ranks if ranks[name] == max(ranks.values())]
    if len(best) > 1:
        raise AmbiguousField(
            f"several coordinates of {value.name!r} are {kind!r}: {best}; "
            "name one in its 'coordinates' attribute or, for the vertical one, as depth="
        )
    return _bare(ds, best[0])


def depth_of(
    ds: xr.Dataset,
    value: xr.DataArray,
    depth: float | str | None,
    latitude: xr.DataArray,
    links: Links,
) -> xr.DataArray:
    """Return the depth of `value` in metres, positive down: given, found, or from pressure."""
    if depth is not None and not isinstance(depth, str):
        return xr.DataArray(float(depth))
    if isinstance(depth, str):
        found: xr.DataArray | None = _named(ds, depth)
    else:
        found = coordinate(ds, value, "depth", links)
        if found is None:
            found = coordinate(ds, value, _PRESSURE, links)
    if found is None:
        return xr.DataArray(np.nan)
    units = str(found.attrs.get("units", "m"))
    if compatible(units, "dbar"):
        found, latitude = (expand(each, value.dims, links) for each in (found, latitude))
        return depth_of_pressure(found * conversion(units, "dbar").factor, latitude)
    metres = conversion(units, "m", variable=str(found.name)).factor
    upward = found.attrs.get("standard_name") in ("height", "altitude")
    up = found.attrs.get("positive", "up" if upward else "down") == "up"
    return found * (-metres if up else metres)


def error_of(
    ds: xr.Dataset, value: xr.DataArray, error: float | str | None, links: Links
) -> xr.DataArray | None:
    """Return the standard error of `value` in its units and on its samples, or None."""
    if error is not None and not isinstance(error, str):
        return xr.DataArray(float(error), name="error")
    found = _stated_error(ds, value) if error is None else _named(ds, error)
    if found is None:
        return None
    units = str(value.attrs.get("units", ""))
    own, factor = str(found.attrs.get("units", units)), 1.0
    if own != units:
        factor = conversion(own, units, "spread", variable=str(found.name)).factor
    # CF's standard_error_multiplier: the file holds so many standard errors, say two.
    factor /= float(found.attrs.get("standard_error_multiplier", 1.0))
    whole = expand(found * factor if factor != 1.0 else found, value.dims, links)
    for name in _divisors(ds, value, found):
        whole = (whole / expand(_bare(ds, name), value.dims, links)).rename(found.name)
    return whole


def _divisors(ds: xr.Dataset, value: xr.DataArray, error: xr.DataArray) -> list[str]:
    linked = cf_attrs.ancillary(ds, ds.variables[value.name])
    names = cf_attrs.divisors(ds, str(error.name), linked)
    if len(names) > 1:
        raise AmbiguousField(
            f"several are the standard_error_multiplier of {error.name!r}: {names}; keep one of "
            "them in ancillary_variables"
        )
    return names


def _stated_error(ds: xr.Dataset, value: xr.DataArray) -> xr.DataArray | None:
    """Find the ancillary standard error of a variable, or Argo's ``<variable>_ERROR``."""
    # Not `fields.find_error`: what is observed need not be a field of the table.
    for name in cf_attrs.ancillary(ds, ds.variables[value.name]):
        if cf_attrs.standard_name(ds.variables[name])[1] == "standard_error":
            return _bare(ds, name)
    name = f"{value.name}_ERROR"
    return _bare(ds, name) if name in ds.variables else None
