r"""Closure without windows: the slow part of what is missing is added back.

The slow part of a rate :math:`m` (amount per day) is the smoothest curve near it, the minimum of

.. math:: \int (c - m)^2 \, dt + \Big(\frac{P}{2\pi}\Big)^4 \int c''^2 \, dt ,

whose response at period :math:`p` is :math:`1 / (1 + (P/p)^4)` with :math:`P` half the named
length: half of the amplitude passes at half of it, 94 % at the length itself, 99.8 % at two and a
half times the length (five years, for two). A running mean of the same length lets nothing pass at
the length itself and three quarters at two and a half times, and has side lobes: multi-year means
lose more of the raw signal.

Constants and trends pass whole, so the total is kept, at the ends of the record too, and steps
may be uneven or missing. Everything is float64 on numpy or cupy arrays, columns last.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np

from xocean_ml.device import namespace

__all__ = ["Running"]

HALF = 1 / 2
"""Period of which half the amplitude passes, over the named length."""


@dataclass(frozen=True)
class Running:
    """No windows: the slow part of what is missing is added back, and so the total is kept.

    Parameters
    ----------
    step_days : array, (time,)
        Length of each step in days.
    length : float
        What is slow: days.
    """

    step_days: np.ndarray
    length: float

    @property
    def segments(self) -> np.ndarray:
        """Each step is summed on its own."""
        return np.arange(len(self.step_days))

    @property
    def count(self) -> int:
        """Number of sums: one per step."""
        return len(self.step_days)

    def sums(self, values: Any) -> Any:
        """Sums over each step, which are the values."""
        return values

    def correct(self, missing: Any, weights: Any, cheap: Any = None) -> Any:
        """The correction that adds the slow part of what is missing.

        Parameters
        ----------
        missing : array, (time, columns)
            Amount that each step lacks.
        weights : array, (time, columns) or (time, 1)
            Weights of the sum; 0 where a step is missing.
        cheap : ignored

        Returns
        -------
        array, (time, columns)
            To be added to the values.
        """
        xp = namespace(missing)
        valid = weights != 0
        days = xp.asarray(self.step_days)[:, None] * valid
        amount = xp.where(valid, missing, 0.0)
        slow = amount + 0.0
        diagonal, near, far = self.stiffness
        solve = _compiled() if xp is np else _solve
        # Where all columns have the same steps, they share the factors.
        together = valid.shape[1] == 1 or bool((valid == valid[:, :1]).all())
        solve(days[:, :1] + 0.0 if together else days + 0.0, diagonal, near, far, slow)
        # What rounding took of the total is given back to all days alike.
        found = slow * days
        total = days.sum(axis=0)
        lost = (amount - found).sum(axis=0) / xp.where(total > 0, total, 1.0)
        return (found + lost * days) / xp.where(valid, weights, 1.0)

    @cached_property
    def stiffness(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Bands of the penalty on curvature: the diagonal, its neighbours, and theirs."""
        days = self.step_days
        count = len(days)
        # Curvature at step t is the change of slope between the middles of neighbouring steps.
        between = 2 / (days[1:] + days[:-1])
        bands = np.zeros(count), np.zeros(count), np.zeros(count)
        strength = (HALF * self.length / (2 * np.pi)) ** 4
        for t in range(1, count - 1):
            row = np.array([between[t - 1], -between[t - 1] - between[t], between[t]])
            outer = strength * np.outer(row, row) / days[t]
            for offset, band in enumerate(bands):
                band[t - 1 : t + 2 - offset] += np.diagonal(outer, offset)
        return bands


def _solve(days: Any, diagonal: Any, near: Any, far: Any, slow: Any) -> None:
    """Solve (days + stiffness) c = amounts in place: L D L' with two lower bands."""
    count = len(slow)
    least = 1e-12 * (days.sum() / days.size + diagonal.max())
    first = np.zeros_like(days)
    second = np.zeros_like(days)
    pivot = days
    for t in range(count):
        pivot[t] += diagonal[t]
        if t > 1:
            second[t] = far[t - 2] / pivot[t - 2]
            pivot[t] -= second[t] ** 2 * pivot[t - 2]
            slow[t] -= second[t] * slow[t - 2]
        if t > 0:
            coupled = near[t - 1]
            if t > 1:
                first[t] = (coupled - second[t] * first[t - 1] * pivot[t - 2]) / pivot[t - 1]
            else:
                first[t] = coupled / pivot[t - 1]
            pivot[t] -= first[t] ** 2 * pivot[t - 1]
            slow[t] -= first[t] * slow[t - 1]
        # Without two valid steps a constant or a trend is free: it is set to nothing.
        pivot[t] += least * (pivot[t] <= least)
    for t in range(count - 1, -1, -1):
        slow[t] /= pivot[t]
        if t + 1 < count:
            slow[t] -= first[t + 1] * slow[t + 1]
        if t + 2 < count:
            slow[t] -= second[t + 2] * slow[t + 2]


@cache
def _compiled() -> Any:
    import numba

    return numba.njit(nogil=True, cache=True)(_solve)
