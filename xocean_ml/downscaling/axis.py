"""One horizontal axis: coarse cells, fine places on them, and how both are cut into blocks.

Everything is in numbers of coarse cells (`xocean_ml.kernels.lattice`); degrees, seams and
directions were dealt with before (`xocean_ml.downscaling.target`).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

import numpy as np

__all__ = ["Axis", "Cut", "Measure"]

OVER = 6
"""Coarse cells by which a whole globe goes on over its seam: interpolation, land filled."""


@dataclass(frozen=True)
class Cut:
    """A block of the output along one axis, and what it sees.

    Parameters
    ----------
    own : (int, int)
        Fine cells of the block.
    coarse : (int, int)
        Window of coarse cells; on an axis that closes on itself it may go over the ends.
    seen : (int, int)
        Fine cells in that window (of a guide, say); they may go over the ends, on an axis that
        closes on itself and where cells are told of beside the target's.
    """

    own: tuple[int, int]
    coarse: tuple[int, int]
    seen: tuple[int, int]

    @property
    def inner(self) -> slice:
        """The block's own cells among those seen."""
        return slice(self.own[0] - self.seen[0], self.own[1] - self.seen[0])


@dataclass(frozen=True)
class Measure:
    """Edges along one axis, in units in which areas are products of lengths.

    Parameters
    ----------
    fine, coarse : array, (n + 1,), (N + 1,)
        Of the fine cells that an `Axis` tells of, and of the coarse ones.
    """

    fine: np.ndarray
    coarse: np.ndarray

    def overlaps(self, axis: Axis, coarse: tuple[int, int], fine: np.ndarray) -> np.ndarray:
        """Lengths in common of a window of coarse cells and fine ones, by number."""
        turn, cell = np.divmod(fine, len(axis)) if axis.closed else (0, fine + axis.before)
        shift = turn * (self.coarse[-1] - self.coarse[0])
        low, high = self.fine[cell] + shift, self.fine[cell + 1] + shift
        number = np.arange(*coarse)
        turn, cell = np.divmod(number, axis.count)
        shift = turn * (self.coarse[-1] - self.coarse[0])
        first, last = self.coarse[cell] + shift, self.coarse[cell + 1] + shift
        upper = np.minimum(last[:, None], high)
        return np.maximum(upper - np.maximum(first[:, None], low), 0.0)


@dataclass(frozen=True)
class Axis:
    """Fine cells on the coarse cells of one axis.

    Parameters
    ----------
    places : array, (n,)
        Centres of the fine cells in units of coarse cells, increasing (on a guide that does not
        go round the globe: each where it is nearest).
    size : float
        Of a fine cell in coarse cells.
    count : int
        Coarse cells.
    wraps : bool
        Whether the coarse axis closes on itself.
    closed : bool
        Whether the fine one does, too.
    before, after : int
        How many of the places lie beside the target: a model that looks at fine cells sees those
        of a cropped target as it would those of the whole.

    Examples
    --------
    >>> axis = Axis((np.arange(12) + 0.5) / 3 - 0.5, 1 / 3, 4)
    >>> axis.cuts((2, 2), 1)[0]
    Cut(own=(0, 6), coarse=(0, 3), seen=(0, 9))
    """

    places: np.ndarray
    size: float
    count: int
    wraps: bool = False
    closed: bool = False
    before: int = 0
    after: int = 0

    def __len__(self) -> int:
        return len(self.places) - self.before - self.after

    def at(self, number: np.ndarray) -> np.ndarray:
        """Places of cells by number, over the ends too; the target's first is 0."""
        if not self.closed:
            return np.asarray(self.places[number + self.before])
        turn, cell = np.divmod(number, len(self))
        # On a guide that ends, each cell is told of where it is nearest, once.
        return np.asarray(self.places[cell] + turn * (self.count if self.wraps else 0))

    def cuts(self, chunks: Sequence[int], reach: int | None) -> tuple[Cut, ...]:
        """Blocks of fine cells, one for each chunk of coarse cells that holds any.

        Parameters
        ----------
        chunks : sequence of int
            Coarse cells in each chunk; ends that reach beyond an axis belong to the chunk there.
        reach : int or None
            Coarse cells seen on either side of those that a block lies on; None for all.
        """
        if reach is None:
            return (self._cut((0, len(self)), None),)
        edges = np.array([0, *itertools.accumulate(chunks)][1:-1]) - 0.5
        own = self.at(np.arange(len(self)))
        if self.wraps:
            turns = range(floor(own[0] / self.count), ceil(own[-1] / self.count) + 1)
            edges = np.concatenate([edges + turn * self.count for turn in turns])
            ends = np.array([turn * self.count - 0.5 for turn in turns])
            edges = np.sort(np.concatenate([edges, ends]))
        # A place on an edge, give or take rounding, belongs to the later chunk.
        breaks = np.searchsorted(own, edges - 1e-9)
        bounds = sorted({0, *breaks.tolist(), len(self)})
        return tuple(self._cut(each, reach) for each in itertools.pairwise(bounds))

    def _cut(self, own: tuple[int, int], reach: int | None) -> Cut:
        first, last = self.at(np.array([own[0], own[1] - 1]))
        low, high = floor(first + 0.5 + 1e-9), floor(last + 0.5 + 1e-9) + 1
        if reach is None:
            # All cells: where the axis closes, as they lie about the block, and on over the seam.
            rest = max(self.count - (high - low), 0) if self.wraps else self.count
            low, high = low - rest // 2 - OVER, high + rest - rest // 2 + OVER
        else:
            low, high = low - reach, high + reach
        if not self.wraps:
            low, high = max(low, 0), min(high, self.count)
        return Cut(own, (low, high), self._within(low, high, own))

    def _within(self, low: int, high: int, own: tuple[int, int]) -> tuple[int, int]:
        """Fine cells whose centres lie in a window, and at least the block's own."""
        if self.closed:
            # A window may be wider than the globe.
            lower, upper = low - self.places[-1], high - self.places[0]
            turns = floor(lower / self.count), ceil(upper / self.count)
            number = np.arange(turns[0] * len(self), (turns[1] + 1) * len(self))
        else:
            number = np.arange(-self.before, len(self) + self.after)
        a, b = np.searchsorted(self.at(number), np.array([low, high]) - 0.5 - 1e-9)
        return min(int(a + number[0]), own[0]), max(int(b + number[0]), own[1])

    def seen(self, cut: Cut) -> np.ndarray:
        """Places of the cells that a block sees, in its own window of coarse cells."""
        return self.at(np.arange(*cut.seen)) - cut.coarse[0]
