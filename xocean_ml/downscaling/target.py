"""The grid to be reached: its coordinates and bounds, and where its cells lie on the coarse grid.

Axes are seen in ascending order from here on, and longitudes unwrapped; how the fields are stored
is remembered, and given back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from numbers import Real
from typing import Any

import numpy as np
import xarray as xr

from xocean_ml import grid, metadata
from xocean_ml.downscaling.axis import Axis, Measure
from xocean_ml.errors import GridError
from xocean_ml.grid import Side, sides_of
from xocean_ml.kernels.lattice import positions, regular

__all__ = ["KM", "Target", "of_factor", "of_like", "placed", "spacing"]

KINDS = {"Y": "latitude", "X": "longitude"}
SLACK = 1e-3
"""Coarse cells by which a target may stick out: rounding of coordinates."""

KM = 111.2
"""Of a degree of latitude."""

BESIDE = 40
"""Coarse cells around a cropped target in which fine cells are told of."""

COARSER = 1.02
"""Coarse cells that a target's cell may be wide: spacings of real grids vary a little."""


@dataclass(frozen=True)
class Target:
    """A grid to be reached.

    Parameters
    ----------
    sides : (Side, Side)
        Of the coarse grid: latitude, longitude.
    axes : (Axis, Axis)
        Where the fine cells lie on them.
    coordinates : Dataset
        Latitude and longitude of the target with their bounds, in the order of the output.
    flipped : (bool, bool)
        Whether the output is in descending order.
    centres, edges : (array, array)
        Of the fine cells in degrees, ascending, with those beside the target that `axes` tell of.
    """

    sides: tuple[Side, Side]
    axes: tuple[Axis, Axis]
    coordinates: xr.Dataset
    flipped: tuple[bool, bool]
    centres: tuple[np.ndarray, np.ndarray]
    edges: tuple[np.ndarray, np.ndarray]

    @property
    def dims(self) -> tuple[str, str]:
        """Dimensions of the coarse grid; the output's have the same names."""
        return self.sides[0].dim, self.sides[1].dim

    @property
    def measures(self) -> tuple[Measure, Measure]:
        """Edges of fine and coarse cells in units in which areas are products of lengths."""
        rows, columns = zip(self.edges, (side.edges for side in self.sides), strict=True)
        north = Measure(*(np.sin(np.deg2rad(np.clip(each, -90, 90))) for each in rows))
        return north, Measure(*columns)

    @property
    def factor(self) -> tuple[float, float]:
        """Fine cells in a coarse one, along each axis."""
        return 1 / self.axes[0].size, 1 / self.axes[1].size


def spacing(sides: tuple[Side, Side]) -> tuple[float, float]:
    """Height and width in km of a usual cell."""
    lat, lon = (each.centres for each in sides)
    # Of a usual row: the shortest, at a pole, is that of no grid.
    along = float(np.median(np.cos(np.deg2rad(lat))))
    return KM * float(np.median(np.diff(lat))), KM * along * float(np.median(np.diff(lon)))


def _coarse_sides(obj: Any) -> tuple[Side, Side]:
    """Those of the input, which must hold each meridian once: else it cannot be closed.

    A target or a guide may repeat one.
    """
    sides = sides_of(obj)
    lon = sides[1]
    step = (lon.centres[-1] - lon.centres[0]) / (len(lon) - 1)
    again = int((lon.centres > lon.centres[0] + 360 - 0.1 * step).sum())
    if again:
        raise GridError(
            f"{lon.coordinate.name}: it goes round the globe and on, the last {again} of "
            f"{len(lon)} meridians are there already. Leave them out: "
            f"obj.isel({lon.dim}=slice(-{again}))"
        )
    return sides


