r"""Closure: the smallest, smoothest correction that gives each window its sum back.

After smoothing, a window of time :math:`w` lacks an amount :math:`r_w`. The correction
:math:`e_t` that is added minimises, in each window,

.. math:: \sum_t \frac{m_t}{\bar m} \frac{e_t^2}{a_t} + \lambda \sum_t (e_{t+1} - e_t)^2
          + 2 \lambda (e_{first} - E_{left})^2 + 2 \lambda (e_{last} - E_{right})^2
          \quad\text{subject to}\quad \sum_{t \in w} m_t e_t = r_w ,

with :math:`m` the weights of the sum (length of step, cell volume) and :math:`a` where corrections
are cheap (spread squared, mean one; or uniform). :math:`E` is the correction's value at the border
of two windows, half a step away from either: the mean of what each would have there on its own
with :math:`\lambda = 0`. At the ends of the record there is no such term.

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
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from xocean_ml.device import namespace

__all__ = ["Running", "Windows", "stiffness"]


def stiffness(segments: np.ndarray) -> float:
    """The default :math:`\\lambda`: square of the mean number of steps in a window.

    A correction then changes over about one window's length: smooth across edges, yet local.

    Examples
    --------
    >>> stiffness(np.repeat([0, 1], 60))
    3600.0
    """
    count = int(segments.max()) + 1
    return float(len(segments) / count) ** 2


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
        xp = namespace(missing)
        found = xp.empty((operator.shape[0], missing.shape[1]))
        for window, (start, stop) in enumerate(pairwise([*self.first, len(self.segments)])):
            near = slice(max(window - 1, 0), window + 2)
            xp.matmul(operator[start:stop, near], missing[near], out=found[start:stop])
        return found

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
        return _Cost.of(self.segments, weights, cheap).correction(missing)

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
        return _Cost.of(self.segments, weights, None).correction(unit)


@dataclass(frozen=True)
class Running:
    """No windows: the running mean of what is missing is added back, and so the total is kept.

    Steps are taken as intervals of time with constant density. The boxcar is reflected at both
    ends, which makes its matrix symmetric in amounts: nothing is lost.

    Parameters
    ----------
    step_days : array, (time,)
        Length of each step in days.
    length : float
        Width of the running mean in days.
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
        """The correction that adds the running mean of what is missing.

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
        spread = xp.empty_like(missing)
        for t, (first, row) in enumerate(self.rows):
            spread[t] = xp.asarray(row) @ missing[first : first + len(row)]
        valid = weights != 0
        # What would fall on missing steps goes to the others, in proportion to their length.
        lost = (spread * ~valid).sum(axis=0)
        days = xp.asarray(self.step_days)[:, None] * valid
        total = days.sum(axis=0)
        share = xp.where(total > 0, lost / xp.where(total > 0, total, 1.0), 0.0)
        amount = xp.where(valid, spread + share * days, 0.0)
        return amount / xp.where(valid, weights, 1.0)

    @cached_property
    def rows(self) -> list[tuple[int, np.ndarray]]:
        """Matrix of the running mean of amounts: for each step, first column and entries."""
        edges, source = _mirrored(self.step_days, self.length / 2)
        start = int(np.searchsorted(edges, 0.0))
        half = self.length / 2
        rows = [
            _boxcar(edges, source, edges[start + t], edges[start + t + 1], half)
            for t in range(self.count)
        ]
        lost = np.zeros(self.count)
        for first, row in rows:
            part = slice(first, first + len(row))
            row[:] = row / self.step_days[part]
            lost[part] += row
        # Columns sum to one up to the rounding of squares of days; make it exact.
        return [(first, row / lost[first : first + len(row)]) for first, row in rows]


def _mirrored(step_days: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Edges of the steps and of their mirror images as far as `reach`, and whose image each is."""
    number = np.arange(len(step_days))
    bounces = int(np.ceil(reach / step_days.sum()))
    order = [number if k % 2 == 0 else number[::-1] for k in range(-bounces, bounces + 1)]
    source = np.concatenate(order)
    edges = np.concatenate([[0.0], np.cumsum(step_days[source])])
    return edges - edges[bounces * len(step_days)], source


def _boxcar(
    edges: np.ndarray, source: np.ndarray, start: float, stop: float, half: float
) -> tuple[int, np.ndarray]:
    """Integral of the boxcar over the interval and each step, images added to their step."""
    low = max(int(np.searchsorted(edges, start - half)) - 1, 0)
    high = min(int(np.searchsorted(edges, stop + half)) + 1, len(edges))
    points = edges[low:high]

    def ramp(x: np.ndarray) -> np.ndarray:
        return np.where(x > 0, x * x / 2, 0.0)

    inner = (
        ramp(points - start + half)
        - ramp(points - stop + half)
        - ramp(points - start - half)
        + ramp(points - stop - half)
    )
    owner = source[low : high - 1]
    row = np.bincount(owner - owner.min(), weights=np.diff(inner)) / (2 * half)
    return int(owner.min()), row


