r"""A bank of one-sided exponential averages of a record, at scales from weeks to a decade.

For a scale :math:`\tau`, the past and the future of a series `x` (amounts) at step `t` are

.. math:: P_t = \frac{1}{W_t} \sum_{k \le t} e^{-(t_t - t_k)/\tau} x_k, \qquad
          F_t = \frac{1}{W_t} \sum_{k > t} e^{-(t_k - t_t)/\tau} x_k, \qquad
          W_t = \sum_k e^{-|t_t - t_k|/\tau} \Delta t_k ,

so that their sum is the two-sided average of the rate: 1 for a constant rate of 1, at the ends of
the record too. Uneven steps are nothing special. One recursion forward and one backward give all.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

__all__ = ["SCALES", "averages"]

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
    _compiled()(np.ascontiguousarray(values, np.float64), days, length, scales, pool, out)
    return out


@cache
def _compiled() -> Any:
    import numba

    return numba.njit(nogil=True, cache=True)(_averages)


def _averages(values: Any, days: Any, length: Any, scales: Any, pool: int, out: Any) -> None:
    steps, columns = values.shape
    total = np.empty(steps)
    now = np.empty(columns)
    for s in range(scales.shape[0]):
        weight = 0.0
        for t in range(steps):
            keep = np.exp(-(days[t] - days[t - 1]) / scales[s]) if t > 0 else 0.0
            weight = weight * keep + length[t]
            total[t] = weight
        weight = 0.0
        for back in range(1, steps):
            t = steps - 1 - back
            weight = (weight + length[t + 1]) * np.exp(-(days[t + 1] - days[t]) / scales[s])
            total[t] += weight
        now[:] = 0.0
        for t in range(steps):
            keep = np.exp(-(days[t] - days[t - 1]) / scales[s]) if t > 0 else 0.0
            group = t // pool
            share = 1.0 / (total[t] * min(pool, steps - group * pool))
            for n in range(columns):
                now[n] = now[n] * keep + values[t, n]
                out[s, 0, group, n] += now[n] * share
        now[:] = 0.0
        for back in range(1, steps):
            t = steps - 1 - back
            keep = np.exp(-(days[t + 1] - days[t]) / scales[s])
            group = t // pool
            share = 1.0 / (total[t] * min(pool, steps - group * pool))
            for n in range(columns):
                now[n] = (now[n] + values[t + 1, n]) * keep
                out[s, 1, group, n] += now[n] * share
