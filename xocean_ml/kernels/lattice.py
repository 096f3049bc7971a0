"""Where the cells of a fine grid lie on a coarse one: plain numbers, in coarse cells.

A *lattice* is the fine grid as seen from the coarse grid, each axis by itself. Everything that
goes from coarse to fine (interpolation, networks) or back (area means) needs nothing else, so it
does not know of degrees, seams, or which way latitude runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Lattice", "overlaps", "positions", "regular"]


@dataclass(frozen=True)
class Lattice:
    """Cells of a fine grid on a coarse one.

    Parameters
    ----------
    rows, columns : array, (h,), (w,)
        Centres of the fine cells in units of coarse cells: 0 is the centre of the first coarse
        cell, 0.5 its edge. They increase.
    size : (float, float)
        Height and width of a fine cell in coarse cells: 1 / scale.

    Examples
    --------
    >>> regular((2, 2), 3).rows
    array([-0.33333333,  0.        ,  0.33333333,  0.66666667,  1.        ,
            1.33333333])
    """

    rows: np.ndarray
    columns: np.ndarray
    size: tuple[float, float]

    @property
    def shape(self) -> tuple[int, int]:
        """Fine cells along rows and columns."""
        return len(self.rows), len(self.columns)

    def window(self, rows: slice, columns: slice, first: tuple[int, int] = (0, 0)) -> Lattice:
        """The fine cells of a block, seen from a coarse window that begins at `first`."""
        return Lattice(self.rows[rows] - first[0], self.columns[columns] - first[1], self.size)

    def around(self, rows: slice, columns: slice, cells: int) -> tuple[slice, slice]:
        """The fine cells of a block, of its coarse cells, and of so many of these around it.

        Examples
        --------
        >>> regular((5, 5), 3).around(slice(7, 8), slice(0, 3), 1)
        (slice(3, 12, None), slice(0, 6, None))
        """
        made = []
        for part, places in ((rows, self.rows), (columns, self.columns)):
            first, last = places[part][[0, -1]]
            low = max(np.floor(first + 0.5 + 1e-9) - cells, 0) - 0.5
            high = np.floor(last + 0.5 + 1e-9) + 1 + cells - 0.5
            start, stop = np.searchsorted(places, [min(low, first) - 1e-9, high - 1e-9])
            made.append(slice(int(start), int(stop)))
        return made[0], made[1]


def regular(coarse: tuple[int, int], factor: float | tuple[float, float]) -> Lattice:
    """Cut every coarse cell into `factor` fine ones a side.

    A factor that is not whole gives the nearest whole number of cells on the same area.
    """
    factors = factor if isinstance(factor, tuple) else (factor, factor)
    counts = [round(n * f) for n, f in zip(coarse, factors, strict=True)]
    sizes = [n / count for n, count in zip(coarse, counts, strict=True)]
    rows, columns = (
        (np.arange(count) + 0.5) * size - 0.5 for count, size in zip(counts, sizes, strict=True)
    )
    return Lattice(rows, columns, (sizes[0], sizes[1]))


def positions(fine: np.ndarray, coarse: np.ndarray) -> np.ndarray:
    """Places of fine centres in units of coarse cells, linear between coarse centres.

    Parameters
    ----------
    fine, coarse : array
        Coordinates of the centres; both increase.

    Returns
    -------
    array
        As `Lattice.rows`; beyond the ends the last distance goes on.

    Examples
    --------
    >>> positions(np.array([9.0, 10.0, 12.5]), np.array([10.0, 11.0, 13.0]))
    array([-1.  ,  0.  ,  1.75])
    """
    number = np.arange(len(coarse), dtype=float)
    inside = np.interp(fine, coarse, number)
    below = (fine - coarse[0]) / (coarse[1] - coarse[0])
    above = number[-1] + (fine - coarse[-1]) / (coarse[-1] - coarse[-2])
    return np.where(fine < coarse[0], below, np.where(fine > coarse[-1], above, inside))


def overlaps(coarse: np.ndarray, fine: np.ndarray) -> np.ndarray:
    """How much of each fine cell lies in each coarse one, along an axis.

    Parameters
    ----------
    coarse, fine : array, (N + 1,), (n + 1,)
        Edges; both increase. For areas on a sphere take the sine of latitude.

    Returns
    -------
    array, (N, n)
        Lengths in common, in the unit of the edges.

    Examples
    --------
    >>> overlaps(np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.75, 1.5]))
    array([[0.75, 0.25],
           [0.  , 0.5 ]])
    """
    upper = np.minimum(coarse[1:, None], fine[None, 1:])
    lower = np.maximum(coarse[:-1, None], fine[None, :-1])
    return np.maximum(upper - lower, 0.0)
