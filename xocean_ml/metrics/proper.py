"""Scores of ensembles as plain arrays: members (M, ...) against a truth (...).

"Fair" scores are those that the ensemble's distribution would have with infinitely many members,
in expectation: ensembles of different sizes can be compared.

References
----------
Ferro (2014), Fair scores for ensemble forecasts, QJRMS 140, 1917-1923, doi:10.1002/qj.2270.
Gneiting, Raftery, Westveld and Goldman (2005), Calibrated probabilistic forecasting using ensemble
model output statistics and minimum CRPS estimation, MWR 133, 1098-1118, doi:10.1175/MWR2904.1.
Gneiting and Raftery (2007), Strictly proper scoring rules, prediction, and estimation, JASA 102,
359-378, doi:10.1198/016214506000001437.
Scheuerer and Hamill (2015), Variogram-based proper scoring rules for probabilistic forecasts of
multivariate quantities, MWR 143, 1321-1334, doi:10.1175/MWR-D-14-00269.1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["LAGS", "crps", "crps_normal", "energy", "inside", "ranks", "variogram"]

LAGS = (1, 2, 4, 8)
"""Cells between the two of a pair, of the variogram score."""

_LOW, _HIGH = 0.05, 0.95
_FEWEST = 19
"""Members from which the 5 % quantile lies between two of them: 0.05 (M + 1) >= 1."""


def crps(members: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Fair continuous ranked probability score of each cell (Ferro 2014).

    ``mean_i |x_i - y| - sum_ij |x_i - x_j| / (2 M (M - 1))``; ``|x - y|`` of one member.

    Parameters
    ----------
    members : ndarray, shape (M, ...)
    truth : ndarray, shape (...)

    Returns
    -------
    ndarray, shape (...)
        In the units of the members; 0 is best, and what is below it is chance.

    Examples
    --------
    >>> crps(np.array([[0.0], [2.0]]), np.array([1.0]))
    array([0.])
    """
    count = len(members)
    error = np.abs(members - truth).mean(axis=0)
    if count == 1:
        return error
    # Sorted, the double sum is a single one: sum_ij |x_i - x_j| = 2 sum_k (2 k - M - 1) x_(k).
    weight = (2.0 * np.arange(1, count + 1) - count - 1) / (count * (count - 1))
    ordered = np.sort(members - truth, axis=0)
    return error - np.tensordot(weight, ordered, axes=1)


def crps_normal(mean: Any, spread: Any, truth: Any) -> Any:
    """Continuous ranked probability score of a normal distribution, in closed form.

    ``s (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi))`` with ``z = (y - m) / s``. It makes a rival
    of a map without members: give it the root mean square error of its training as a constant
    spread.

    Parameters
    ----------
    mean, spread, truth : float, ndarray or DataArray
        m, s and y, in the same units; shapes that broadcast.

    Returns
    -------
    float, ndarray or DataArray
        In the same units; ``|y - m|`` where the spread is 0, NaN where it is negative.

    References
    ----------
    Gneiting, Raftery, Westveld and Goldman (2005), MWR 133, 1098-1118, doi:10.1175/MWR2904.1.
    Gneiting and Raftery (2007), JASA 102, 359-378, doi:10.1198/016214506000001437, section 4.2.

    Examples
    --------
    The least that a normal distribution can score where it is right on average:

    >>> round(float(crps_normal(0.0, 1.0, 0.0)), 4)
    0.2337
    """
    from scipy.special import ndtr

    error = truth - mean
    with np.errstate(over="ignore", invalid="ignore"):
        # A spread of 0 gives an infinite z, or 0; the root passes a negative one on as NaN.
        z = error / np.maximum(spread, np.finfo(float).tiny) + 0 * np.sqrt(spread)
        density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
        return error * (2 * ndtr(z) - 1) + spread * (2 * density - 1 / np.sqrt(np.pi))


def ranks(members: np.ndarray, truth: np.ndarray, random: np.ndarray) -> np.ndarray:
    """How many members lie below the truth, 0 to M; among equals, a place drawn at random.

    Parameters
    ----------
    members : ndarray, shape (M, ...)
    truth, random : ndarray, shape (...)
        Random numbers from 0 to below 1.

    Returns
    -------
    ndarray of int, shape (...)

    Examples
    --------
    >>> ranks(np.array([[1.0, 0.0], [3.0, 0.0]]), np.array([2.0, 0.0]), np.array([0.5, 0.9]))
    array([1, 2])
    """
    below = np.count_nonzero(members < truth, axis=0)
    equal = np.count_nonzero(members == truth, axis=0)
    return below + np.floor(random * (equal + 1)).astype(int)