@dataclass(frozen=True)
class _Cost:
    """What a correction costs: price :math:`p_t` per step and stiffness of its gradient."""

    price: Any
    weights: Any
    stiff: float
    first: np.ndarray

    @classmethod
    def of(cls, segments: np.ndarray, weights: Any, cheap: Any) -> _Cost:
        """Prices, with `a` scaled to mean one over time; missing steps cost nothing."""
        xp = namespace(weights)
        valid = weights > 0
        count = xp.maximum(valid.sum(axis=0), 1)
        mean = weights.sum(axis=0) / count
        price = weights / xp.where(mean > 0, mean, 1.0)
        if cheap is not None:
            cheap = xp.where(valid, cheap, 0.0)
            level = cheap.sum(axis=0) / count
            # Where the spread vanishes all along, corrections are uniform; where it vanishes at
            # some steps only, these are dear but possible: a window may have no others.
            scaled = xp.where(level > 0, cheap / xp.where(level > 0, level, 1.0), 1.0)
            price = price / xp.maximum(scaled, 1e-2)
        first = np.flatnonzero(np.diff(segments, prepend=-1))
        return cls(price, weights, stiffness(segments), first)

    def correction(self, missing: Any) -> Any:
        """(windows, columns) to (time, columns)."""
        xp = namespace(missing)
        steps = len(self.weights)
        bounds = [*self.first, steps]
        borders = self._borders(missing)
        found = xp.empty((steps, missing.shape[1]))
        for w, (start, stop) in enumerate(pairwise(bounds)):
            left = borders[w - 1] if w > 0 else None
            right = borders[w] if w < len(borders) else None
            found[start:stop] = self._window(slice(start, stop), missing[w], left, right)
        return xp.where(self.weights > 0, found, 0.0)

    def _borders(self, missing: Any) -> Any:
        """Values of the correction at the borders, (windows - 1, columns)."""
        xp = namespace(missing)
        positive = self.price > 0
        shape = xp.where(positive, self.weights / xp.where(positive, self.price, 1.0), 0.0)
        lever = _window_sums(shape * self.weights, self.first)
        # Without stiffness e_t = mu a_t, and a_t is proportional to m_t / p_t.
        level = missing / xp.where(lever > 0, lever, 1.0)
        last = np.append(self.first[1:], len(self.weights)) - 1
        before = shape[last[:-1]] * level[:-1]
        after = shape[self.first[1:]] * level[1:]
        return (before + after) / 2

    def _window(self, part: slice, missing: Any, left: Any, right: Any) -> Any:
        """Thomas algorithm in one window, for the weights and the borders' pull together."""
        xp = namespace(missing)
        price, weights = self.price[part], self.weights[part]
        count = len(price)
        pull = xp.zeros((count, missing.shape[0]))
        diagonal = price + 0.0
        if count > 1:
            diagonal[:-1] += self.stiff
            diagonal[1:] += self.stiff
        for at, border in ((0, left), (count - 1, right)):
            if border is not None:
                diagonal[at] += 2 * self.stiff
                pull[at] += 2 * self.stiff * border
        # A window without a valid step and without borders has nothing to solve.
        diagonal = xp.where(diagonal > 0, diagonal, 1.0)
        lever = weights + 0.0
        for t in range(1, count):
            ratio = self.stiff / diagonal[t - 1]
            diagonal[t] -= self.stiff * ratio
            diagonal[t] = xp.where(diagonal[t] > 0, diagonal[t], 1.0)
            pull[t] += ratio * pull[t - 1]
            lever[t] += ratio * lever[t - 1]
        for t in reversed(range(count)):
            if t < count - 1:
                pull[t] += self.stiff * pull[t + 1]
                lever[t] += self.stiff * lever[t + 1]
            pull[t] /= diagonal[t]
            lever[t] /= diagonal[t]
        strength = (weights * lever).sum(axis=0)
        lack = missing - (weights * pull).sum(axis=0)
        return pull + lever * (lack / xp.where(strength > 0, strength, xp.inf))


def _window_sums(values: Any, first: np.ndarray) -> Any:
    xp = namespace(values)
    if xp is np:
        return np.add.reduceat(values, first, axis=0)
    stops = [*first[1:], values.shape[0]]
    return xp.stack([values[a:b].sum(axis=0) for a, b in zip(first, stops, strict=True)])
