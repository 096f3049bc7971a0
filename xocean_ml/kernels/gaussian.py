"""The posterior of Gaussian coefficients that are seen through a linear map with errors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular

__all__ = ["Posterior", "posterior"]


@dataclass(frozen=True, eq=False)
class Posterior:
    """What observations say of K coefficients.

    Parameters
    ----------
    mean : array, (K, many)
        For each of many sets of observed values.
    factor : array, (K, K)
        Lower Cholesky factor of the precision.
    """

    mean: np.ndarray
    factor: np.ndarray

    @cached_property
    def covariance(self) -> np.ndarray:
        """Inverse of the precision, (K, K)."""
        return np.asarray(cho_solve((self.factor, True), np.eye(len(self.factor))))

    def variance(self, patterns: np.ndarray) -> np.ndarray:
        """Variance of sums of patterns, (K, n), with these coefficients: (n,)."""
        half = solve_triangular(
            self.factor.astype(patterns.dtype, copy=False), patterns, lower=True, check_finite=False
        )
        return np.asarray(np.einsum("kn,kn->n", half, half, dtype=np.float64))

    def draw(self, white: np.ndarray) -> np.ndarray:
        """Deviations from the mean, of white noise (K, members)."""
        return np.asarray(solve_triangular(self.factor.T, white, lower=False))


def posterior(
    design: np.ndarray, values: np.ndarray, variance: np.ndarray, precision: np.ndarray | None
) -> Posterior:
    """Coefficients given observations ``y = H z + e``.

    Parameters
    ----------
    design : array, (m, K)
        H, rows of observations.
    values : array, (m, many)
        y less what the prior mean makes of it; each column a set of values seen alike.
    variance : array, (m,)
        Of the errors e, independent; positive.
    precision : array, (K, K), optional
        Inverse of the prior covariance; the identity if None.

    Returns
    -------
    Posterior
        Mean (less the prior's), ``(P^-1 + H^T R^-1 H)^-1 H^T R^-1 y``, and covariance.

    References
    ----------
    Rasmussen & Williams (2006), Gaussian processes for machine learning, section 2.1.

    Examples
    --------
    >>> found = posterior(np.ones((1, 1)), np.array([[3.0]]), np.array([2.0]), None)
    >>> found.mean.round(6), found.covariance.round(6)
    (array([[1.]]), array([[0.666667]]))
    """
    weighted = design / variance[:, None]
    matrix = design.T @ weighted
    matrix += np.eye(len(matrix)) if precision is None else precision
    factor = cholesky(matrix, lower=True)
    return Posterior(cho_solve((factor, True), weighted.T @ values), factor)