def of_factor(obj: Any, factor: Any) -> Target:
    """Cut the cells of a grid into `factor` each, or as nearly as whole cells can.

    Parameters
    ----------
    obj : Dataset or DataArray
    factor : int, float or mapping
        For both axes, or by axis (``"Y"``), kind (``"latitude"``) or dimension.
    """
    sides = _coarse_sides(obj)
    factors = _factors(factor, sides)
    lattice = regular((len(sides[0]), len(sides[1])), factors)
    axes: list[Axis] = []
    made: dict[str, xr.Variable] = {}
    every_centre: list[np.ndarray] = []
    every_edge: list[np.ndarray] = []
    every = zip(sides, (lattice.rows, lattice.columns), lattice.size, strict=True)
    for side, places, size in every:
        at = np.arange(len(side) + 1) - 0.5
        edges = np.interp(np.append(places - size / 2, places[-1] + size / 2), at, side.edges)
        centres = np.interp(places, at, side.edges)
        axes.append(Axis(_uneven(side, centres, places), size, len(side), side.wraps, side.wraps))
        made |= _coordinate(side, centres, edges)
        every_centre.append(centres)
        every_edge.append(edges)
    coordinates = xr.Dataset(coords=made)
    flipped = sides[0].flipped, sides[1].flipped
    centre, edge = (every_centre[0], every_centre[1]), (every_edge[0], every_edge[1])
    return Target(sides, (axes[0], axes[1]), coordinates, flipped, centre, edge)


def placed(side: Side, fine: np.ndarray) -> np.ndarray:
    """Places of centres, ascending, on a coarse axis, in its cells."""
    if not side.wraps:
        return positions(fine, side.centres)
    turns = 360 * np.arange(-1, 3)[:, None]
    return positions(fine, (side.centres + turns).ravel()) - len(side)


