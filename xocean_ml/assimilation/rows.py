"""What observations see of the state: a few cells each, with weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xocean_ml.assimilation.state import State
from xocean_ml.kernels.lattice import positions
from xocean_ml.kernels.nearby import places

__all__ = ["Rows", "bilinear", "joined", "own"]

CORNERS = 4


@dataclass(frozen=True, eq=False)
class Rows:
    """The linear map from the state to m observations.

    Parameters
    ----------
    cell : array of int, (m, corners)
        Cells of the state's vector that each sees.
    weight : array, (m, corners)
        Their weights, which add up to 1.
    field : array of int, (m,)
        Number of the field.
    point : array, (m, 3)
        Where it is, on the unit sphere.
    """

    cell: np.ndarray
    weight: np.ndarray
    field: np.ndarray
    point: np.ndarray

    def __len__(self) -> int:
        return len(self.cell)

    def of(self, vector: np.ndarray) -> np.ndarray:
        """What is seen, (m,), of a vector (n,)."""
        return np.asarray((vector[self.cell] * self.weight).sum(axis=1))

    def weighted(self, patterns: np.ndarray) -> np.ndarray:
        """What is seen, (m, K), of patterns (K, n)."""
        made = np.zeros((len(self), len(patterns)))
        for corner in range(self.cell.shape[1]):
            made += patterns[:, self.cell[:, corner]].T * self.weight[:, corner, None]
        return made

    def some(self, keep: np.ndarray) -> Rows:
        """Some of the observations."""
        return Rows(self.cell[keep], self.weight[keep], self.field[keep], self.point[keep])


def own(state: State, field: int) -> Rows:
    """Every known cell of one field, seen as it is."""
    part = state.parts[field]
    number = np.arange(part.start, part.stop)[:, None]
    return Rows(number, np.ones(number.shape), np.full(len(number), field), state.points[part])


def joined(several: list[Rows]) -> Rows:
    """Observations one after the other."""
    corners = max(each.cell.shape[1] for each in several)

    def wide(values: np.ndarray) -> np.ndarray:
        # further corners repeat the first cell with no weight
        more = corners - values.shape[1]
        fill = values[:, :1] if values.dtype.kind == "i" else np.zeros((len(values), 1))
        return np.concatenate([values, *[fill] * more], axis=1)

    return Rows(
        np.concatenate([wide(each.cell) for each in several]),
        np.concatenate([wide(each.weight) for each in several]),
        np.concatenate([each.field for each in several]),
        np.concatenate([each.point for each in several]),
    )


def bilinear(
    state: State, field: int, latitude: np.ndarray, longitude: np.ndarray
) -> tuple[Rows, np.ndarray]:
    """Observations at points: linear between the four cells around each that are known.

    Parameters
    ----------
    state : State
    field : int
        Number of the field.
    latitude, longitude : array, (m,)
        Degrees, in any range of longitudes.

    Returns
    -------
    Rows
        Of the points that can be seen.
    array of bool, (m,)
        Which these are: within the outer cells of the grid, and not surrounded by land alone.
    """
    rows, columns = state.shape
    y, inside_y = _clipped(state.latitude, positions(latitude, state.latitude))
    x = state.columns_of(longitude)
    inside_x = np.ones(len(x), bool)
    if state.wraps:
        inside_y |= _polar(state.latitude, latitude)
    else:
        x, inside_x = _clipped(state.longitude, x)
    low_y, low_x = np.floor(y).astype(int), np.floor(x).astype(int)
    shares = (y - low_y, x - low_x)
    cells, weights = [], []
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        row = np.clip(low_y + i, 0, rows - 1)
        column = (low_x + j) % columns if state.wraps else np.clip(low_x + j, 0, columns - 1)
        cells.append(state.index[field, row, column])
        weights.append(np.abs(1 - i - shares[0]) * np.abs(1 - j - shares[1]))
    cell, weight = np.stack(cells, axis=1), np.stack(weights, axis=1)
    weight = np.where(cell >= 0, weight, 0.0)
    total = weight.sum(axis=1)
    seen = inside_y & inside_x & (total > 1e-6)
    # in place of land the cell that counts most, with no weight: it is of the same field
    most = np.take_along_axis(cell, weight.argmax(axis=1)[:, None], axis=1)
    made = Rows(
        np.where(cell >= 0, cell, most)[seen],
        weight[seen] / total[seen, None],
        np.full(int(seen.sum()), field),
        places(latitude[seen], longitude[seen]),
    )
    return made, seen


def _clipped(centres: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places, moved to the outer centres from the outer half cells, and which are in."""
    last = len(centres) - 1
    inside = (place >= -0.5 - 1e-9) & (place <= last + 0.5 + 1e-9)
    return np.clip(place, 0, last), inside


def _polar(centres: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Between the outer rows of a globe and the poles, less than a cell away: these are seen."""
    south = 2 * centres[0] - centres[1] <= -90 + 1e-6
    north = 2 * centres[-1] - centres[-2] >= 90 - 1e-6
    return (south & (at >= -90) & (at < centres[0])) | (north & (at <= 90) & (at > centres[-1]))
