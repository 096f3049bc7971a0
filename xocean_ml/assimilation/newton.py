"""The analysis with a decoder that is not linear: Gauss-Newton from the linear answer.

What is minimised over the coefficients u = (z, w) is

.. math:: J(u) = \\tfrac12 (y - H x(u))^T R^{-1} (y - H x(u)) + \\tfrac12 (u - m)^T P^{-1} (u - m),

with ``x(u) = P^T u + N(z)``. It begins at the exact answer without N. Each step solves the linear
problem of the Jacobian there, and is halved until J falls; the Jacobian is made anew only when a
step with the old one falls short of what it promised, and once at the end, for the covariance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import cho_solve, cholesky

from xocean_ml.kernels.gaussian import Posterior

__all__ = ["Problem", "Solution", "adam", "newton"]

STEPS = 12
"""Most Gauss-Newton steps."""

ENOUGH = 1e-3
"""Promised fall of J, as a share of it, at which it has converged."""

HALVINGS = 6

Nonlinear = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Problem:
    """One set of observations.

    Parameters
    ----------
    design : array, (m, K)
        The linear part.
    values : array, (m,)
        Innovations.
    variance : array, (m,)
        Of their errors.
    mean : array, (K,)
        Of the coefficients before.
    precision : array, (K, K)
        Of the coefficients before.
    added : callable
        Latent (k,) to what N adds to the observations, (m,).
    linearized : callable
        Latent to that and its Jacobian, (m,) and (m, k).
    """

    design: np.ndarray
    values: np.ndarray
    variance: np.ndarray
    mean: np.ndarray
    precision: np.ndarray
    added: Nonlinear
    linearized: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    latent: int

    @cached_property
    def matrix(self) -> np.ndarray:
        """Precision of the coefficients without N, (K, K)."""
        return np.asarray(self.precision + self.design.T @ (self.design / self.variance[:, None]))

    def linear_start(self) -> np.ndarray:
        """The exact answer without N."""
        factor = cholesky(self.matrix, lower=True)
        away = self.design.T @ ((self.values - self.design @ self.mean) / self.variance)
        return np.asarray(self.mean + cho_solve((factor, True), away))

    def cost(self, u: np.ndarray, added: np.ndarray) -> float:
        """J."""
        left = self.values - self.design @ u - added
        away = u - self.mean
        return float(0.5 * (left @ (left / self.variance)) + 0.5 * away @ self.precision @ away)


@dataclass(frozen=True, eq=False)
class Solution:
    """Where J is least.

    Parameters
    ----------
    coefficients : array, (K,)
    posterior : Posterior
        Of the Jacobian there.
    left : array, (m,)
        Observations less the analysis.
    cost : float
    iterations : int
        Jacobians that were made.
    """

    coefficients: np.ndarray
    posterior: Posterior
    left: np.ndarray
    cost: float
    iterations: int


def newton(problem: Problem, start: np.ndarray) -> Solution:
    """Gauss-Newton with a Jacobian that is kept as long as it serves."""
    u = start
    added, jacobian = problem.linearized(u[: problem.latent])
    cost = problem.cost(u, added)
    made, fresh = 1, True
    design, factor = _normal(problem, jacobian)
    for _ in range(STEPS):
        gradient = _gradient(problem, design, u, added)
        step = cho_solve((factor, True), gradient)
        promised = 0.5 * float(gradient @ step)
        if promised <= ENOUGH * cost and fresh:
            break
        tried = _shorter(problem, u, step, cost)
        good = tried is not None and cost - tried[2] > 0.25 * promised
        if tried is not None:
            u, added, cost = tried
        elif fresh:
            break
        if good and promised > ENOUGH * cost:
            fresh = False
            continue
        added, jacobian = problem.linearized(u[: problem.latent])
        design, factor = _normal(problem, jacobian)
        made, fresh = made + 1, True
    if not fresh:
        added, jacobian = problem.linearized(u[: problem.latent])
        design, factor = _normal(problem, jacobian)
        made += 1
    left = problem.values - problem.design @ u - added
    zero = np.zeros((len(u), 1))
    return Solution(u, Posterior(zero, factor), left, cost, made)


def adam(
    problem: Problem,
    start: np.ndarray,
    pull: Callable[[np.ndarray, np.ndarray], np.ndarray],
    *,
    steps: int = 500,
    rate: float = 0.05,
) -> Solution:
    """The published way, on the same J: Adam (Kingma & Ba 2015).

    Parameters
    ----------
    problem : Problem
    start : array, (K,)
    pull : callable
        Latent and weights (m,) to the gradient (k,) of their product with what N adds.
    steps : int
    rate : float
        Falls to zero along a cosine.
    """
    u, first, second = start.copy(), np.zeros_like(start), np.zeros_like(start)
    best, least = u, np.inf
    for number in range(steps):
        z = u[: problem.latent]
        added = problem.added(z)
        cost = problem.cost(u, added)
        if cost < least:
            best, least = u.copy(), cost
        weighted = (problem.values - problem.design @ u - added) / problem.variance
        gradient = problem.precision @ (u - problem.mean) - problem.design.T @ weighted
        gradient[: problem.latent] -= pull(z, weighted)
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        size = rate * 0.5 * (1 + np.cos(np.pi * number / steps))
        mean, square = first / (1 - 0.9 ** (number + 1)), second / (1 - 0.999 ** (number + 1))
        u = u - size * mean / (np.sqrt(square) + 1e-8)
    added, jacobian = problem.linearized(best[: problem.latent])
    _, factor = _normal(problem, jacobian)
    left = problem.values - problem.design @ best - added
    return Solution(best, Posterior(np.zeros((len(best), 1)), factor), left, least, steps)


def _normal(problem: Problem, jacobian: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The whole Jacobian, and the factor of the precision with it."""
    design, latent = problem.design.copy(), problem.latent
    design[:, :latent] += jacobian
    # only what the latent has a part in differs from the linear one
    matrix = problem.matrix.copy()
    weighted = design[:, :latent] / problem.variance[:, None]
    matrix[:latent] = problem.precision[:latent] + weighted.T @ design
    matrix[latent:, :latent] = matrix[:latent, latent:].T
    return design, cholesky(matrix, lower=True)


def _gradient(problem: Problem, design: np.ndarray, u: np.ndarray, added: np.ndarray) -> np.ndarray:
    """Down J, with the Jacobian that is at hand."""
    left = problem.values - problem.design @ u - added
    return np.asarray(design.T @ (left / problem.variance) - problem.precision @ (u - problem.mean))


def _shorter(
    problem: Problem, u: np.ndarray, step: np.ndarray, cost: float
) -> tuple[np.ndarray, np.ndarray, float] | None:
    """The step, halved until J falls; None if it never does."""
    for half in range(HALVINGS):
        there = u + step / 2**half
        added = problem.added(there[: problem.latent])
        now = problem.cost(there, added)
        if now < cost:
            return there, added, now
    return None
