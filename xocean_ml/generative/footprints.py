"""Coarse maps: each cell has the mean of the sea over its area, or over a Gaussian footprint."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from xocean_ml.assimilation.rows import Rows
from xocean_ml.assimilation.state import State
from xocean_ml.downscaling.target import KM, spacing
from xocean_ml.grid import Side
from xocean_ml.kernels.lattice import overlaps, positions
from xocean_ml.kernels.nearby import places

__all__ = ["area_means", "correlated", "footprints"]

FWHM = float(2 * np.sqrt(2 * np.log(2)))
"""Full width at half maximum of a Gaussian, over its standard deviation."""

REACH = 3.0
"""Standard deviations after which a footprint ends."""

LEAST = 0.5
"""Share of a footprint that lies on the domain's sea, from which a coarse cell tells of it."""

Sides = tuple[Side, Side]

Across = Callable[[int, np.ndarray], np.ndarray]
"""From a coarse row, and coarse columns, to their shares, (columns, cells of the domain)."""


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

    def across(row: int, columns: np.ndarray) -> np.ndarray:
        metric = max(float(np.cos(np.deg2rad(sides[0].centres[row]))), 1e-6)
        centres = sides[1].centres[columns]
        return _bell(centres, state.longitude, sigma / KM / metric, turn=True)

    area = np.maximum(np.cos(np.deg2rad(state.latitude)), 1e-3)
    return _rows(state, field, sides, down, across, area)


def area_means(state: State, field: int, sides: Sides) -> tuple[Rows, np.ndarray]:
    """How cells of a coarse map see the state, if each has the mean over its area."""
    own = _edges(state.latitude), _edges(state.longitude)
    lat = [np.sin(np.deg2rad(np.clip(each, -90, 90))) for each in (sides[0].edges, own[0])]
    down = overlaps(*lat) / np.diff(lat[0])[:, None]
    lon = sides[1].edges
    shift = 360 * np.round((own[1].mean() - lon.mean()) / 360)
    # a map from 0 to 360 lies on both sides of a domain across Greenwich
    turns = [overlaps(lon + shift + turn, own[1]) for turn in (-360, 0, 360)]
    along = np.sum(turns, axis=0) / np.diff(lon)[:, None]
    # sines of latitude have counted the area already
    area = np.ones(len(state.latitude))
    return _rows(state, field, sides, down, lambda row, columns: along[columns], area)


def correlated(width: float, sides: Sides) -> float:
    """Cells of a map whose errors are one error: those within a footprint, 1 at least.

    The area under a Gaussian of a full width at half maximum, in cells.
    """
    height, along = spacing(sides)
    area = 2 * np.pi * (width / FWHM) ** 2
    return max(1.0, float(area / (height * along)))


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
    across: Across,
    area: np.ndarray,
) -> tuple[Rows, np.ndarray]:
    """Rows of coarse cells, from their shares of the domain's rows and columns."""
    lat, lon = sides[0].centres, sides[1].centres
    over = _over_sea(state, field, lat, lon)
    packed = np.full(over.shape, -1)
    none = np.zeros(0, np.int64)
    parts, count = [(none, none, np.zeros(0))], 0
    # of a map of the globe few rows and columns lie over the domain: no others are looked at
    for row in np.flatnonzero(over.any(axis=1)).tolist():
        columns = np.flatnonzero(over[row])
        enough, number, *seen = _entries(state.index[field], down[row], across(row, columns), area)
        columns = columns[enough]
        packed[row, columns] = np.arange(count, count + len(columns))
        parts.append((number + count, seen[0], seen[1]))
        count += len(columns)
    cell, weight = _padded(count, *(np.concatenate(each) for each in zip(*parts, strict=True)))
    at = np.nonzero(packed >= 0)
    made = Rows(cell, weight, np.full(count, field), places(lat[at[0]], lon[at[1]]))
    return made, packed[sides[0].order, sides[1].order].ravel()


def _over_sea(state: State, field: int, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Whether the middle of a coarse cell is sea: over land a map has no value, or another's."""
    y = np.rint(positions(latitude, state.latitude)).astype(int)[:, None]
    x = np.rint(state.columns_of(longitude)).astype(int)
    rows, columns = state.shape
    inside = (y >= 0) & (y < rows) & (state.wraps | ((x >= 0) & (x < columns)))
    return inside & (state.index[field, y.clip(0, rows - 1), x % columns] >= 0)


def _entries(
    index: np.ndarray, down: np.ndarray, along: np.ndarray, area: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Which coarse cells of a row see enough of the sea; and cells and shares of each of these."""
    rows = np.flatnonzero(down)
    number, column = np.nonzero(along)
    cell = index[rows[:, None], column]
    weight = down[rows, None] * along[number, column]
    sea = cell >= 0
    enough = np.bincount(number, (weight * sea).sum(axis=0), len(along)) >= LEAST
    sea &= enough[number]
    number = np.broadcast_to((np.cumsum(enough) - 1)[number], sea.shape)
    share = weight * area[rows, None]
    return enough, number[sea], cell[sea], share[sea]


def _padded(
    count: int, number: np.ndarray, cell: np.ndarray, share: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Cells and weights, (count, corners), of entries; what is lacking is the first, unweighted."""
    order = np.argsort(number, kind="stable")
    number, cell, share = number[order], cell[order], share[order]
    many = np.bincount(number, minlength=count)
    first = np.cumsum(many) - many
    at = number, np.arange(len(number)) - first[number]
    most = int(many.max(initial=1))
    cells, weights = np.repeat(cell[first, None], most, axis=1), np.zeros((count, most))
    cells[at] = cell
    weights[at] = share / np.bincount(number, share, count)[number]
    return cells, weights


def _edges(centres: np.ndarray) -> np.ndarray:
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])
