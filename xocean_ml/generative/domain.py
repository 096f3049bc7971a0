"""Where members are given: a grid, its sea, and its place in the whole grid of the Earth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml import fields as cf
from xocean_ml import masks, units
from xocean_ml.assimilation.state import State
from xocean_ml.downscaling.target import spacing
from xocean_ml.errors import (
    AmbiguousField,
    GridError,
    UnitsError,
    ValuesError,
    warn,
)
from xocean_ml.grid import Side, sides_of

__all__ = ["Domain", "domain_of"]

NEAR, FAR = 1.3, 2.5
"""Ratio of cells to those of the training from which it is told, and refused."""

SLACK = 0.25
"""Of a cell, by which the rounding of coordinates may be off; centres are on quarters of none."""

MANY = 20
"""Times of observations from which what is always missing is land."""


@dataclass(frozen=True, eq=False)
class Domain:
    """A grid that members are given on; sources of observations take it for a model.

    Parameters
    ----------
    state : State
        Cells of the sea, of all fields.
    config : mapping
        ``fields`` of the model.
    sides : (Side, Side)
    """

    state: State
    config: Mapping[str, Any]
    sides: tuple[Side, Side]

    @property
    def sea(self) -> np.ndarray:
        """True over the sea, (rows, columns)."""
        return np.asarray(self.state.known[0])

    @property
    def origin(self) -> tuple[int, int]:
        """Number of the first row and column on the whole grid of such cells."""
        lat, lon = self.state.latitude, self.state.longitude
        # centres lie on multiples of a cell, or between two: rounding decides neither
        row = np.floor((lat[0] + 90) / _step(lat) + SLACK)
        column = np.floor(lon[0] % 360 / _step(lon) + SLACK)
        return int(row), int(column) % self.turn

    @property
    def turn(self) -> int:
        """Columns round the Earth."""
        return max(1, round(360 / _step(self.state.longitude)))

    @property
    def cell(self) -> tuple[float, float]:
        """Height and width of a usual cell, km."""
        return spacing(self.sides)

    def placed(self, array: xr.DataArray, lat: str, lon: str) -> xr.DataArray:
        """A map on these cells: linearly between its own, and the nearest where one is missing.

        Parameters
        ----------
        array : DataArray
            In any range of longitudes.
        lat, lon : str
            Its coordinates, which are dimensions.
        """
        middle = self.state.longitude.mean()
        turn = 360 * np.round((array[lon].values.mean() - middle) / 360)
        places = {lat: self.state.latitude, lon: self.state.longitude + turn}
        between = array.interp(places)
        # beside land, of which linear weights of zero still make nothing
        nearest = array.sel(places, method="nearest")
        return between.fillna(nearest.assign_coords(between.coords)).transpose(..., lat, lon)


def _step(centres: np.ndarray) -> float:
    return float((centres[-1] - centres[0]) / (len(centres) - 1))


def domain_of(
    like: Any, datasets: Sequence[xr.Dataset], config: Mapping[str, Any], named: Mapping[str, str]
) -> Domain:
    """The grid that is asked for, or the finest that observations lie on.

    Parameters
    ----------
    like : Dataset, DataArray or None
        On the grid; what is missing at all times of it is land.
    datasets : sequence of Dataset
        Observations.
    config : mapping
        Of the model.
    named : mapping
        Variables by key, as the user says.

    Raises
    ------
    GridError
        No grid; one of cells much larger or smaller than those of the training.
    """
    given = _given(like, datasets, config)
    sides = sides_of(given, "like=" if like is not None else "")
    sea = _sea(given, sides, config, named, like is not None)
    if not sea.any():
        raise ValuesError("like=: every cell is missing, so all is land; give one with a sea")
    known = np.broadcast_to(sea, (len(config["fields"]), *sea.shape))
    state = State(sides[0].centres, sides[1].centres, bool(sides[1].wraps), known)
    made = Domain(state, config, sides)
    _compared(made.cell, config["cell"])
    return made


def _given(like: Any, datasets: Sequence[xr.Dataset], config: Mapping[str, Any]) -> xr.Dataset:
    if like is not None:
        if isinstance(like, xr.DataArray):
            like = like.to_dataset(name=like.name or "like")
        if not isinstance(like, xr.Dataset):
            raise TypeError(f"like= takes a Dataset or DataArray, not {type(like).__name__}")
        return units.dequantify(like)[0]
    best, found = FAR, None
    for ds in datasets:
        try:
            cell = spacing(sides_of(ds))
        except GridError:
            continue
        ratio = _ratio(cell, config["cell"])
        if ratio < best:
            best, found = ratio, ds
    if found is None:
        raise GridError(
            "no grid to give members on: observations lie on none whose cells are about as large "
            f"as those of the training ({config['cell'][0]:.3g} by {config['cell'][1]:.3g} km). "
            "Give one: like=DATASET"
        )
    return found


def _sea(
    ds: xr.Dataset,
    sides: tuple[Side, Side],
    config: Mapping[str, Any],
    named: Mapping[str, str],
    whole: bool,
) -> np.ndarray:
    """Where there is no land: by a mask, else by what is always missing of the sea's fields.

    Of observations (not `whole`) a cell may be missing for clouds; of many times, not of all.
    """
    dims = [side.dim for side in sides]
    mask = masks.given_land(ds)
    if mask is None:
        fields = [
            each
            for each in _of_sea(ds, config, named)
            if set(dims) <= set(each.dims)
            and each.dtype.kind == "f"
            and (whole or each.size >= MANY * np.prod([each.sizes[d] for d in dims]))
        ]
        if not fields:
            _unclear(ds, dims, whole)
            return np.ones([len(side) for side in sides], bool)
        mask = masks.land(fields[0], _others(fields[0], dims))
        for each in fields[1:]:
            mask = mask & masks.land(each, _others(each, dims))
    plain = mask.transpose(*dims).isel({side.dim: side.order for side in sides})
    return ~np.asarray(plain.values)


def _unclear(ds: xr.Dataset, dims: Sequence[str], whole: bool) -> None:
    """Refuse a mask that does not tell what is land in it."""
    for name, each in ds.data_vars.items():
        if whole and each.dtype.kind in "biu" and set(dims) <= set(each.dims):
            raise GridError(
                f"like=: {name} may be a mask, and nothing says of what. Say it: "
                f"ds[{str(name)!r}].attrs['standard_name'] = 'sea_binary_mask' (or "
                "'land_binary_mask')"
            )


def _of_sea(
    ds: xr.Dataset, config: Mapping[str, Any], named: Mapping[str, str]
) -> list[xr.DataArray]:
    """Fields that the prior knows; winds blow over land. If there are none, all."""
    found = []
    for each in config["fields"]:
        own = {k: v for k, v in named.items() if v in ds.variables and k == each["key"]}
        try:
            field = cf.look_for(ds, each["key"], fields=own)
        except (AmbiguousField, UnitsError):
            continue
        if field is not None:
            found.append(ds[field.variable])
    return found or list(ds.data_vars.values())


def _others(array: xr.DataArray, dims: Sequence[str]) -> list[str]:
    return [d for d in map(str, array.dims) if d not in dims]


def _ratio(cell: Sequence[float], trained: Sequence[float]) -> float:
    own, other = (float(np.sqrt(each[0] * each[1])) for each in (cell, trained))
    return max(own / other, other / own)


def _compared(cell: Sequence[float], trained: Sequence[float]) -> None:
    ratio = _ratio(cell, trained)
    own, other = (" by ".join(f"{each:.3g}" for each in pair) for pair in (cell, trained))
    if ratio >= FAR:
        raise GridError(
            f"cells of {own} km, and the prior was trained on cells of {other} km: it knows "
            "nothing of such scales. Take a grid of about these cells (like=), or train a prior "
            "of your own: hires.genda.fit()"
        )
    if ratio >= NEAR:
        warn(f"cells of {own} km; the prior was trained on cells of {other} km")
