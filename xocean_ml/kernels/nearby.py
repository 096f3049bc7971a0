"""Local optimal interpolation: each place from the observations nearest to it.

What is interpolated has a Gaussian correlation ``exp(-d^2 / (2 l^2))`` of the distance d (a chord
through the Earth, which is less than 1 % shorter than the arc below 3000 km) and a standard
deviation of its own at each place; observations have independent errors. The answer at a place is
``c^T (C + R)^-1 y`` with the nearest observations alone, and its error variance
``s^2 - c^T (C + R)^-1 c`` (Gandin 1963; Bretherton, Davis & Fandry 1976).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

__all__ = ["EARTH_RADIUS_KM", "crowding", "interpolate", "places"]

EARTH_RADIUS_KM = 6371.0

CUT = 3.0
"""Correlation lengths beyond which an observation says nothing: 1 % of correlation."""

LEAST_SHARED = 2.0**-10
"""Share of an error below which it makes no difference how little it is."""

COUNTED = 1.5
"""Correlation lengths within which neighbours are counted."""


def places(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Points on the unit sphere, (n, 3), of degrees.

    Examples
    --------
    >>> places(np.array([0.0, 90.0]), np.array([90.0, 0.0])).round(6) + 0.0
    array([[0., 1., 0.],
           [0., 0., 1.]])
    """
    lat, lon = np.deg2rad(latitude), np.deg2rad(longitude)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def crowding(points: np.ndarray, length: float, shared: np.ndarray | None = None) -> np.ndarray:
    """How many times an error of this correlation length is seen: the sum of its correlations.

    Errors that neighbours share do not average out: for what varies slowly, observations with
    them say as much as with independent ones of so many times the variance.

    Parameters
    ----------
    points : array, (m, 3)
        On the unit sphere.
    length : float
        Correlation length, km.
    shared : array, (m,), optional
        Share of the variance of each one's error that it has in common with its neighbours; 1 by
        default. Those that have little of it, having large errors of their own, tell of nothing
        that the others do not, and so count little for them; to a factor of two.

    Returns
    -------
    array, (m,)
        At least 1: neighbours within 1.5 lengths count with the mean correlation there, and what
        lies beyond as if they went on.

    Examples
    --------
    >>> crowding(places(np.zeros(2), np.array([0.0, 90.0])), 300.0)
    array([1., 1.])
    """
    radius = COUNTED * length / EARTH_RADIUS_KM
    share = np.ones(len(points)) if shared is None else np.clip(shared, LEAST_SHARED, 1)
    level, count = np.rint(np.log2(share)), np.zeros(len(points))
    # a tree counts, and does not add up: so one for each power of two
    for each in np.unique(level):
        mine = level == each
        share[mine] = share[mine].mean()
        near = cKDTree(points[mine]).query_ball_point(points, radius, return_length=True)
        count += share[mine][0] * near
    # of the plane's whole sum: over the disk that is counted it is 1 - exp(-1.5^2 / 2) of it
    mean = 2 / COUNTED**2
    return np.asarray(1 + (count / share - 1) * mean)


def interpolate(
    targets: np.ndarray,
    deviation: np.ndarray,
    points: np.ndarray,
    seen: np.ndarray,
    error: np.ndarray,
    values: np.ndarray,
    length: float,
    nearest: int = 24,
) -> tuple[np.ndarray, np.ndarray]:
    """Local optimal interpolation.

    Parameters
    ----------
    targets : array, (n, 3)
        On the unit sphere.
    deviation : array, (n,)
        Standard deviation of the field there.
    points : array, (m, 3)
        Observed places.
    seen : array, (m,)
        Standard deviation of the field there.
    error : array, (m,)
        Variance of the observations' errors.
    values : array, (many, m)
        Sets of observed values.
    length : float
        Correlation length, km.
    nearest : int
        Observations used at most.

    Returns
    -------
    array, (many, n)
        The field.
    array, (n,)
        Variance of its error.

    Examples
    --------
    >>> here = places(np.zeros(1), np.zeros(1))
    >>> one = np.ones(1)
    >>> field, variance = interpolate(here, one, here, one, one, np.array([[2.0]]), 300.0)
    >>> field, variance
    (array([[1.]]), array([0.5]))
    """
    reach = CUT * length / EARTH_RADIUS_KM
    many = min(nearest, len(points))
    found = cKDTree(points).query(targets, k=range(1, many + 1), distance_upper_bound=reach)[1]
    made = np.zeros((len(targets), len(values)))
    variance = np.empty(len(targets))
    scale = (EARTH_RADIUS_KM / length) ** 2 / 2
    arrays = (targets, deviation, points, seen, error, values.T)
    _compiled()(found.astype(np.int64), *map(_double, arrays), scale, made, variance)
    return made.T, variance


def _double(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, np.float64)


@cache
def _compiled() -> Any:
    import numba

    return numba.njit(nogil=True, cache=True)(_interpolate)


def _interpolate(
    found: Any,
    targets: Any,
    deviation: Any,
    points: Any,
    seen: Any,
    error: Any,
    values: Any,
    scale: Any,
    made: Any,
    variance: Any,
) -> None:
    """Each target by itself: its small system is solved in place, by Cholesky's factors."""
    count, most = found.shape
    near = np.empty((most, 3))
    matrix = np.empty((most, most))
    across = np.empty(most)
    weights = np.empty(most)
    for n in range(count):
        k = 0
        while k < most and found[n, k] < points.shape[0]:
            k += 1
        for i in range(k):
            a = found[n, i]
            square = 0.0
            for c in range(3):
                near[i, c] = points[a, c]
                square += (targets[n, c] - near[i, c]) ** 2
            across[i] = deviation[n] * seen[a] * np.exp(-scale * square)
            weights[i] = across[i]
            for j in range(i + 1):
                square = 0.0
                for c in range(3):
                    square += (near[i, c] - near[j, c]) ** 2
                matrix[i, j] = seen[a] * seen[found[n, j]] * np.exp(-scale * square)
            matrix[i, i] += error[a]
        for j in range(k):
            for i in range(j, k):
                total = matrix[i, j]
                for m in range(j):
                    total -= matrix[i, m] * matrix[j, m]
                if i == j:
                    # two observations of one place without errors say the same: one is enough
                    matrix[j, j] = np.sqrt(max(total, 1e-12 * matrix[j, j] + 1e-300))
                else:
                    matrix[i, j] = total / matrix[j, j]
        for i in range(k):
            for m in range(i):
                weights[i] -= matrix[i, m] * weights[m]
            weights[i] /= matrix[i, i]
        for i in range(k - 1, -1, -1):
            for m in range(i + 1, k):
                weights[i] -= matrix[m, i] * weights[m]
            weights[i] /= matrix[i, i]
        variance[n] = deviation[n] ** 2
        for i in range(k):
            variance[n] -= weights[i] * across[i]
            for m in range(values.shape[1]):
                made[n, m] += weights[i] * values[found[n, i], m]
        variance[n] = max(variance[n], 0.0)
