"""Fits the linear model: patterns, how much of each is met where it was not learnt, what is left.

Leading patterns of a short record vary less in other years than in their own, and trailing ones
more, several times so. Either end of the record is therefore withheld: patterns of the others say
how much of each is met there, and what no pattern holds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xocean_ml.assimilation.climate import Climate
from xocean_ml.assimilation.coupling import Coupling
from xocean_ml.kernels.nearby import EARTH_RADIUS_KM

__all__ = [
    "ENDS",
    "Patterns",
    "correlation_length",
    "eofs",
    "folds_of",
    "learn",
    "means_of",
    "met",
    "smooth",
]

ENDS = 0.4
"""Share of the times that is withheld at the beginning, then at the end. Models are used beyond the
years that they were fitted to, where the climate is another: ends tell more of that than blocks
that lie between others."""

SMOOTH = 11
"""Patterns over which the ratio of variances is averaged."""

PAIRED = 600
"""Cells of which all pairs tell a correlation length."""

EXACT = 3000
"""Samples up to which all EOFs are found; of more, the leading ones by a random sketch."""

ROUNDING = 1e-6
"""Share of the largest eigenvalue below which a pattern is rounding, in single precision."""

SPARE = 50
"""Further columns of the sketch."""

POWERS = 3

BINS = np.arange(0.0, 2000.0, 50.0)
LENGTHS = np.geomspace(50.0, 1500.0, 60)


@dataclass(frozen=True, eq=False)
class Patterns:
    """What the linear model consists of.

    Parameters
    ----------
    patterns : array of float32, (K, n)
    rest : array of float32, (n,)
    lengths : tuple of float
    """

    patterns: np.ndarray
    rest: np.ndarray
    lengths: tuple[float, ...]


def learn(
    known: Climate, times: np.ndarray, rank: int, seed: int, *, crossed: bool = False
) -> Patterns:
    """Patterns of normalised anomalies.

    Parameters
    ----------
    known : Climate
    times : array of int, (samples,)
        Number of each sample's time: a block holds all samples of its times.
    rank : int
        Most patterns.
    seed : int
        Of the choice of cells whose pairs are looked at.
    crossed : bool
        Whether withheld samples are told from the climatology of the others already.
    """
    filled = np.nan_to_num(known.anomaly)
    folds = folds_of(times)
    ratios, remains = [], []
    coupling = Coupling(known.state.parts, known.weight, seed)
    for withheld in folds:
        away = filled if crossed else filled - means_of(filled, ~withheld, known.month)
        others, values = eofs(away[~withheld], known.weight, rank)
        ratio, left = met(away[withheld], others, values, known.weight)
        coupling.add(others * np.sqrt(smooth(ratio))[:, None], away[withheld], left)
        ratios.append(ratio)
        remains.append(left)
    patterns = eofs(filled, known.weight, rank)[0]
    ratio = smooth(np.mean([_resized(each, len(patterns)) for each in ratios], axis=0))
    seen = np.isfinite(known.anomaly[np.concatenate([np.flatnonzero(each) for each in folds])])
    left = np.where(seen, np.concatenate(remains), np.nan)
    count = np.maximum(seen.sum(axis=0), 1)
    rest = np.sqrt(np.nansum(left**2, axis=0) / count)
    lengths = tuple(
        correlation_length(
            known.state.points[part], left[:, part] / np.maximum(rest[part], 1e-6), seed
        )
        for part in known.state.parts
    )
    scaled, beyond = coupling.loosened(patterns * np.sqrt(ratio)[:, None], rank)
    rest = np.sqrt(rest**2 + beyond)
    return Patterns(scaled.astype(np.float32), rest.astype(np.float32), lengths)


def folds_of(times: np.ndarray) -> list[np.ndarray]:
    """Which samples are withheld: the first times, and then the last."""
    many = int(times.max()) + 1
    count = max(1, int(ENDS * many))
    return [times < count, times >= many - count]


def eofs(anomaly: np.ndarray, weight: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Patterns of coefficients of unit variance, and these variances' shares (eigenvalues)."""
    scaled = anomaly * np.sqrt(weight).astype(np.float32)
    # rows of coefficients span what is looked for: all of them, or, of very many, the leading ones
    basis = None if len(scaled) <= EXACT else _leading(scaled, rank + SPARE)
    small = scaled if basis is None else basis.T @ scaled
    gram = (small @ small.T).astype(np.float64) / len(scaled)
    values, vectors = np.linalg.eigh(gram)
    keep = np.flatnonzero(values > ROUNDING * values[-1])[::-1][:rank]
    chosen = vectors[:, keep].astype(np.float32)
    coefficients = chosen if basis is None else basis @ chosen
    return (coefficients.T @ anomaly) / np.sqrt(len(anomaly)), values[keep]


