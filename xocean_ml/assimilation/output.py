"""Where the analysis is given: on the input's grid if it is the model's, in the input's units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml import metadata
from xocean_ml.assimilation.assimilator import Assimilator
from xocean_ml.assimilation.sources import OnGrid, OnPoints
from xocean_ml.spec import Role
from xocean_ml.units import Conversion

__all__ = ["Field", "Place", "place_of"]


@dataclass(frozen=True)
class Field:
    """One variable of the output.

    Parameters
    ----------
    name, dtype : str
    factor, offset : float
        From its units to the model's.
    attrs, spread_attrs : dict
    dims : tuple of str
        Order of the dimensions, of the input's variable.
    """

    name: str
    dtype: str
    factor: float
    offset: float
    attrs: dict[str, Any]
    spread_attrs: dict[str, Any]
    dims: tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """Grid and variables of the output.

    Parameters
    ----------
    dims : (str, str)
        Of rows and columns.
    coordinates : Dataset
        Latitude and longitude.
    flips : (slice, slice)
        From ascending rows and columns.
    roll : int
        Columns by which the output begins later than the model's grid.
    fields : tuple of Field
    """

    dims: tuple[str, str]
    coordinates: xr.Dataset
    flips: tuple[slice, slice]
    roll: int
    fields: tuple[Field, ...]


def place_of(
    model: Assimilator,
    gridded: Sequence[OnGrid],
    points: Sequence[OnPoints],
    time: str,
    anomalies: bool,
) -> Place:
    """Decide grid, names and units of the output."""
    like = next((each for each in gridded if _is_whole(model, each)), None)
    if like is None:
        dims, coordinates, flips, roll = _of_model(model)
    else:
        dims, coordinates, flips, roll = _of_input(model, like)
    # of several that observe a field the first gives its name and units
    every: list[OnGrid | OnPoints] = [*gridded, *points]
    observed = {each.found.key: each for each in reversed(every)}
    fields = tuple(
        _field(told, observed.get(told["key"]), (time, *dims), anomalies)
        for told in model.config["fields"]
    )
    return Place(dims, coordinates, flips, roll, fields)


def _is_whole(model: Assimilator, each: OnGrid) -> bool:
    """Whether a field lies on the whole grid of the model."""
    counts = tuple(len(side) for side in each.sides)
    return each.how == "own" and counts == model.state.shape


def _of_input(model: Assimilator, each: OnGrid) -> Any:
    flips = tuple(side.order for side in each.sides)
    lon = each.sides[1].centres
    state = model.state
    step = float(np.median(np.diff(state.longitude)))
    roll = round(((lon[0] - state.longitude[0]) % 360) / step) % len(lon) if state.wraps else 0
    names = {side.dim: side.coordinate for side in each.sides}
    coords = {str(c.name): c.variable for c in names.values()}
    dims = each.sides[0].dim, each.sides[1].dim
    return dims, xr.Dataset(coords=coords), flips, roll


def _of_model(model: Assimilator) -> Any:
    told, state = model.config["grid"], model.state
    coords, dims, flips = {}, [], []
    for name, centres in (("latitude", state.latitude), ("longitude", state.longitude)):
        each = told[name]
        values = centres + (each["first"] - centres[0] if name == "longitude" else 0.0)
        flip = slice(None, None, -1) if each["flipped"] else slice(None)
        flips.append(flip)
        dims.append(each["dim"])
        coords[each["name"]] = xr.Variable(each["dim"], values[flip], each["attrs"])
    return tuple(dims), xr.Dataset(coords=coords), tuple(flips), 0


def _field(
    told: dict[str, Any],
    observed: OnGrid | OnPoints | None,
    order: tuple[str, ...],
    anomalies: bool,
) -> Field:
    attrs, name, dtype, own = dict(told["attrs"]), told["name"], told["dtype"], told["units"]
    change = Conversion()
    if observed is not None:
        own, name = observed.found.units or "1", observed.found.variable
        change = observed.found.conversion(told["units"])
    if isinstance(observed, OnGrid):
        array = observed.array
        attrs = dict(array.attrs)
        dtype = array.dtype.newbyteorder("=").str if array.dtype.kind == "f" else "<f8"
    role: Role = "difference" if anomalies else told["role"]
    described = metadata.describe(attrs, role=role, units=own)
    if anomalies:
        standard = described.pop("standard_name", None)
        described["long_name"] = f"anomaly of {(standard or name).replace('_', ' ')}"
    spread = metadata.describe({}, role="spread", units=own)
    spread["long_name"] = f"standard error of {name}, as the model says"
    if isinstance(observed, OnGrid) and {*order} <= {*observed.order}:
        order = observed.order
    return Field(name, dtype, float(change.factor), float(change.offset), described, spread, order)
