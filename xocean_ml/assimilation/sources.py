"""Observed fields: which there are, in what geometry, and how the state is seen by them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml import fields as cf
from xocean_ml import grid, observations, units
from xocean_ml.assimilation.blocks import Gridded
from xocean_ml.assimilation.checks import positive
from xocean_ml.assimilation.rows import Rows, bilinear, own
from xocean_ml.assimilation.state import State
from xocean_ml.errors import FieldNotFound, GridError, UnitsError, ValuesError, warn
from xocean_ml.fields.search import row_of
from xocean_ml.grid import Side, sides_of
from xocean_ml.kernels.lattice import positions

__all__ = ["OnGrid", "OnPoints", "errors_by_key", "found_in", "grid_match", "named_in"]

SAME = 1e-2
"""Cells by which centres of the model's own grid may be off: rounding of coordinates."""

FINER = 0.8
"""Of the model's cells from which down others are averaged over them, not interpolated."""


Match = Callable[[State, int, tuple[Side, Side], xr.DataArray], tuple[Rows, np.ndarray, str]]
"""From the state, the number of a field, and the grid of a variable, to its observations."""


@dataclass(frozen=True, eq=False)
class OnGrid:
    """A gridded field.

    Parameters
    ----------
    found : Found
    array : DataArray
        (time, ..., rows, columns), in stored order; without time if it has none.
    error : DataArray or None
        Standard errors alike.
    gridded : Gridded
    sides : (Side, Side)
    how : str
        ``"own"``, ``"mean"`` or ``"linear"``.
    order : tuple of str
        Dimensions of the variable as it was given.
    bounds : DataArray or None
        Of its times.
    """

    found: cf.Found
    array: xr.DataArray
    error: xr.DataArray | None
    gridded: Gridded
    sides: tuple[Side, Side]
    how: str
    order: tuple[str, ...]
    bounds: xr.DataArray | None

    @property
    def arrays(self) -> list[xr.DataArray]:
        """Values, and their standard errors if each has its own."""
        return [self.array] if self.error is None else [self.array, self.error]

    @property
    def is_lazy(self) -> bool:
        """Whether any of them is a dask array."""
        return any(each.chunks is not None for each in self.arrays)


@dataclass(frozen=True, eq=False)
class OnPoints:
    """Observations at points, in the model's units.

    Parameters
    ----------
    found : Found
    rows : Rows
    values, error : array, (m,)
    time : DataArray, (m,)
        Dates.
    nowhere : int
        Values of no known time or place, which are left out.
    """

    found: cf.Found
    rows: Rows
    values: np.ndarray
    error: np.ndarray
    time: xr.DataArray
    nowhere: int = 0


def found_in(
    ds: xr.Dataset,
    model: Any,
    fields: Mapping[str, str] | None,
    error: Mapping[str, Any],
    match: Match | None = None,
) -> list[OnGrid | OnPoints]:
    """What of a model's fields is observed in a Dataset.

    Parameters
    ----------
    ds : Dataset
        Plain.
    model : Assimilator
    fields : mapping, optional
        Variables by key, as the user says.
    error : mapping
        Standard errors by key of the field.
    match : callable, optional
        How the cells of a gridded field see the state; by default `grid_match`, with a warning
        where the grid is another.
    """
    made: list[OnGrid | OnPoints] = []
    for number, told in enumerate(model.config["fields"]):
        found = cf.look_for(ds, told["key"], role=told["role"], fields=named_in(ds, fields))
        if found is None:
            continue
        array = ds[found.variable]
        change = found.conversion(told["units"])
        scale = float(change.factor), float(change.offset)
        given = error.get(told["key"])
        if _is_gridded(array):
            made.append(_on_grid(ds, found, model.state, number, scale, given, match or _told))
        else:
            made.append(_on_points(ds, found, model.state, number, scale, given))
    return made


def named_in(ds: xr.Dataset, fields: Mapping[str, str] | None) -> dict[str, str]:
    """What the user says of this Dataset's variables; others are in other Datasets."""
    return {k: v for k, v in (fields or {}).items() if v in ds.variables}


def _is_gridded(array: xr.DataArray) -> bool:
    """Whether it lies on rows and columns; cells of a curved grid, or of one row, are points."""
    one = array.to_dataset(name=str(array.name))
    try:
        lat, lon = grid.latitude(one), grid.longitude(one)
    except GridError:
        return False
    return (
        lat.ndim == lon.ndim == 1
        and lat.dims != lon.dims
        and min(lat.size, lon.size) > 1
        and {*lat.dims, *lon.dims} <= {*array.dims}
    )


# ---- on a grid -------------------------------------------------------------------------------


