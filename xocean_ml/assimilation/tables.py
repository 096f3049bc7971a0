"""From values to anomalies that are nearly normal, and back: climatology and transforms.

Of each cell and month the climatology holds a mean and a standard deviation, of the values or, for
what is positive and skewed, of their cube root: the cube root of a gamma variate is very nearly
normal (Wilson & Hilferty 1931), zero has one, and the way back has moments in closed form.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np

__all__ = ["CUBE", "MONTHS", "PHASES", "Moment", "Tables", "climatology", "raised", "root"]

MONTHS = 12

PHASES = 4
"""Numbers that tell where in the year a time is."""

CUBE = 3
"""Power of the values that are positive and skewed; 1 for all others."""

FLOOR = 0.05
"""Least standard deviation of a cell, in units of the field's: under ice nothing varies, but
somewhere it may begin to."""


@dataclass(frozen=True)
class Moment:
    """Means and standard deviations at one time, or one for each time.

    Parameters
    ----------
    mean, scale : array, (..., n)
        Of the transformed values of each cell.
    phase : array, (PHASES,)
        Where in the year it is (`Tables.phases`).
    """

    mean: np.ndarray
    scale: np.ndarray
    phase: np.ndarray = field(default_factory=lambda: np.zeros(PHASES))


@dataclass(frozen=True, eq=False)
class Tables:
    """The climatology of all cells of all fields.

    Parameters
    ----------
    mean, scale : array, (months, n)
        Of the transformed values; one month where the climatology has no season.
    power : array of int, (n,)
        1, or 3 for the cube root.
    """

    mean: np.ndarray
    scale: np.ndarray
    power: np.ndarray

    def at(self, season: float) -> Moment:
        """Climatology at a time of the year.

        Parameters
        ----------
        season : float
            Months since mid-January: whole numbers are middles of months, between them it is
            linear.
        """
        if len(self.mean) == 1:
            return Moment(self.mean[0], self.scale[0])
        phase = self.phases(np.array([season]))[0]
        before = int(np.floor(season))
        share = season - before
        one, other = before % MONTHS, (before + 1) % MONTHS
        if share == 0:
            return Moment(self.mean[one], self.scale[one], phase)
        mean, scale = (
            (1 - share) * each[one] + share * each[other] for each in (self.mean, self.scale)
        )
        return Moment(mean, scale, phase)

    def phases(self, season: np.ndarray) -> np.ndarray:
        """Cosines and sines of the year and the half year, (times, PHASES), of times of the year.

        Parameters
        ----------
        season : array, (times,)
            As of `at`; where the climatology has no season, all are zero.
        """
        if len(self.mean) == 1:
            return np.zeros((len(season), PHASES))
        angle = 2 * np.pi / MONTHS * np.asarray(season, np.float64)[:, None] * (1, 2)
        return np.concatenate([np.cos(angle), np.sin(angle)], axis=1)

    def normal(self, values: np.ndarray, now: Moment) -> np.ndarray:
        """Normalised anomalies, (..., n), of values."""
        return np.asarray((root(values, self.power) - now.mean) / now.scale)

    def values(
        self, anomaly: np.ndarray, now: Moment, variance: np.ndarray | float = 0.0
    ) -> np.ndarray:
        """Expected values, (..., n), of normalised anomalies with a variance."""
        return raised(
            now.mean + now.scale * anomaly, now.scale**2 * np.asarray(variance), self.power
        )[0]

    def spread(self, anomaly: np.ndarray, now: Moment, variance: np.ndarray) -> np.ndarray:
        """Standard deviation of the values of normalised anomalies with a variance."""
        return raised(now.mean + now.scale * anomaly, now.scale**2 * variance, self.power)[1]


def root(values: np.ndarray, power: np.ndarray | int) -> np.ndarray:
    """Values, or their cube root; what is positive by nature is not below zero."""
    cube = np.cbrt(np.maximum(values, 0))
    return np.where(np.equal(power, CUBE), cube, values)


def raised(
    mean: np.ndarray, variance: np.ndarray, power: np.ndarray | int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of a normal variate, or of its cube.

    Of x ~ N(m, v): E x^3 = m^3 + 3 m v, var x^3 = 9 m^4 v + 36 m^2 v^2 + 15 v^3.

    Examples
    --------
    >>> mean, spread = raised(np.array([2.0]), np.array([0.25]), 3)
    >>> mean, spread.round(3)
    (array([9.5]), array([6.726]))
    """
    cubed = mean**3 + 3 * mean * variance
    around = 9 * mean**4 * variance + 36 * mean**2 * variance**2 + 15 * variance**3
    is_cube = np.equal(power, CUBE)
    value = np.where(is_cube, np.maximum(cubed, 0), mean)
    spread = np.sqrt(np.where(is_cube, around, variance))
    return value, spread


def climatology(
    values: np.ndarray, month: np.ndarray | None, power: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each cell and month.

    Parameters
    ----------
    values : array, (time, n)
        Of one field; NaN where missing.
    month : array of int, (time,), optional
        0 for January; None for a climatology without season.
    power : int
        1, or 3 for the cube root.

    Returns
    -------
    mean, scale : array, (12, n) or (1, n)
        Standard deviations of a month are averaged with its neighbours', which halves their
        error; where nothing was seen in a month, the year's.
    """
    transformed = root(values, power)
    groups = [np.arange(len(values))] if month is None else _months(month)
    # cells that were never seen have no mean: they are land
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        year = np.nanmean(transformed, axis=0)
        means = [np.nanmean(transformed[each], axis=0) if each.size else year for each in groups]
        mean = np.where(np.isnan(means), year, means)
        anomaly = transformed - (mean[0] if month is None else mean[month])
        squares = np.nanmean(anomaly**2, axis=0)
        variances = [
            np.nanmean(anomaly[each] ** 2, axis=0) if each.size else squares for each in groups
        ]
    variance = np.where(np.isnan(variances), squares, variances)
    if month is not None:
        variance = 0.5 * variance + 0.25 * (np.roll(variance, 1, 0) + np.roll(variance, -1, 0))
    floor = FLOOR * np.sqrt(np.nanmean(squares))
    return mean, np.maximum(np.sqrt(variance), floor if floor > 0 else 1.0)


def _months(month: np.ndarray) -> list[np.ndarray]:
    return [np.flatnonzero(month == each) for each in range(MONTHS)]
