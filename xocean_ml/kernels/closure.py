r"""Closure: the smallest, smoothest correction that gives each window its sum back.

After smoothing, a window of time :math:`w` lacks an amount :math:`r_w`. The correction
:math:`e_t` that is added minimises, in each window,

.. math:: \sum_t \frac{m_t}{\bar m} \frac{e_t^2}{a_t} + \lambda \sum_t (e_{t+1} - e_t)^2
          + 2 \lambda (e_{first} - E_{left})^2 + 2 \lambda (e_{last} - E_{right})^2
          \quad\text{subject to}\quad \sum_{t \in w} m_t e_t = r_w ,

with :math:`m` the weights of the sum (length of step, cell volume), :math:`a` where corrections
are cheap (spread squared, mean one in the window; or uniform) and :math:`\lambda` the square of
the number of steps: a correction changes over about a window's length. :math:`E` is the
correction's value at the border of two windows, half a step away from either: the mean of what
each would have there on its own with :math:`\lambda = 0`. At the ends of the record there is no
such term.

With :math:`\lambda = 0` this is a constant per window, which makes a new pulse at every border.
Three properties follow from the form:

- the gradient is taken of the correction, not of the result, so a series that closes already is
  left as it is: closing twice is closing once;
- a window's correction depends on what it and its two neighbours lack, and on nothing else, so
  cropping a series leaves inner windows as they were, and a long record can be closed in parts;
- with uniform `a` it is one small matrix for all columns.

Everything is float64 on numpy or cupy arrays, columns last.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from xocean_ml.device import namespace, to_numpy

__all__ = ["Windows", "spread"]


def spread(operator: Any, missing: Any) -> Any:
    """`operator` times `missing`, each step by itself and its windows in order.

    A product by BLAS may round a column otherwise when it stands beside others; here the same
    numbers give the same bits in any chunking.

    Parameters
    ----------
    operator : array, (time, windows)
        As `Windows.operator` gives it, or a part of it; mostly zeros.
    missing : array, (windows, columns)

    Returns
    -------
    array, (time, columns)
    """
    xp = namespace(missing)
    found = xp.zeros((operator.shape[0], missing.shape[1]))
    add = _compiled_add() if xp is np else _add
    for window in range(operator.shape[1]):
        steps = np.flatnonzero(to_numpy(operator[:, window]))
        if len(steps):
            part = slice(int(steps[0]), int(steps[-1]) + 1)
            add(found[part], operator[part, window], missing[window])
    return found


def _add(found: Any, factor: Any, values: Any) -> None:
    for t in range(len(found)):
        found[t] += factor[t] * values


@cache
def _compiled_add() -> Any:
    import numba

    return numba.njit(nogil=True, cache=True)(_add)


@dataclass(frozen=True)
class Windows:
    """Fixed windows of time, each keeping its own sum.

    Parameters
    ----------
    segments : array of int, (time,)
        Window of each step: 0, 0, ..., 1, 1, ...; ascending and without gaps.
    """

    segments: np.ndarray

    @property
    def count(self) -> int:
        """Number of windows."""
        return int(self.segments.max()) + 1

    @cached_property
    def first(self) -> np.ndarray:
        """First step of each window."""
        return np.flatnonzero(np.diff(self.segments, prepend=-1))

    def sums(self, values: Any) -> Any:
        """Sum over each window: (time, columns) to (windows, columns)."""
        return _window_sums(values, self.first)

    def apply(self, operator: Any, missing: Any) -> Any:
        """`operator` times `missing`: only a window and its neighbours count.

        Parameters
        ----------
        operator : array, (time, windows)
            As `operator` gives it.
        missing : array, (windows, columns)

        Returns
        -------
        array, (time, columns)
        """
        return spread(operator, missing)

    def correct(self, missing: Any, weights: Any, cheap: Any = None) -> Any:
        """The correction that adds what is missing.

        Parameters
        ----------
        missing : array, (windows, columns)
            Amount that each window lacks.
        weights : array, (time, columns) or (time, 1)
            Weights :math:`m` of the sum; 0 where a step is missing.
        cheap : array, (time, columns) or (time, 1), optional
            :math:`a`; uniform if None.

        Returns
        -------
        array, (time, columns)
            :math:`e`, to be added to the values.
        """
        if cheap is None and weights.shape[1] == 1:
            return self.apply(self.operator(weights), missing)
        return _correction(self.first, missing, weights, cheap)

    def operator(self, weights: Any) -> Any:
        """Matrix from what windows lack to the correction, for weights shared by all columns.

        Parameters
        ----------
        weights : array, (time, 1)

        Returns
        -------
        array, (time, windows)
        """
        unit = namespace(weights).eye(self.count)
        return _correction(self.first, unit, weights, None)


def _correction(first: np.ndarray, missing: Any, weights: Any, cheap: Any) -> Any:
    """The correction window by window, (time, columns)."""
    xp = namespace(missing)
    parts = [slice(a, b) for a, b in pairwise([*first, len(weights)])]
    shapes = [_shape(weights[part], None if cheap is None else cheap[part]) for part in parts]
    alone = []
    for w, (part, shape) in enumerate(zip(parts, shapes, strict=True)):
        # Without stiffness e_t = mu a_t.
        lever = (weights[part] * shape).sum(axis=0)
        level = missing[w] / xp.where(lever > 0, lever, 1.0)
        alone.append((shape[0] * level, shape[-1] * level))
    found = xp.empty((len(weights), missing.shape[1]))
    for w, (part, shape) in enumerate(zip(parts, shapes, strict=True)):
        left = (alone[w - 1][1] + alone[w][0]) / 2 if w > 0 else None
        right = (alone[w][1] + alone[w + 1][0]) / 2 if w + 1 < len(parts) else None
        found[part] = _window(weights[part], shape, missing[w], left, right)
    return xp.where(weights > 0, found, 0.0)


def _shape(weights: Any, cheap: Any) -> Any:
    """`a` of one window with mean one over its steps; 0 where a step is missing."""
    xp = namespace(weights)
    valid = weights > 0
    if cheap is None:
        return valid.astype(np.float64)
    cheap = xp.where(valid, cheap, 0.0)
    level = cheap.sum(axis=0) / xp.maximum(valid.sum(axis=0), 1)
    # Where the spread vanishes all along, corrections are uniform; where it vanishes at some
    # steps only, these are dear but possible.
    scaled = xp.where(level > 0, cheap / xp.where(level > 0, level, 1.0), 1.0)
    return valid * xp.maximum(scaled, 1e-2)


def _window(weights: Any, shape: Any, missing: Any, left: Any, right: Any) -> Any:
    """One window: price plus stiffness, the pull of the borders, and one multiplier."""
    xp = namespace(missing)
    steps = len(weights)
    stiff = float(steps) ** 2
    count = xp.maximum((weights > 0).sum(axis=0), 1)
    mean = weights.sum(axis=0) / count
    price = weights / xp.where(mean > 0, mean, 1.0) / xp.where(shape > 0, shape, 1.0)
    pull = xp.zeros((steps, missing.shape[0]))
    diagonal = price + pull
    if steps > 1:
        diagonal[:-1] += stiff
        diagonal[1:] += stiff
    for at, border in ((0, left), (steps - 1, right)):
        if border is not None:
            diagonal[at] += 2 * stiff
            pull[at] += 2 * stiff * border
    lever = weights + xp.zeros_like(pull)
    solve = _compiled_thomas() if xp is np else _thomas
    solve(diagonal, stiff, pull, lever)
    strength = (weights * lever).sum(axis=0)
    lack = missing - (weights * pull).sum(axis=0)
    return pull + lever * (lack / xp.where(strength > 0, strength, xp.inf))


def _thomas(diagonal: Any, stiff: float, pull: Any, lever: Any) -> None:
    """Solve the tridiagonal system for two right-hand sides, in place, all columns at once."""
    count = diagonal.shape[0]
    # A window with neither a valid step nor a border has nothing to solve: divide by one.
    diagonal[0] += diagonal[0] <= 0
    for t in range(1, count):
        ratio = stiff / diagonal[t - 1]
        diagonal[t] -= stiff * ratio
        diagonal[t] += diagonal[t] <= 0
        pull[t] += ratio * pull[t - 1]
        lever[t] += ratio * lever[t - 1]
    pull[count - 1] /= diagonal[count - 1]
    lever[count - 1] /= diagonal[count - 1]
    for t in range(count - 2, -1, -1):
        pull[t] = (pull[t] + stiff * pull[t + 1]) / diagonal[t]
        lever[t] = (lever[t] + stiff * lever[t + 1]) / diagonal[t]


@cache
def _compiled_thomas() -> Any:
    import numba

    return numba.njit(nogil=True, cache=True)(_thomas)


def _window_sums(values: Any, first: np.ndarray) -> Any:
    xp = namespace(values)
    if xp is np:
        return np.add.reduceat(values, first, axis=0)
    stops = [*first[1:], values.shape[0]]
    return xp.stack([values[a:b].sum(axis=0) for a, b in zip(first, stops, strict=True)])
