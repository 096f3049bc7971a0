"""The analysis of sets of observations that are seen alike: latent, what it leaves, members.

The state is ``x = G(z) + L w + r``: what the latent space makes, what it cannot represent but
moves together (patterns L with coefficients w, standard normal) and what is left, of short range.
Coefficients of z and w are found together from all observations; what they leave is analysed
locally (`xocean_ml.kernels.nearby`), so that skill goes on growing where observations are dense.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from xocean_ml.assimilation.rows import Rows
from xocean_ml.assimilation.state import State
from xocean_ml.assimilation.tables import CUBE, Moment, Tables, root
from xocean_ml.kernels.gaussian import Posterior, posterior
from xocean_ml.kernels.nearby import EARTH_RADIUS_KM, crowding, interpolate

__all__ = [
    "Analysis",
    "Background",
    "Given",
    "Seen",
    "analyse",
    "deviations",
    "prior_draw",
    "told",
]

LEAST = 1e-3
"""Least standard error of an observation, in units of what the field varies by."""

WAVES = 256
"""Random waves of which a field of short range is made."""


@dataclass(frozen=True, eq=False)
class Background:
    """What is known before anything is observed.

    Parameters
    ----------
    state : State
    tables : Tables
    patterns : array, (K, n)
        Normalised anomalies of each coefficient: first those of the latent, then those of what it
        cannot represent.
    mean : array, (K,)
        Of the coefficients.
    precision : array, (K, K), optional
        Inverse of their covariance; None for the identity.
    rest : array, (n,)
        Standard deviation of what is left.
    lengths : tuple of float
        Its correlation length for each field, km.
    """

    state: State
    tables: Tables
    patterns: np.ndarray
    mean: np.ndarray
    precision: np.ndarray | None
    rest: np.ndarray
    lengths: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Given:
    """Observations of several times that are seen alike: same places, errors and month.

    Parameters
    ----------
    rows : Rows
        m observations.
    values : array, (times, m)
        Transformed as the tables say (`xocean_ml.assimilation.tables.root`).
    error : array, (m,)
        Standard errors, likewise.
    now : Moment
        Climatology of the month.
    """

    rows: Rows
    values: np.ndarray
    error: np.ndarray
    now: Moment

    @classmethod
    def of(
        cls, rows: Rows, values: np.ndarray, error: np.ndarray, now: Moment, tables: Tables
    ) -> Given:
        """Observations and errors in the units of the fields.

        The root of what is skewed has the error ``e / (3 c^2)`` about a root c: about the
        climatology's, so that errors do not depend on what is seen.
        """
        mean, scale = rows.of(now.mean), rows.of(now.scale)
        power = tables.power[rows.cell[:, 0]]
        slope = np.where(power == CUBE, 1 / (3 * (mean**2 + scale**2)), 1.0)
        return cls(rows, root(values, power), error * slope, now)


@dataclass(frozen=True, eq=False)
class Analysis:
    """What observations say of the state.

    Parameters
    ----------
    coefficients : array, (K, times)
    posterior : Posterior
        Of the coefficients about these.
    anomaly : array, (times, n)
        Normalised.
    variance : array, (n,)
        Of its error.
    chi_square : array, (times,)
        Of the innovations over what is expected of them, about 1.
    misfit : array, (times,)
        Root mean square of observation less analysis, in standard errors of the observations and
        of what the state cannot hold.
    seen : Seen
        The background that it began from.
    iterations : int
    """

    coefficients: np.ndarray
    posterior: Posterior
    anomaly: np.ndarray
    variance: np.ndarray
    chi_square: np.ndarray
    misfit: np.ndarray
    seen: Seen
    iterations: int = 1


def analyse(known: Background, given: Given, *, residual: bool) -> Analysis:
    """Analyse by the exact update of a linear, Gaussian background.

    Parameters
    ----------
    known : Background
    given : Given
    residual : bool
        Whether what is left is analysed too.
    """
    seen = Seen.of(known, given)
    innovations = seen.innovations - (seen.design @ known.mean)[:, None]
    found = posterior(seen.design, innovations, seen.variance, known.precision)
    left = innovations - seen.design @ found.mean
    change = known.patterns, seen.design
    made = told(known, given, seen, left, found, change, residual=residual)
    coefficients = known.mean[:, None] + found.mean
    # Woodbury: d^T (H P H^T + R)^-1 d without the large matrix
    chi_square = np.einsum("mt,mt->t", innovations, left / seen.variance[:, None])
    return replace(
        made,
        coefficients=coefficients,
        anomaly=made.anomaly + (known.patterns.T @ coefficients).T,
        chi_square=chi_square / max(len(given.rows), 1),
    )


def told(
    known: Background,
    given: Given,
    seen: Seen,
    left: np.ndarray,
    found: Posterior,
    change: tuple[np.ndarray, np.ndarray],
    *,
    residual: bool,
    stretch: np.ndarray | float = 1.0,
) -> Analysis:
    """What a posterior says of the errors, and what the patterns leave, interpolated.

    Parameters
    ----------
    known : Background
    given : Given
    seen : Seen
    left : array, (m, times)
        Observations less what the coefficients make of them.
    found : Posterior
    change : array, (K, n), and array, (m, K)
        What the coefficients change in the state, and in the observations.
    residual : bool
        Whether what is left is analysed too.
    stretch : array, (n,), or float
        By which the variance of the patterns differs from that of `change`.

    Returns
    -------
    Analysis
        Without coefficients and chi-square; the anomaly is that of what is left alone.
    """
    count, times = len(left), left.shape[1]
    patterns, design = change
    misfit = np.sqrt(np.einsum("mt,mt->t", left, left / seen.variance[:, None]) / max(count, 1))
    rest, anomaly = known.rest**2, np.zeros((times, known.state.size))
    if residual and count:
        anomaly, rest = _locally(known, given, seen, (left / seen.scale[:, None]).T)
        # where a coefficient is wrong, what is left is too, and makes up for it near observations
        wrong = (design / seen.scale[:, None]).T
        patterns = patterns - _locally(known, given, seen, wrong)[0]
    return Analysis(
        coefficients=np.zeros((len(patterns), times)),
        posterior=found,
        anomaly=anomaly,
        variance=found.variance(patterns) * stretch + rest,
        seen=seen,
        chi_square=np.zeros(times),
        misfit=misfit,
    )


@dataclass(frozen=True, eq=False)
class Seen:
    """The background as the observations see it.

    Parameters
    ----------
    rows : Rows
        What observations see of normalised anomalies, in their units.
    design : array, (m, K)
        What each coefficient makes of them.
    innovations : array, (m, times)
        Observations less the climatology.
    variance : array, (m,)
        Of their errors, and of what the patterns cannot hold.
    scale : array, (m,)
        Standard deviation of the climatology.
    rest : array, (m,)
        Of what the patterns cannot hold, in its units.
    """

    rows: Rows
    design: np.ndarray
    innovations: np.ndarray
    variance: np.ndarray
    scale: np.ndarray
    rest: np.ndarray

    @classmethod
    def of(cls, known: Background, given: Given) -> Seen:
        rows, now = given.rows, given.now
        scale = rows.of(now.scale)
        # weights times scales: linear in the values, not in what is normalised
        scaled = Rows(rows.cell, rows.weight * now.scale[rows.cell], rows.field, rows.point)
        design = scaled.weighted(known.patterns)
        rest = scaled.weighted(known.rest[None])[:, 0] / scale
        error = np.maximum(given.error, LEAST * scale)
        left = (scale * rest) ** 2
        crowd = np.ones(len(rows))
        for number, length in enumerate(known.lengths):
            mine = rows.field == number
            if mine.any():
                shared = left[mine] / (left[mine] + error[mine] ** 2)
                crowd[mine] = crowding(rows.point[mine], length, shared)
        variance = error**2 + left * crowd
        innovations = (given.values - rows.of(now.mean)).T
        return cls(scaled, design, innovations, variance, scale, rest)


def _locally(
    known: Background, given: Given, seen: Seen, left: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Local interpolation of what is left, (many, m), field by field."""
    state, rows = known.state, given.rows
    made = np.zeros((len(left), state.size))
    variance = known.rest**2
    error = (np.maximum(given.error / seen.scale, LEAST)) ** 2
    for number, part in enumerate(state.parts):
        mine = rows.field == number
        if not mine.any():
            continue
        made[:, part], variance[part] = interpolate(
            state.points[part],
            known.rest[part],
            rows.point[mine],
            seen.rest[mine],
            error[mine],
            left[:, mine],
            known.lengths[number],
        )
    return made, variance


