"""Coarse maps: each cell has the mean of the sea over its area, or over a Gaussian footprint."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from xocean_ml.assimilation.rows import Rows
from xocean_ml.assimilation.state import State
from xocean_ml.grid import Side
from xocean_ml.kernels.lattice import overlaps, positions
from xocean_ml.kernels.nearby import places

__all__ = ["area_means", "correlated", "footprints"]

KM = 111.2
"""Of a degree of latitude."""

FWHM = float(2 * np.sqrt(2 * np.log(2)))
"""Full width at half maximum of a Gaussian, over its standard deviation."""

REACH = 3.0
"""Standard deviations after which a footprint ends."""

LEAST = 0.5
"""Share of a footprint that lies on the domain's sea, from which a coarse cell tells of it."""

Sides = tuple[Side, Side]


def footprints(state: State, field: int, sides: Sides, width: float) -> tuple[Rows, np.ndarray]:
    """How cells of a coarse map see the state through a Gaussian footprint.

    Parameters
    ----------
    state : State
        Of the domain.
    field : int
    sides : (Side, Side)
        Of the map.
    width : float
        Full width at half maximum, km.

    Returns
    -------
    Rows
        Of the coarse cells that see enough of the sea.
    array of int, (stored cells,)
        Which one each stored cell is; -1 for none.
    """
    sigma = width / FWHM
    down = _bell(sides[0].centres, state.latitude, sigma / KM)

    def across(row: int) -> np.ndarray:
        metric = max(float(np.cos(np.deg2rad(sides[0].centres[row]))), 1e-6)
        return _bell(sides[1].centres, state.longitude, sigma / KM / metric, turn=True)

    area = np.maximum(np.cos(np.deg2rad(state.latitude)), 1e-3)
    return _rows(state, field, sides, down, across, area)


def area_means(state: State, field: int, sides: Sides) -> tuple[Rows, np.ndarray]:
    """How cells of a coarse map see the state, if each has the mean over its area."""
    own = _edges(state.latitude), _edges(state.longitude)
    lat = [np.sin(np.deg2rad(np.clip(each, -90, 90))) for each in (sides[0].edges, own[0])]
    down = overlaps(*lat) / np.diff(lat[0])[:, None]
    lon = sides[1].edges
    shift = 360 * np.round((own[1].mean() - lon.mean()) / 360)
    along = overlaps(lon + shift, own[1]) / np.diff(lon)[:, None]
    # sines of latitude have counted the area already
    return _rows(state, field, sides, down, lambda row: along, np.ones(len(state.latitude)))


def correlated(width: float, sides: Sides) -> float:
    """Cells of a map whose errors are one error: those within a footprint, 1 at least.

    The area under a Gaussian of a full width at half maximum, in cells.
    """
    step = [KM * float(np.median(np.diff(each.centres))) for each in sides]
    step[1] *= float(np.median(np.cos(np.deg2rad(sides[0].centres))))
    area = 2 * np.pi * (width / FWHM) ** 2
    return max(1.0, float(area / (step[0] * step[1])))


def _bell(centres: np.ndarray, cells: np.ndarray, sigma: float, turn: bool = False) -> np.ndarray:
    """Shares, (coarse, cells), of a Gaussian in cells; they add up to what lies on them."""
    apart = cells - centres[:, None]
    if turn:
        apart = (apart + 180) % 360 - 180
    step = float(np.median(np.diff(cells)))
    # a footprint narrower than a cell is that cell's
    sigma = max(sigma, 0.4 * step)
    weight = np.exp(-0.5 * (apart / sigma) ** 2) * step / (sigma * np.sqrt(2 * np.pi))
    return np.where(np.abs(apart) <= REACH * sigma, weight, 0.0)


def _rows(
    state: State,
    field: int,
    sides: Sides,
    down: np.ndarray,
    across: Callable[[int], np.ndarray],
    area: np.ndarray,
) -> tuple[Rows, np.ndarray]:
    """Rows of coarse cells, from their shares of the domain's rows and columns."""
    index = state.index[field]
    lat, lon = sides[0].centres, sides[1].centres
    cells: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    packed = np.full((len(lat), len(lon)), -1)
    at: list[tuple[float, float]] = []
    for row in range(len(lat)):
        rows = np.flatnonzero(down[row])
        if not len(rows):
            continue
        along = across(row)
        for column in range(len(lon)):
            columns = np.flatnonzero(along[column])
            if not len(columns):
                continue
            where = index[np.ix_(rows, columns)]
            weight = down[row, rows][:, None] * along[column, columns]
            sea = where >= 0
            if weight[sea].sum() < LEAST or not _on_sea(state, field, lat[row], lon[column]):
                continue
            share = weight * area[rows, None]
            packed[row, column] = len(cells)
            cells.append(where[sea])
            weights.append(share[sea] / share[sea].sum())
            at.append((lat[row], lon[column]))
    most = max((len(each) for each in cells), default=1)
    cell, weight = np.zeros((len(cells), most), np.int64), np.zeros((len(cells), most))
    for number, (some, share) in enumerate(zip(cells, weights, strict=True)):
        cell[number] = some[0]
        cell[number, : len(some)], weight[number, : len(some)] = some, share
    points = places(*np.array(at).T) if at else np.zeros((0, 3))
    made = Rows(cell, weight, np.full(len(cells), field), points)
    stored = tuple(slice(None, None, -1) if side.flipped else slice(None) for side in sides)
    return made, packed[stored].ravel()


def _on_sea(state: State, field: int, latitude: float, longitude: float) -> bool:
    """Whether the middle of a coarse cell is sea: over land a map has no value, or another's."""
    y = int(np.rint(positions(np.array([latitude]), state.latitude)[0]))
    x = int(np.rint(state.columns_of(np.array([longitude]))[0]))
    rows, columns = state.shape
    inside = 0 <= y < rows and (state.wraps or 0 <= x < columns)
    return bool(inside and state.index[field, y, x % columns] >= 0)


def _edges(centres: np.ndarray) -> np.ndarray:
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])
