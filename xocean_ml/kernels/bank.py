r"""A bank of one-sided exponential averages of a record, at scales from weeks to a decade.

For a scale :math:`\tau`, the past and the future of a series `x` (amounts) at step `t` are

.. math:: P_t = \frac{1}{W_t} \sum_{k \le t} e^{-(t_t - t_k)/\tau} x_k, \qquad
          F_t = \frac{1}{W_t} \sum_{k > t} e^{-(t_k - t_t)/\tau} x_k, \qquad
          W_t = \sum_k e^{-|t_t - t_k|/\tau} \Delta t_k ,

so that their sum is the two-sided average of the rate: 1 for a constant rate of 1, at the ends of
the record too. Uneven steps are nothing special. One recursion forward and one backward give all.

Three ways to take it: `averages` holds the bank, `energies` squares its two-sided sums (a
spectrum), `blend` weighs it and adds it up.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

__all__ = ["SCALES", "Weights", "averages", "between", "blend", "energies"]

SCALES = np.array([20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1280.0, 2560.0, 5120.0])
"""Scales of the bank, days."""


def averages(
    values: np.ndarray,
    days: np.ndarray,
    length: np.ndarray,
    scales: np.ndarray = SCALES,
    pool: int = 1,
) -> np.ndarray:
    """One-sided averages of the rate of `values`.

    Parameters
    ----------
    values : array, (time, columns)
        Amounts, 0 where missing.
    days : array, (time,)
        Days since the first step.
    length : array, (time,)
        Length of each step in days.
    scales : array, (scales,)
        Days.
    pool : int
        Steps of which only the mean is kept; the last group may be short.

    Returns
    -------
    array of float32, (scales, 2, time / pool, columns)
        Past (with the step itself) and future, per day.

    Examples
    --------
    >>> days = np.arange(6.0)
    >>> past, future = averages(np.ones((6, 1)), days, np.ones(6), np.array([3.0]))[0]
    >>> np.round((past + future)[:, 0], 6)
    array([1., 1., 1., 1., 1., 1.], dtype=float32)
    """
    steps, columns = values.shape
    out = np.zeros((len(scales), 2, -(-steps // pool), columns), np.float32)
    past, future, total = _factors(days, length, scales)
    _compiled("averages")(np.ascontiguousarray(values, np.float64), past, future, total, pool, out)
    return out


def energies(
    values: np.ndarray, days: np.ndarray, length: np.ndarray, scales: np.ndarray = SCALES
) -> np.ndarray:
    """Squares of two-sided averages: how much of a record's variance is how slow, and when.

    Parameters
    ----------
    values, days, length, scales
        As for `averages`.

    Returns
    -------
    array, (scales, time, columns)
        Square of the average rate times the scale and the median length of a step: of the order of
        one at all scales for white noise of variance one a step.

    Examples
    --------
    >>> days = np.arange(2000.0)
    >>> white = np.random.default_rng(0).normal(size=(2000, 1))
    >>> found = energies(white, days, np.ones(2000), np.array([10.0, 40.0]))
    >>> np.round(found.mean(axis=(1, 2)), 1)
    array([0.3, 0.3])
    """
    out = np.empty((len(scales), *values.shape))
    past, future, total = _factors(days, length, scales)
    unit = scales * np.median(length)
    _compiled("energies")(np.ascontiguousarray(values, np.float64), past, future, total, unit, out)
    return out


def blend(
    values: np.ndarray,
    days: np.ndarray,
    length: np.ndarray,
    weights: Weights,
    scales: np.ndarray = SCALES,
) -> tuple[np.ndarray, np.ndarray]:
    """Weigh the bank and add it up.

    Parameters
    ----------
    values, days, length, scales
        As for `averages`.
    weights : Weights
        For groups of steps; linear in between.

    Returns
    -------
    answer : array, (time, columns)
        Amounts.
    gate : array, (time, columns)
        Share of the adapted weights.
    """
    steps, columns = values.shape
    past, future, total = _factors(days, length, scales)
    lower, fraction = between(steps, weights.logit.shape[0])
    answer, gate = np.empty((steps, columns)), np.empty((steps, columns))
    _compiled("blend")(
        np.ascontiguousarray(values, np.float64),
        past,
        future,
        length / total,
        lower,
        fraction,
        *weights,
        gate,
        answer,
    )
    return answer, gate


class Weights(NamedTuple):
    """How to weigh the bank, for groups of steps; past and future of each scale in turn.

    Attributes
    ----------
    logit : array, (groups, columns)
        Of the gate.
    adapted : array, (2 scales, groups, columns)
        Weights where the gate is open.
    light : array, (2 scales, columns)
        Weights where it is shut.
    """

    logit: np.ndarray
    adapted: np.ndarray
    light: np.ndarray


def _factors(
    days: np.ndarray, length: np.ndarray, scales: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What past and future keep at each step, and the sum of all weights, (scales, time)."""
    keep = np.exp(-np.diff(days) / scales[:, None])
    past = np.pad(keep, ((0, 0), (1, 0)))
    future = np.pad(keep, ((0, 0), (0, 1)))
    total = np.empty(past.shape)
    _compiled("weigh")(past, future, np.asarray(length, np.float64), total)
    return past, future, total


