"""How much of what moves two fields together in a record is met where it was not learnt.

Patterns of few times couple fields by chance: trailing ones more than leading ones, pressure and
rain more than the temperatures of sea and air. Where one field is seen, what the patterns make of
another is therefore compared with what it was, at withheld times, band by band of patterns; the
covariance of the two fields is what the band has it, times the slope of that regression. Blocks of
a covariance times the entries of a matrix that is a covariance itself are one (Schur).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import lsq_linear

from xocean_ml.kernels.gaussian import posterior

__all__ = ["Coupling"]

BANDS = (4, 16, 64)
"""Patterns at which bands end."""

SEEN = 300
"""Cells of a field by which the others are told."""

WHOLE = 0.95
"""Share from which a coupling is left as it is."""


class Coupling:
    """Sums of the regressions of fields on what others say of them.

    Parameters
    ----------
    parts : sequence of slice
        Cells of each field.
    weight : array, (n,)
        Of squared normalised anomalies.
    seed : int
        Of the choice of cells.
    """

    def __init__(self, parts: Sequence[slice], weight: np.ndarray, seed: int) -> None:
        self.parts, self.weight = parts, weight
        fields, bands = len(parts), len(BANDS) + 1
        self.products = np.zeros((fields, fields, bands, bands))
        self.hits = np.zeros((fields, fields, bands))
        random = np.random.default_rng(seed)
        self.cells = [
            each.start + random.permutation(each.stop - each.start)[:SEEN] for each in parts
        ]

    def add(self, patterns: np.ndarray, anomaly: np.ndarray, left: np.ndarray) -> None:
        """Withheld times.

        Parameters
        ----------
        patterns : array, (K, n)
            Learnt from the others, scaled.
        anomaly : array, (times, n)
        left : array, (times, n)
            What the patterns cannot hold of it.
        """
        if len(self.parts) == 1:
            return
        variance = np.maximum((left**2).mean(axis=0), 1e-6)
        # which band each pattern is of: sums over times and cells are made once, then over bands
        band = np.searchsorted(BANDS, np.arange(len(patterns)), side="right")
        member = (band == np.arange(len(BANDS) + 1)[:, None]).astype(np.float64)
        weighted = patterns * self.weight
        for seen, cells in enumerate(self.cells):
            design = patterns[:, cells].T.astype(np.float64)
            found = posterior(design, anomaly[:, cells].T, variance[cells], None).mean
            square = found @ found.T
            for told, part in enumerate(self.parts):
                if told == seen:
                    continue
                pair = min(seen, told), max(seen, told)
                alike = patterns[:, part] @ weighted[:, part].T
                self.products[pair] += member @ (square * alike) @ member.T
                met = (found * (weighted[:, part] @ anomaly[:, part].T)).sum(axis=1)
                self.hits[pair] += member @ met

    def shares(self) -> np.ndarray:
        """How much of the coupling of two fields is met, (bands, fields, fields)."""
        fields, bands = self.hits.shape[1:]
        made = np.tile(np.eye(fields), (bands, 1, 1))
        for one, other in zip(*np.triu_indices(fields, 1), strict=True):
            matrix = self.products[one, other]
            if np.trace(matrix) <= 0:  # of a field that does not vary
                made[:, one, other] = made[:, other, one] = 1
                continue
            matrix = matrix + 1e-9 * np.trace(matrix) * np.eye(bands)
            half = np.linalg.cholesky(matrix)
            wanted = np.linalg.solve(half, self.hits[one, other])
            slope = lsq_linear(half.T, wanted, bounds=(0, 1)).x
            made[:, one, other] = made[:, other, one] = slope
        return made

    def loosened(self, patterns: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
        """Patterns whose fields are coupled as much as is met, and the variance beyond the rank.

        Parameters
        ----------
        patterns : array, (K, n)
            Scaled.
        rank : int
            Most patterns of the result.

        Returns
        -------
        array, (K', n), and array, (n,)
        """
        shares = self.shares()
        if (shares >= WHOLE).all():
            return patterns, np.zeros(patterns.shape[1])
        wide = []
        for share, band in zip(shares, np.split(np.arange(len(patterns)), BANDS), strict=True):
            values, vectors = np.linalg.eigh(share)
            roots = vectors * np.sqrt(np.maximum(values, 0))
            # fields vary as much as they did, where the shares are no covariance
            roots /= np.sqrt((roots**2).sum(axis=1, keepdims=True))
            for root in roots.T[np.abs(roots).max(axis=0) > 1e-3]:
                wide.append(patterns[band] * self._by_cell(root).astype(patterns.dtype))
        return _fewest(np.concatenate(wide), self.weight, rank)

    def _by_cell(self, values: np.ndarray) -> np.ndarray:
        return np.concatenate(
            [np.full(p.stop - p.start, v) for p, v in zip(self.parts, values, strict=True)]
        )


def _fewest(patterns: np.ndarray, weight: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Leading patterns of the same covariance, and the variance that is left, (n,)."""
    scaled = patterns * np.sqrt(weight).astype(patterns.dtype)
    values, vectors = np.linalg.eigh((scaled @ scaled.T).astype(np.float64))
    keep = np.flatnonzero(values > 1e-9 * values[-1])[::-1][:rank]
    made = vectors[:, keep].T.astype(patterns.dtype) @ patterns
    before, after = ((each.astype(np.float64) ** 2).sum(axis=0) for each in (patterns, made))
    return made, np.maximum(before - after, 0)