def _uneven(side: Side, centres: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Where the parts of coarse cells lie: regularly, or, of uneven cells, where they are."""
    found = placed(side, centres)
    if np.abs(found - places).max() < SLACK:
        return places
    cell = np.floor(places + 0.5 + 1e-9)
    return np.clip(found, cell - 0.5, cell + 0.5 - 1e-6)


def _factors(factor: Any, sides: tuple[Side, Side]) -> tuple[float, float]:
    if isinstance(factor, Mapping):
        names = [{s.kind, KINDS[s.kind], s.dim, str(s.coordinate.name)} for s in sides]
        for key in factor:
            if not any(key in each for each in names):
                told = ", ".join(sorted(set().union(*names)))
                raise GridError(f"factor={dict(factor)}: {key!r} is no axis; it is one of {told}")
        keys = [[key for key in factor if key in each] for each in names]
        for twice in keys:
            if len(twice) > 1:
                told = " and ".join(map(repr, twice))
                raise GridError(f"factor={dict(factor)}: {told} are the same axis. Give one")
        found = [factor[each[0]] if each else 1 for each in keys]
    else:
        found = [factor, factor]
    for each in found:
        if not isinstance(each, Real) or isinstance(each, bool) or not 1 <= float(each) < np.inf:
            raise GridError(
                f"factor={factor!r}: fine cells in a coarse one, a number of at least 1, is "
                f"needed, or one for each axis: {{{sides[0].coordinate.name!r}: 3, "
                f"{sides[1].coordinate.name!r}: 4}}"
            )
    return float(found[0]), float(found[1])


def _coordinate(side: Side, centres: np.ndarray, edges: np.ndarray) -> dict[str, xr.Variable]:
    """A coordinate and its bounds, stored as the coarse ones are."""
    old, name, bounds_name = side.coordinate, str(side.coordinate.name), _bounds_name(side)
    pairs = np.stack([edges[:-1], edges[1:]], axis=1)
    # Longitudes were unwrapped: they begin where the stored ones do.
    start = float(old.values[-1 if side.flipped else 0])
    turn = 360 * round((start - side.centres[0]) / 360)
    centres, pairs = centres + turn, pairs + turn
    if side.flipped:
        centres, pairs = centres[::-1], pairs[::-1, ::-1]
    attrs = _fresh(old.attrs) | {"bounds": bounds_name}
    dtype = old.dtype if old.dtype.kind == "f" else np.dtype(np.float64)
    return {
        name: xr.Variable(side.dim, centres.astype(dtype), attrs),
        bounds_name: xr.Variable((side.dim, "bnds"), pairs.astype(dtype)),
    }


def _bounds_name(side: Side) -> str:
    old = side.coordinate
    return str(old.attrs.get("bounds") or old.encoding.get("bounds") or f"{old.name}_bnds")


def _fresh(attrs: Mapping[Any, Any]) -> dict[Any, Any]:
    """Attributes without those that speak of the old values."""
    return {key: value for key, value in attrs.items() if key not in metadata.STALE}


def of_like(obj: Any, like: Any) -> Target:
    """Take the latitudes and longitudes of another object as the target.

    Raises
    ------
    GridError
        A target that is coarser than the input, or not inside it.
    """
    sides, goals = _coarse_sides(obj), sides_of(like, "like")
    made: dict[str, xr.Variable] = {}
    found = [_on(*each) for each in zip(sides, goals, strict=True)]
    for side, goal in zip(sides, goals, strict=True):
        made |= _taken(side, goal, like)
    coordinates = xr.Dataset(coords=made)
    flipped = goals[0].flipped, goals[1].flipped
    axes, centres, edges = ((found[0][k], found[1][k]) for k in range(3))
    return Target(sides, axes, coordinates, flipped, centres, edges)


def _on(side: Side, goal: Side) -> tuple[Any, Any, Any]:
    """Where another grid's cells lie on this one's; their centres and edges."""
    name, turn = goal.coordinate.name, 0.0
    if side.wraps:
        turn = -360 * np.floor((goal.centres[0] - side.edges[0]) / 360)
    elif side.kind == "X":
        turn = 360 * np.round((side.centres.mean() - goal.centres.mean()) / 360)
    places, edges = placed(side, goal.centres + turn), goal.edges + turn
    size = float((places[-1] - places[0]) / (len(places) - 1))
    apart = np.diff(places)
    if apart.max() > COARSER:
        at = int(apart.argmax())
        raise GridError(
            f"{name}: the target is {apart[at]:.2g} times as coarse as the input at "
            f"{goal.centres[at]:.6g}. .downscale goes to finer grids; to a coarser one, average "
            "(xarray's coarsen, or conservative regridding)"
        )
    slack = SLACK * np.diff(side.edges)
    low, high = side.edges[0] - slack[0], side.edges[-1] + slack[-1]
    if not side.wraps and (edges[0] < low or edges[-1] > high):
        raise GridError(
            f"{name}: the target ({_span(edges)}) is not inside the input "
            f"({_span(side.edges)}). Crop it: like.sel({goal.dim}=slice(...))"
        )
    closed = side.wraps and goal.wraps
    if closed:
        return Axis(places, size, len(side), True, True), goal.centres + turn, edges
    axis = Axis(places, size, len(side), side.wraps)
    return _beside(axis, goal.centres + turn, edges, side)


def _beside(
    axis: Axis, centres: np.ndarray, edges: np.ndarray, side: Side
) -> tuple[Axis, np.ndarray, np.ndarray]:
    """Cells beside a cropped target, as it would go on, as far as models look."""
    many = ceil(BESIDE / axis.size)
    number = np.arange(1, many + 1)
    low = centres[0] - (centres[1] - centres[0]) * number[::-1]
    high = centres[-1] + (centres[-1] - centres[-2]) * number
    if not side.wraps:
        low, high = low[low > side.edges[0]], high[high < side.edges[-1]]
    all_of_them = np.concatenate([low, centres, high])
    places = placed(side, all_of_them)
    made = replace(axis, places=places, before=len(low), after=len(high))
    beside = grid.midpoint_edges(all_of_them)
    beside[len(low) : len(low) + len(edges)] = edges
    return made, all_of_them, beside


def _span(edges: np.ndarray) -> str:
    return f"{edges[0]:.6g} to {edges[-1]:.6g}"


def _taken(side: Side, goal: Side, like: Any) -> dict[str, xr.Variable]:
    """The target's coordinate and bounds, under the names of the input's."""
    name, given = str(side.coordinate.name), goal.coordinate
    kept = _fresh(side.coordinate.attrs) | _fresh(given.attrs)
    bounds_name = _bounds_name(side)
    values, pairs = np.asarray(given.values), grid.edges_of(like, given)
    if side.kind == "X":
        pairs = pairs + 360 * np.round((values[:, None] - pairs) / 360)
    else:
        pairs = np.clip(pairs, -90, 90)
    dtype = values.dtype if values.dtype.kind == "f" else np.dtype(np.float64)
    return {
        name: xr.Variable(side.dim, values.astype(dtype), kept | {"bounds": bounds_name}),
        bounds_name: xr.Variable((side.dim, "bnds"), pairs.astype(dtype)),
    }