def _on_grid(
    ds: xr.Dataset,
    found: cf.Found,
    state: State,
    number: int,
    scale: tuple[float, float],
    given: Any,
    match: Match,
) -> OnGrid:
    array = ds[found.variable]
    sides = sides_of(array.to_dataset(name=found.variable), str(array.name))
    rows, cells, how = match(state, number, sides, array)
    if not len(rows) and not _near(state, sides):
        raise GridError(
            f"{array.name}: none of its cells lies in the model's domain ({_span(state)})"
        )
    ordered = _ordered(array, sides)
    error, constant = _error_of(ds, found, given)
    if error is not None:
        if extra := {*error.dims} - {*array.dims}:
            raise GridError(f"{array.name}: its standard errors have {extra}, which it has not")
        error = _ordered(error.broadcast_like(array), sides).transpose(*ordered.dims)
    gridded = Gridded(
        str(array.name),
        rows,
        cells,
        scale[0],
        scale[1],
        None if error is not None else constant * abs(scale[0]),
    )
    order, bounds = tuple(map(str, array.dims)), _time_bounds(ds, array)
    return OnGrid(found, ordered, error, gridded, sides, how, order, bounds)


def _near(state: State, sides: tuple[Side, Side]) -> bool:
    """Whether a grid's cells and the state's lie over each other at all."""
    lat, lon = (np.array([side.edges[0], side.edges[-1]]) for side in sides)
    across = positions(lat, state.latitude)
    along = np.sort(state.columns_of(lon))
    rows, columns = state.shape
    inside = across[1] > -0.5 and across[0] < rows - 0.5
    return bool(inside and (state.wraps or (along[1] > -0.5 and along[0] < columns - 0.5)))


def _told(
    state: State, field: int, sides: tuple[Side, Side], array: xr.DataArray
) -> tuple[Rows, np.ndarray, str]:
    rows, cells, how = grid_match(state, field, sides)
    if len(rows) and how != "own":
        told = "averaged over its cells" if how == "mean" else "taken as points between its cells"
        warn(f"{array.name}: its grid is not the model's; values are {told}")
    return rows, cells, how


def _time_bounds(ds: xr.Dataset, array: xr.DataArray) -> xr.DataArray | None:
    time = array.coords.get(grid.axes(array).get("T"))
    if time is None:
        return None
    name = time.attrs.get("bounds") or time.encoding.get("bounds")
    return ds[name] if name in ds.variables else None


def _ordered(array: xr.DataArray, sides: tuple[Side, Side]) -> xr.DataArray:
    """Time first, rows and columns last, stored as they are."""
    time = grid.axes(array).get("T")
    across = [side.dim for side in sides]
    leading = ([time] if time in array.dims else []) + [
        d for d in array.dims if d not in {time, *across}
    ]
    return array.transpose(*leading, *across)


def grid_match(state: State, field: int, sides: tuple[Side, Side]) -> tuple[Rows, np.ndarray, str]:
    """How cells of another grid see the state.

    Returns
    -------
    Rows
        Observations that may be.
    array of int, (stored cells,)
        Which one each stored cell adds to; -1 for none.
    str
        ``"own"``: cells are the model's; ``"mean"``: finer, averaged over the model's;
        ``"linear"``: coarser, taken as points at their centres.
    """
    lat, lon = (side.centres[::-1] if side.flipped else side.centres for side in sides)
    places = positions(lat, state.latitude), state.columns_of(lon)
    nearest = [np.rint(each) for each in places]
    off = max(float(np.abs(p - n).max()) for p, n in zip(places, nearest, strict=True))
    step = [float(np.median(np.diff(each))) for each in (state.latitude, state.longitude)]
    finer = all(
        np.median(np.abs(np.diff(side.centres))) <= FINER * each
        for side, each in zip(sides, step, strict=True)
    )
    if off > SAME and not finer:
        mesh = np.meshgrid(lat, lon, indexing="ij")
        rows, seen = bilinear(state, field, mesh[0].ravel(), mesh[1].ravel())
        cells = np.full(mesh[0].size, -1)
        cells[seen] = np.arange(int(seen.sum()))
        return rows, cells, "linear"
    counts = state.shape
    row, column = nearest[0].astype(int), nearest[1].astype(int)
    if state.wraps:
        column %= counts[1]
    ok = ((row >= 0) & (row < counts[0]))[:, None] & ((column >= 0) & (column < counts[1]))
    index = state.index[
        field, np.clip(row, 0, counts[0] - 1)[:, None], np.clip(column, 0, counts[1] - 1)
    ]
    part = state.parts[field]
    cells = np.where(ok & (index >= 0), index - part.start, -1).ravel()
    # only cells that can be seen at all are observations
    used, inverse = np.unique(cells[cells >= 0], return_inverse=True)
    made = own(state, field).some(used)
    packed = np.full(cells.shape, -1)
    packed[cells >= 0] = inverse
    return made, packed, "own" if off <= SAME else "mean"


def _span(state: State) -> str:
    lat, lon = state.latitude, state.longitude
    return f"{lat[0]:.4g} to {lat[-1]:.4g} N, {lon[0]:.4g} to {lon[-1]:.4g} E"


# ---- at points -------------------------------------------------------------------------------