def _leading(scaled: np.ndarray, count: int) -> np.ndarray:
    """Orthonormal columns that span the leading left singular vectors (Halko et al. 2011)."""
    sketch = np.random.default_rng(0).standard_normal((scaled.shape[1], count), np.float32)
    basis = np.linalg.qr(scaled @ sketch)[0]
    for _ in range(POWERS):
        basis = np.linalg.qr(scaled @ (scaled.T @ basis))[0]
    return np.asarray(basis)


def means_of(anomaly: np.ndarray, others: np.ndarray, month: np.ndarray | None) -> np.ndarray:
    """The climatology of the samples that are not withheld, of each sample's month, (samples, n).

    That of all samples holds the withheld ones too: Januaries add up to nothing, so that one that
    is withheld would be known from the others.
    """
    means = np.repeat(anomaly[others].mean(axis=0)[None], len(anomaly), axis=0)
    if month is not None:
        for each in np.unique(month[others]):
            means[month == each] = anomaly[others & (month == each)].mean(axis=0)
    return means


def met(
    anomaly: np.ndarray, patterns: np.ndarray, values: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How much of each pattern is met in other samples, and what no pattern holds of them.

    Parameters
    ----------
    anomaly : array, (samples, n)
    patterns, values
        As `eofs` gives them: orthogonal in the weighted product, with squares `values`.
    weight : array, (n,)
    """
    coefficients = (anomaly * weight.astype(np.float32)) @ patterns.T / values
    return (coefficients**2).mean(axis=0), anomaly - coefficients @ patterns


def _resized(ratio: np.ndarray, count: int) -> np.ndarray:
    """A curve over the patterns of fewer times, stretched over those of all."""
    at = np.arange(count) * (len(ratio) / count)
    return np.interp(at, np.arange(len(ratio)), ratio)


def smooth(ratio: np.ndarray) -> np.ndarray:
    """The mean over neighbouring patterns, fewer at the ends."""
    sums = np.concatenate([[0.0], np.cumsum(ratio)])
    at = np.arange(len(ratio))
    half = np.minimum.reduce([np.full(len(at), SMOOTH // 2), at, len(at) - 1 - at])
    return np.asarray((sums[at + half + 1] - sums[at - half]) / (2 * half + 1))


def correlation_length(points: np.ndarray, values: np.ndarray, seed: int) -> float:
    """The Gaussian correlation length that fits a field of unit variance best, in km.

    Parameters
    ----------
    points : array, (n, 3)
        On the unit sphere.
    values : array, (samples, n)
        NaN where missing.
    seed : int
        Of the choice of cells.
    """
    random = np.random.default_rng(seed)
    around = points @ points[random.integers(len(points))]
    # neighbours, of which there are few in a random choice, by taking a region's cells too
    near = np.argsort(-around)[: PAIRED // 2]
    some = np.unique(np.concatenate([near, random.permutation(len(points))[:PAIRED]]))
    chosen = np.nan_to_num(values[:, some])
    correlation = (chosen.T @ chosen) / len(chosen)
    square = np.maximum(2 - 2 * points[some] @ points[some].T, 0)
    distance = EARTH_RADIUS_KM * np.sqrt(square)
    upper = np.triu_indices(len(some), 1)
    pairs, apart = correlation[upper], distance[upper]
    number = np.digitize(apart, BINS) - 1
    inside = number < len(BINS) - 1
    count = np.bincount(number[inside], minlength=len(BINS) - 1)
    mean = np.bincount(number[inside], pairs[inside], minlength=len(BINS) - 1) / np.maximum(
        count, 1
    )
    middle = (BINS[:-1] + BINS[1:]) / 2
    weight = np.minimum(count, 200)
    misfit = [
        (weight * (mean - np.exp(-(middle**2) / (2 * length**2))) ** 2).sum() for length in LENGTHS
    ]
    return float(LENGTHS[int(np.argmin(misfit))])
