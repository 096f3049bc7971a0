"""What a coarse sensor makes of a field: a Gaussian footprint, over the sea alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..grid import Side
from ._gridded import Field, nearest
from ._orbits import RADIUS, Array

__all__ = ["FWHM", "Blur", "Cells"]

FWHM = float(2 * np.sqrt(2 * np.log(2)))
"""Full width at half maximum of a Gaussian, over its standard deviation."""
REACH = 3.5
"""Standard deviations after which a footprint ends."""
DEGREE = float(np.pi / 180 * RADIUS)  # km


@dataclass(frozen=True)
class Cells:
    """Centres and edges of the cells that a coarse sensor gives, degrees."""

    centres: Array
    edges: Array


class Blur:
    """A footprint on a field's grid.

    Parameters
    ----------
    field : Field
    footprint : float
        Full width at half maximum, km.

    Attributes
    ----------
    rows, columns : Cells
        Cells of half the footprint, or the field's own where those are larger.
    """

    def __init__(self, field: Field, footprint: float) -> None:
        north = field.rows
        middle = np.cos(np.deg2rad((north.edges[0] + north.edges[-1]) / 2))
        spacing = footprint / 2 / DEGREE
        self.rows = _cells(north, spacing)
        self.columns = _cells(field.columns, spacing / middle)
        self.sides = (self.rows.centres, self.columns.centres)
        sigma = footprint / FWHM / DEGREE
        self._down = _window(north, self.rows.centres, sigma)
        # Meridians meet: a footprint spans the more columns the nearer it is to a pole.
        metric = np.maximum(np.cos(np.deg2rad(self.rows.centres)), 1e-6)
        self._across = [
            _window(field.columns, self.columns.centres, min(each, 180.0))
            for each in sigma / metric
        ]
        self._area = np.cos(np.deg2rad(north.centres))[:, None]
        self._nearest = np.ix_(*map(nearest, (north, field.columns), self.sides))

    def __call__(self, slab: Array) -> Array:
        """Mean over the sea in the footprint of each cell; NaN where the cell is on land."""
        sea = np.isfinite(slab)
        total = self._sums(np.where(sea, slab, 0.0) * self._area)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = total / self._sums(sea * self._area)
        return np.where(sea[self._nearest], mean, np.nan)

    def _sums(self, values: Array) -> Array:
        rows, weights = self._down
        summed = np.einsum("rw,rwc->rc", weights, values[rows])
        return np.stack(
            [
                np.einsum("cw,cw->c", along, row[columns])
                for row, (columns, along) in zip(summed, self._across, strict=True)
            ]
        )


def _cells(side: Side, spacing: float) -> Cells:
    """Cells of about a size that fill the side."""
    first, last = side.edges[0], side.edges[-1]
    count = min(max(round((last - first) / spacing), 2), len(side))
    if count == len(side):
        return Cells(side.centres, side.edges)
    edges = np.linspace(first, last, count + 1)
    return Cells((edges[1:] + edges[:-1]) / 2, edges)


def _window(side: Side, places: Array, sigma: float) -> tuple[NDArray[np.int64], Array]:
    """Numbers of the centres near each place, and their weights: both (places, window)."""
    count, widths = len(side), np.diff(side.edges)
    most = (count - 1) // 2 if side.wraps else count - 1
    half = min(int(np.ceil(REACH * sigma / widths.min())), most)
    numbers = nearest(side, places)[:, None] + np.arange(-half, half + 1)
    known = (numbers >= 0) & (numbers < count) | side.wraps
    numbers = numbers % count
    apart = side.centres[numbers] - places[:, None]
    if side.wraps:
        apart = (apart + 180) % 360 - 180
    return numbers, known * widths[numbers] * np.exp(-0.5 * (apart / sigma) ** 2)