def _on_points(
    ds: xr.Dataset,
    found: cf.Found,
    state: State,
    number: int,
    scale: tuple[float, float],
    given: Any,
) -> OnPoints:
    array, constant = _error_of(ds, found, given)
    name = f"error of {found.variable}"
    source = ds if array is None else ds.assign({name: array})
    error: Any = name if array is not None else constant or None
    table = observations.from_grid(source, found.variable, error=error)
    nowhere = int(table.attrs["dropped_without_position"])
    told = np.isfinite(table["error"].values)
    if told.any():
        # as on a grid: where there are errors, what has none is masked
        table = table.isel(obs=np.flatnonzero(told))
    values = table["value"].values * scale[0] + scale[1]
    errors = np.nan_to_num(table["error"].values * abs(scale[0]))
    if told.any():
        positive(errors, found.variable)
    rows, seen = bilinear(
        state,
        number,
        table["latitude"].values.astype(float),
        table["longitude"].values.astype(float),
    )
    lost = int((~seen).sum())
    if lost and lost == len(values):
        raise GridError(
            f"{found.variable}: all {lost} observations lie outside the model's domain "
            f"({_span(state)}), or on its land"
        )
    if lost:
        warn(
            f"{found.variable}: {lost} of {len(values)} observations lie outside the model's "
            "domain, or on its land, and are not used"
        )
    time = table["time"].isel(obs=np.flatnonzero(seen))
    return OnPoints(found, rows, values[seen], errors[seen], time, nowhere)


# ---- errors ----------------------------------------------------------------------------------


def _error_of(ds: xr.Dataset, found: cf.Found, given: Any) -> tuple[xr.DataArray | None, float]:
    """Standard errors of a field: an array, or one number; both in the field's own units."""
    if given is None:
        linked = cf.find_error(ds, found)
        if linked is None:
            return None, 0.0
        array = ds[linked.variable]
        if linked.divisor is not None:
            array = array / ds[linked.divisor]
        change = linked.conversion(found.units or "1")
        return _aligned(array * float(change.factor), ds[found.variable]), 0.0
    if isinstance(given, str):
        if given not in ds.variables:
            raise FieldNotFound(f"error: there is no variable {given!r}")
        given = ds[given]
    if isinstance(given, xr.DataArray):
        told = units.units_of(given)
        plain = units.dequantify(given.to_dataset(name="error"))[0]["error"]
        factor = _factor(told, found, given.name) if told else 1.0
        return _aligned(plain * factor, ds[found.variable]), 0.0
    magnitude, told = _number(given)
    factor = _factor(told, found, "error") if told else 1.0
    if not np.isfinite(magnitude) or magnitude <= 0:
        raise ValuesError(
            f"error of {found.key}: {given} is not positive. Leave it out where observations are "
            "exact: what the model cannot represent is always counted"
        )
    return None, magnitude * factor


def _aligned(error: xr.DataArray, array: xr.DataArray) -> xr.DataArray:
    """Standard errors at the labels of their field, in whatever order they have them."""

    def lies(dim: Hashable) -> bool:
        if dim in array.indexes and dim in error.indexes:
            return bool(array.indexes[dim].isin(error.indexes[dim]).all())
        return array.sizes.get(dim, error.sizes[dim]) == error.sizes[dim]

    lost = [dim for dim in error.dims if not lies(dim)]
    if lost:
        raise GridError(
            f"{array.name}: its standard errors do not lie where it does along "
            f"{', '.join(map(str, lost))}. Give them there: error.reindex_like(ds[{array.name!r}])"
        )
    # without units: those of the field by now
    along = {d: array.indexes[d] for d in error.indexes if d in array.indexes}
    return error.reindex(along).drop_attrs(deep=False)


def _number(given: Any) -> tuple[float, str | None]:
    if isinstance(given, Real) and not isinstance(given, bool):
        return float(given), None
    if hasattr(given, "magnitude"):
        return float(given.magnitude), units.cf_string(given.units)
    raise TypeError(
        f"error={given!r}: a number, a Quantity, a DataArray or a variable's name is needed"
    )


def _factor(told: str, found: cf.Found, what: Any) -> float:
    try:
        return float(units.conversion(told, found.units or "1", "spread").factor)
    except UnitsError as error:
        raise UnitsError(f"{what}: {error}") from None


def errors_by_key(
    error: Any, keys: Sequence[str], is_there: Callable[[str], bool]
) -> dict[str, Any]:
    """Errors by the key of their field; one alone is that of the field that is there.

    Raises
    ------
    TypeError
        One error for fields of different units.
    """
    if error is None:
        return {}
    if isinstance(error, Mapping):
        named = {row_of(str(key)).key: each for key, each in error.items()}
        wrong = [key for key in named if key not in keys]
        if wrong:
            raise FieldNotFound(
                f"error: {', '.join(wrong)} is no field of the model; it has {', '.join(keys)}"
            )
        return named
    observed = [key for key in keys if is_there(key)]
    if len(observed) > 1:
        raise TypeError(
            f"error={error!r}: {len(observed)} fields are observed; say which it is of: "
            f"error={{{observed[0]!r}: {error!r}}}"
        )
    return dict.fromkeys(observed, error)
