"""Reads fine fields and their guides to train on: found, aligned, in the same units, as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml import fields as cf
from xocean_ml import grid, units
from xocean_ml.downscaling import guides as beside
from xocean_ml.downscaling.target import spacing
from xocean_ml.errors import GridError, ValuesError
from xocean_ml.fields.search import row_of
from xocean_ml.grid import Side, sides_of
from xocean_ml.units import Conversion

__all__ = ["GUIDES", "KNOWN", "Read", "Wanted", "datasets", "maps", "read", "wanted"]

KNOWN = ("sea_level_anomaly", "sea_surface_height_above_geoid", "sea_surface_temperature")
"""Fields that are taken where none is named: the first that is there."""

GUIDES = ("sea_surface_temperature", "sea_surface_salinity")
"""Guides that are taken where none is named: the first that is there."""

SLACK = 1e-2
"""Cells by which centres of a guide may be off: rounding of coordinates."""

Spec = Mapping[str, Any]
"""``key``, ``role`` and ``units`` of a field."""


@dataclass(frozen=True)
class Wanted:
    """What is to be read from every Dataset.

    Parameters
    ----------
    fields, guides : tuple of mapping
        ``key``, ``role`` and ``units`` of each: all Datasets are brought to the same.
    beside : Dataset or None
        Where the guides are; None where they are among the fields.
    named : mapping
        Variables by key, as the user says.
    """

    fields: tuple[Spec, ...]
    guides: tuple[Spec, ...]
    beside: xr.Dataset | None
    named: Mapping[str, str]


@dataclass(frozen=True)
class Read:
    """Fine fields of one Dataset.

    Parameters
    ----------
    fields, guides : array of float32, (maps, channels, rows, columns)
        Rows and columns ascend. A map is one time, and one of whatever else there is (members).
    times : array of int, (maps,)
        Number of each map's time, in the order of times.
    spacing : (float, float)
        Of rows and columns, in km.
    """

    fields: np.ndarray
    guides: np.ndarray | None
    times: np.ndarray
    spacing: tuple[float, float]


def datasets(given: Any, what: str) -> list[xr.Dataset]:
    """One Dataset or several, as a list.

    Raises
    ------
    TypeError, ValueError
        Anything else; none.
    """
    if isinstance(given, xr.Dataset):
        return [given]
    hint = "; use .to_dataset()" if isinstance(given, xr.DataArray) else ""
    if not isinstance(given, Iterable) or isinstance(given, (str, xr.DataArray)):
        raise TypeError(f"{what} is a Dataset or several, not {type(given).__name__}{hint}")
    several = list(given)
    if not several:
        raise ValueError(f"{what} is empty: give at least one Dataset")
    for each in several:
        if not isinstance(each, xr.Dataset):
            hint = "; use .to_dataset()" if isinstance(each, xr.DataArray) else ""
            raise TypeError(f"{what} holds a {type(each).__name__}, not Datasets alone{hint}")
    return several


# ---- what is wanted --------------------------------------------------------------------------


def wanted(ds: xr.Dataset, guide: Any, fields: Any, first: Mapping[str, Any] | None) -> Wanted:
    """Decide what is read: a model's fields, those that are named, or the first that is known.

    Parameters
    ----------
    ds : Dataset
        The first of fine fields: its units are those of all.
    guide, fields
        As `xocean_ml.downscaling.fit.fit` takes them.
    first : mapping, optional
        Configuration of the model to begin with.

    Raises
    ------
    TypeError
        Guides or fields that the model does not have, or lacks; arguments of another type.
    FieldNotFound, AmbiguousField, UnitsError
        As `xocean_ml.fields.find`.
    """
    named = {str(k): str(v) for k, v in fields.items()} if isinstance(fields, Mapping) else {}
    plain, _ = units.dequantify(ds)
    other = units.dequantify(guide)[0] if isinstance(guide, xr.Dataset) else None
    guides = None if guide is None or other is not None else _keys(guide, "guide")
    keys = None if fields is None else _keys(fields, "fields")
    if first is not None:
        _agree(first, guide is not None, guides, keys, bool(named))
        return Wanted(tuple(first["fields"]), tuple(first["guides"]), other, named)
    if guide is None:
        guides = []
    elif guides is None:
        assert other is not None
        guides = [_first_there(other, GUIDES, named)]
    if keys is not None and named:
        # A mapping tells the names of guides too.
        keys = [key for key in keys if key not in guides] or (None if other is None else keys)
    if keys is None:
        keys = [_first_there(plain, [key for key in KNOWN if key not in guides], named)]
    source = plain if other is None else other
    return Wanted(
        tuple(_spec(plain, key, named) for key in keys),
        tuple(_spec(source, key, named) for key in guides),
        other,
        named,
    )


def _keys(given: Any, what: str) -> list[str]:
    """Keys of the table, from one or several keys or standard names."""
    hint = "; use .to_dataset()" if isinstance(given, xr.DataArray) else ""
    several = [given] if isinstance(given, str) else given
    if hint or not isinstance(several, Iterable):
        told = "a Dataset, or names of fields" if what == "guide" else "a mapping, or keys"
        raise TypeError(f"{what}= is {told}, not {type(given).__name__}{hint}")
    keys = list(several)
    wrong = [each for each in keys if not isinstance(each, str)]
    if wrong or not keys:
        told = f"{wrong[0]!r}" if wrong else "nothing"
        raise TypeError(
            f"{what}= names {told}; keys of fields are needed: {what}=['sea_surface_temperature']"
        )
    return [row_of(key).key for key in keys]


def _agree(
    first: Mapping[str, Any],
    guided: bool,
    guides: Sequence[str] | None,
    keys: Sequence[str] | None,
    mapped: bool,
) -> None:
    """Refuse guides or fields that are not those of the model to begin with."""
    own_fields, own_guides = (
        [each["key"] for each in first[part]] for part in ("fields", "guides")
    )
    told = ", ".join(own_guides)
    if guided and not own_guides:
        raise TypeError("init= is not guided: leave out guide=, or begin with a guided model")
    if own_guides and not guided:
        raise TypeError(f"init= is guided by {told}: give guide=, a Dataset with it, or its name")
    if guides is not None and {*guides} != {*own_guides}:
        raise TypeError(f"init= is guided by {told}, not by {', '.join(guides)}")
    if keys is None:
        return
    own = {*own_fields, *own_guides} if mapped else {*own_fields}
    if not set(keys) <= own or not (mapped or set(keys) == own):
        raise TypeError(
            f"init= makes {', '.join(own_fields)} finer, not {', '.join(keys)}: leave out fields=, "
            "or name in it the variables of the model's fields"
        )


def _first_there(ds: xr.Dataset, known: Sequence[str], named: Mapping[str, str]) -> str:
    for key in known:
        if found := cf.look_for(ds, key, fields=named):
            return found.key
    # says what was looked for, and what is there
    return cf.find(ds, known[0], fields=named).key


def _spec(ds: xr.Dataset, key: str, named: Mapping[str, str]) -> Spec:
    found = cf.find(ds, key, fields=named)
    return {"key": found.key, "role": found.role, "units": found.units or "1"}


# ---- arrays ----------------------------------------------------------------------------------


def read(ds: xr.Dataset, what: Wanted) -> Read:
    """Read one Dataset.

    Raises
    ------
    FieldNotFound, UnitsError
        A field that is not there, or in units that do not convert.
    GridError
        Fields that do not lie on the same dimensions; guides of other times or another grid.
    ValuesError
        Nothing but missing values; infinite ones.
    """
    plain, _ = units.dequantify(ds)
    found = [_found(plain, spec, what.named) for spec in what.fields]
    array = plain[found[0].variable]
    sides = sides_of(plain[[found[0].variable]])
    time = grid.axes(array).get("T")
    rest = [d for d in array.dims if d not in {sides[0].dim, sides[1].dim, time}]
    leading = ([time] if time is not None else []) + rest
    missing = {side.dim for side in sides} - set(array.dims)
    if missing:
        raise GridError(f"{array.name} has no dimension {', '.join(sorted(missing))}")
    arrays = [
        maps(_field(plain[f.variable], array), sides, leading, f.conversion(spec["units"]))
        for f, spec in zip(found, what.fields, strict=True)
    ]
    guides = [_guide(plain, spec, what, array, (sides, leading)) for spec in what.guides]
    many = array.sizes[time] if time is not None else 1
    number = np.arange(many)
    if time in array.indexes:
        number = np.unique(array.indexes[time], return_inverse=True)[1]
    return Read(
        np.stack(arrays, axis=1),
        np.stack(guides, axis=1) if guides else None,
        np.repeat(number, len(arrays[0]) // many),
        spacing(sides),
    )


def _found(ds: xr.Dataset, spec: Spec, named: Mapping[str, str]) -> cf.Found:
    return cf.find(ds, spec["key"], role=spec["role"], fields=named)


def _field(each: xr.DataArray, first: xr.DataArray) -> xr.DataArray:
    if set(each.dims) != set(first.dims):
        raise GridError(
            f"{each.name} {each.dims} and {first.name} {first.dims} do not have the same "
            "dimensions: fields to learn from must share times and grid"
        )
    return each


def maps(
    array: xr.DataArray,
    sides: tuple[Side, Side],
    leading: Sequence[Any],
    change: Conversion | None = None,
) -> np.ndarray:
    """Read a field as maps, ascending, in float32.

    Parameters
    ----------
    array : DataArray
    sides : (Side, Side)
        Of its grid.
    leading : sequence of dimension
        All others, in the order of the maps.
    change : Conversion, optional
        Of units.

    Returns
    -------
    array of float32, (maps, rows, columns)

    Raises
    ------
    ValuesError
        Infinite values; none at all.
    """
    values = np.asarray(beside.ordered(array, sides, leading).values)
    if change is not None and not change.identity:
        values = change(values.astype(np.float64))
    values = values.astype(np.float32).reshape(-1, *values.shape[-2:])
    infinite = int(np.isinf(values).sum())
    if infinite:
        raise ValuesError(
            f"{array.name}: {infinite} values are infinite. Mask them: "
            f"ds[{array.name!r}].where(np.isfinite(ds[{array.name!r}]))"
        )
    if np.isnan(values).all():
        raise ValuesError(f"{array.name}: every value is missing, all land")
    return values


def _guide(
    plain: xr.Dataset,
    spec: Spec,
    what: Wanted,
    first: xr.DataArray,
    layout: tuple[tuple[Side, Side], Sequence[Any]],
) -> np.ndarray:
    """A guide at the fields' times, on their grid."""
    source = plain if what.beside is None else what.beside
    found = _found(source, spec, what.named)
    (sides, leading), array = layout, source[found.variable]
    array = beside.timed(array, beside.times_of(first))
    own = sides_of(array, f"guide {array.name}")
    for one, other in zip(own, sides, strict=True):
        _same(one, other, array, first)
    horizontal = {own[0].dim, own[1].dim}
    # What is told once, holds for all.
    single = {d: 0 for d in array.dims if array.sizes[d] == 1 and first.sizes.get(d) != 1}
    array = array.isel({d: n for d, n in single.items() if d not in horizontal})
    unknown = [str(d) for d in array.dims if d not in {*horizontal, *leading}]
    if unknown:
        raise GridError(
            f"guide {array.name} has dimensions that {first.name} lacks: {', '.join(unknown)}. "
            f"Select or average: guide.isel({unknown[0]}=0)"
        )
    for dim in leading:
        if dim in array.dims:
            beside.alike(array, first, dim)
    lacking = {d: first.sizes[d] for d in leading if d not in array.dims}
    array = array.reset_coords(drop=True).expand_dims(lacking)
    return maps(array, own, leading, found.conversion(spec["units"]))


def _same(guide: Side, field: Side, array: xr.DataArray, first: xr.DataArray) -> None:
    """Refuse a guide on another grid than the fields'."""
    centres = guide.centres
    if guide.kind == "X":
        centres = centres + 360 * np.round((field.centres.mean() - centres.mean()) / 360)
    step = float(np.median(np.diff(field.centres)))
    if len(guide) == len(field) and np.abs(centres - field.centres).max() < SLACK * step:
        return
    raise GridError(
        f"guide {array.name}: its {guide.coordinate.name} ({_told(guide)}) is not that of "
        f"{first.name} ({_told(field)}); fields and guides to learn from must share the grid. "
        f"Bring it there: guide.interp({guide.dim}=...)"
    )


def _told(side: Side) -> str:
    return f"{len(side)} from {side.centres[0]:.6g} to {side.centres[-1]:.6g}"
