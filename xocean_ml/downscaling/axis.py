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

__all__ = ["Axis", "Cut"]

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
        Fine cells in that window (of a guide, say); they may go over the ends likewise.
    """

    own: tuple[int, int]
    coarse: tuple[int, int]
    seen: tuple[int, int]

    @property
    def inner(self) -> slice:
        """The block's own cells among those seen."""
        return slice(self.own[0] - self.seen[0], self.own[1] - self.seen[0])


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

    def __len__(self) -> int:
        return len(self.places)

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
        if self.wraps:
            turns = range(
                floor(self.places[0] / self.count), ceil(self.places[-1] / self.count) + 1
            )
            edges = np.concatenate([edges + turn * self.count for turn in turns])
            ends = np.array([turn * self.count - 0.5 for turn in turns])
            edges = np.sort(np.concatenate([edges, ends]))
        # A place on an edge, give or take rounding, belongs to the later chunk.
        breaks = np.searchsorted(self.places, edges - 1e-9)
        bounds = sorted({0, *breaks.tolist(), len(self)})
        return tuple(self._cut(own, reach) for own in itertools.pairwise(bounds))

    def _cut(self, own: tuple[int, int], reach: int | None) -> Cut:
        low = floor(self.places[own[0]] + 0.5 + 1e-9)
        high = floor(self.places[own[1] - 1] + 0.5 + 1e-9) + 1
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
        turns = range(0, 1)
        if self.closed:
            # A window may be wider than the globe.
            lower, upper = low - self.places[-1], high - self.places[0]
            turns = range(floor(lower / self.count), ceil(upper / self.count) + 1)
        places = np.concatenate([self.places + turn * self.count for turn in turns])
        first = -turns[0] * len(self)
        a, b = np.searchsorted(places, np.array([low, high]) - 0.5 - 1e-9) - first
        return min(int(a), own[0]), max(int(b), own[1])

    def seen(self, cut: Cut) -> np.ndarray:
        """Places of the cells that a block sees, in its own window of coarse cells."""
        number = np.arange(*cut.seen)
        turn, cell = np.divmod(number, len(self))
        return self.places[cell] + turn * (self.count if self.wraps else 0) - cut.coarse[0]