def deviations(
    known: Background,
    given: Given,
    made: Analysis,
    random: Sequence[np.random.Generator],
    change: Callable[[np.ndarray], np.ndarray],
    *,
    residual: bool,
) -> np.ndarray:
    """Draws of the state about the analysis.

    Coefficients are drawn from their posterior. What is left is drawn by Matheron's rule: a
    field of short range as it may be, less what observations would say of it and of the change
    of the coefficients.

    Parameters
    ----------
    random : sequence of Generator
        One for each draw.
    change : callable
        From deviations of the coefficients, (K, draws), to those of the state, (draws, n).
    residual : bool
        Whether what is left was analysed.

    Returns
    -------
    array, (draws, n)
        Deviations, normalised; to be added to the anomaly.
    """
    white = np.stack([each.standard_normal(len(known.patterns)) for each in random], axis=1)
    drawn = change(made.posterior.draw(white))
    rows, seen = given.rows, made.seen
    rest, observed = np.empty_like(drawn), np.empty((len(random), len(rows)))
    for number, part in enumerate(known.state.parts):
        mine = rows.field == number
        every = np.concatenate([known.state.points[part], rows.point[mine]])
        for r, each in enumerate(random):
            field = _waves(every, known.lengths[number], each)
            cells = part.stop - part.start
            rest[r, part] = known.rest[part] * field[:cells]
            observed[r, mine] = seen.rest[mine] * field[cells:]
    if residual and len(rows):
        error = np.maximum(given.error / seen.scale, LEAST)
        observed += np.stack([each.standard_normal(len(rows)) for each in random]) * error
        observed += (seen.rows.weighted(drawn) / seen.scale[:, None]).T
        rest -= _locally(known, given, seen, observed)[0]
    return drawn + rest


def prior_draw(known: Background, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A state that nothing is observed of, (n,), as normalised anomalies; its coefficients."""
    white = random.standard_normal(len(known.mean))
    if known.precision is not None:
        white = solve_triangular(cholesky(known.precision, lower=True).T, white)
    coefficients = known.mean + white
    made = known.patterns.T @ coefficients
    for part, length in zip(known.state.parts, known.lengths, strict=True):
        made[part] += known.rest[part] * _waves(known.state.points[part], length, random)
    return made, coefficients


def _waves(points: np.ndarray, length: float, random: np.random.Generator) -> np.ndarray:
    """A random field with a Gaussian correlation, as a sum of waves (Rahimi & Recht 2007)."""
    wave = random.standard_normal((3, WAVES)) * (EARTH_RADIUS_KM / length)
    phase = random.uniform(0, 2 * np.pi, WAVES)
    height = random.standard_normal(WAVES) * np.sqrt(2 / WAVES)
    # heights are normal, so that a sum of few waves is normal too
    return np.asarray(np.cos(points @ wave + phase) @ height)