def between(steps: int, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Where steps lie between the middles of groups: the group before, and how far beyond it.

    The rule of ``torch.nn.functional.interpolate`` without aligned corners.

    Examples
    --------
    >>> between(4, 2)
    (array([0, 0, 0, 1]), array([0.  , 0.25, 0.75, 0.25]))
    """
    at = np.maximum((np.arange(steps) + 0.5) * (groups / steps) - 0.5, 0.0)
    lower = np.minimum(at.astype(np.int64), groups - 1)
    return lower, at - lower


@cache
def _compiled(name: str) -> Any:
    import numba

    return numba.njit(nogil=True, cache=True)(_LOOPS[name])


def _weigh(past: Any, future: Any, length: Any, total: Any) -> None:
    for s in range(past.shape[0]):
        weight = 0.0
        for t in range(past.shape[1]):
            weight = weight * past[s, t] + length[t]
            total[s, t] = weight
        weight = 0.0
        for t in range(past.shape[1] - 2, -1, -1):
            weight = (weight + length[t + 1]) * future[s, t]
            total[s, t] += weight


def _energies(values: Any, past: Any, future: Any, total: Any, unit: Any, out: Any) -> None:
    steps, columns = values.shape
    now = np.empty(columns)
    for s in range(past.shape[0]):
        now[:] = 0.0
        for t in range(steps):
            for n in range(columns):
                now[n] = now[n] * past[s, t] + values[t, n]
                out[s, t, n] = now[n]
        now[:] = 0.0
        for back in range(steps):
            t = steps - 1 - back
            share = unit[s] / (total[s, t] * total[s, t])
            for n in range(columns):
                both = out[s, t, n] + now[n]
                out[s, t, n] = both * both * share
                # What the step before sees of the future.
                now[n] = (now[n] + values[t, n]) * (future[s, t - 1] if t > 0 else 0.0)


def _blend(
    values: Any,
    past: Any,
    future: Any,
    share: Any,
    lower: Any,
    fraction: Any,
    logit: Any,
    adapted: Any,
    light: Any,
    gate: Any,
    answer: Any,
) -> None:
    steps, columns = values.shape
    last = logit.shape[0] - 1
    now = np.zeros((past.shape[0], columns))
    for t in range(steps):
        g, h, f = lower[t], min(lower[t] + 1, last), fraction[t]
        for n in range(columns):
            z = logit[g, n] + f * (logit[h, n] - logit[g, n])
            gate[t, n] = 1.0 / (1.0 + np.exp(-z))
            answer[t, n] = 0.0
        for s in range(past.shape[0]):
            for n in range(columns):
                now[s, n] = now[s, n] * past[s, t] + values[t, n]
                w = adapted[2 * s, g, n] + f * (adapted[2 * s, h, n] - adapted[2 * s, g, n])
                w = light[2 * s, n] + gate[t, n] * (w - light[2 * s, n])
                answer[t, n] += w * now[s, n] * share[s, t]
    now[:] = 0.0
    for back in range(1, steps):
        t = steps - 1 - back
        g, h, f = lower[t], min(lower[t] + 1, last), fraction[t]
        for s in range(past.shape[0]):
            j = 2 * s + 1
            for n in range(columns):
                now[s, n] = (now[s, n] + values[t + 1, n]) * future[s, t]
                w = adapted[j, g, n] + f * (adapted[j, h, n] - adapted[j, g, n])
                w = light[j, n] + gate[t, n] * (w - light[j, n])
                answer[t, n] += w * now[s, n] * share[s, t]


def _averages(values: Any, past: Any, future: Any, total: Any, pool: int, out: Any) -> None:
    steps, columns = values.shape
    now = np.empty(columns)
    for s in range(past.shape[0]):
        now[:] = 0.0
        for t in range(steps):
            group = t // pool
            share = 1.0 / (total[s, t] * min(pool, steps - group * pool))
            for n in range(columns):
                now[n] = now[n] * past[s, t] + values[t, n]
                out[s, 0, group, n] += now[n] * share
        now[:] = 0.0
        for back in range(1, steps):
            t = steps - 1 - back
            group = t // pool
            share = 1.0 / (total[s, t] * min(pool, steps - group * pool))
            for n in range(columns):
                now[n] = (now[n] + values[t + 1, n]) * future[s, t]
                out[s, 1, group, n] += now[n] * share


_LOOPS: dict[str, Callable[..., Any]] = {
    "averages": _averages,
    "blend": _blend,
    "energies": _energies,
    "weigh": _weigh,
}