def inside(members: np.ndarray, truth: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """Share of the truth, 0 to 1, that lies between the quantiles of 5 % and 95 %.

    A truth of rank r among M members is somewhere between the quantiles ``r / (M + 1)`` and
    ``(r + 1) / (M + 1)``: what of that lies within 0.05 to 0.95 is counted. A truth that is drawn
    as the members are gives 0.9, whatever they are drawn from. With fewer than 19 members the
    quantiles lie beyond the outermost; then the truth is inside if
    ``|y - mean| <= t s sqrt(1 + 1 / M)``, t the 95 % quantile of Student's distribution with
    M - 1 degrees of freedom, s the members' standard deviation: 0.9 of normal members.

    Parameters
    ----------
    members : ndarray, shape (M, ...)
    truth, rank : ndarray, shape (...)
        The rank as `ranks` gives it.

    Returns
    -------
    ndarray, shape (...)
        NaN of one member.

    Examples
    --------
    >>> members = np.arange(24.0)[:, None]
    >>> inside(members, np.array([11.5]), np.array([12])), inside(members, -1.0, np.array([0]))
    (array([1.]), array([0.]))
    """
    count = len(members)
    if count >= _FEWEST:
        edges = np.clip(np.arange(count + 2) / (count + 1), _LOW, _HIGH)
        return (np.diff(edges) * (count + 1))[rank]
    if count == 1:
        return np.full(rank.shape, np.nan)
    from scipy.special import stdtrit

    reach = stdtrit(count - 1, _HIGH) * np.sqrt(1 + 1 / count) * members.std(axis=0, ddof=1)
    return (np.abs(truth - members.mean(axis=0)) <= reach).astype(float)


def energy(members: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> float:
    """Fair energy score of a map (Gneiting and Raftery 2007, section 4.3; here M (M - 1) for M^2).

    ``mean_i |x_i - y| - sum_ij |x_i - x_j| / (2 M (M - 1))``, where ``|v|`` is the root of the
    weighted mean square of a map; ``|x - y|`` of one member.

    Parameters
    ----------
    members : ndarray, shape (M, cells)
    truth, weight : ndarray, shape (cells,)

    Returns
    -------
    float
        In the units of the members.

    Examples
    --------
    >>> energy(np.full((3, 2), 1.0), np.zeros(2), np.ones(2))
    1.0
    """
    scale = np.sqrt(weight / weight.sum())
    error = (members - truth) * scale
    away = float(np.linalg.norm(error, axis=1).mean())
    count = len(members)
    if count == 1:
        return away
    # About their mean, so that little is lost in the differences of squares.
    about = error - error.mean(axis=0)
    product = about @ about.T
    square = np.diag(product)
    apart = np.sqrt(np.maximum(square[:, None] + square - 2 * product, 0.0))
    np.fill_diagonal(apart, 0.0)
    return away - float(apart.sum()) / (2 * count * (count - 1))


def variogram(
    members: np.ndarray, truth: np.ndarray, known: np.ndarray, weight: np.ndarray
) -> tuple[float, float]:
    """Fair variogram score of order 0.5 of a map (Scheuerer and Hamill 2015, made fair).

    ``sum_ab w_ab ((v_ab - m_ab)^2 - s_ab^2 / M)`` where ``v = |y_a - y_b|^0.5``, m and s are the
    mean and standard deviation over the members of ``|x_ia - x_ib|^0.5``. The last term, which is
    the sampling variance of m, is not in the paper (and not here of one member). The pairs are
    cells 1, 2, 4 and 8 apart along a row or a column; ``w_ab`` is the mean weight of the cells
    over their distance in cells.

    Parameters
    ----------
    members : ndarray, shape (M, rows, columns)
    truth : ndarray, shape (rows, columns)
    known : ndarray of bool, shape (rows, columns)
        Cells of which pairs are made; the others may hold anything, but no NaN.
    weight : ndarray, shape (rows, columns)
        Such as the area of the cells.

    Returns
    -------
    score : float
        In the units of the members, times those of the weight.
    total : float
        Sum of the weights ``w_ab``, 0 without pairs.

    Examples
    --------
    >>> truth = np.array([[0.0, 1.0, 0.0]])
    >>> variogram(0 * truth[None], truth, truth >= 0, np.ones((1, 3)))
    (2.0, 2.5)
    """
    score = total = 0.0
    count = len(members)
    for axis in (0, 1):
        for lag in (each for each in LAGS if each < truth.shape[axis]):
            first, second = _pair(axis, lag)
            pair = (weight[first] + weight[second]) * (known[first] & known[second]) / (2 * lag)
            seen = np.sqrt(np.abs(truth[first] - truth[second]))
            each = np.sqrt(np.abs(members[:, *first] - members[:, *second]))
            mean = each.mean(axis=0)
            gap = (seen - mean) ** 2
            if count > 1:
                gap -= np.square(each - mean).sum(axis=0) / (count * (count - 1))
            score += float((pair * gap).sum())
            total += float(pair.sum())
    return score, total


def _pair(axis: int, lag: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where the first and the second cells of all pairs lie."""
    every, first, second = slice(None), slice(None, -lag), slice(lag, None)
    return ((first, every), (second, every)) if axis == 0 else ((every, first), (every, second))
