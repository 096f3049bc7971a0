r"""What is expected of a field with noise if observations are given too.

Of a field x that noise of level :math:`\sigma` was added to, a denoiser tells the mean D and, by
Tweedie's formula, the covariance :math:`V = \sigma^2\,\partial D/\partial x`. Observations
:math:`y = H x_0 + e`, :math:`e \sim N(0, R)` are then taken in as in any Gaussian update:

.. math:: D_y = D + V H^T (R + H V H^T)^{-1} (y - H D).

It is exact for a Gaussian prior. The system is solved by conjugate gradients, in which V acts
through one backward pass of the network; each level begins with the solution of the one before. How
many that takes depends on how far apart the scales are that observations tell of: for a single
cell and the mean of a domain, hundreds. So a *rough* covariance is used beside, of the Gaussian
nearest to the prior, with which the same system costs next to nothing: its solution is what each
step of the costly one is taken along, and two or three are enough.

Score-based data assimilation (Rozet & Louppe 2023) has a number in place of a covariance,
:math:`H V H^T \approx \gamma \sigma^2`, which no choice of :math:`\gamma` makes right
(`Published`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import torch

__all__ = ["Exact", "Observe", "Published"]

Denoise = Callable[[torch.Tensor, float], torch.Tensor]
Linear = Callable[[torch.Tensor], torch.Tensor]

INNER = 40
"""Iterations with the rough covariance, for each with the denoiser's own."""


class Observe(Protocol):
    """What observations see of fields: a linear map H, the same for all members."""

    def __call__(self, fields: torch.Tensor) -> torch.Tensor:
        """Observations (members, m) of fields (members, ...)."""

    def back(self, weights: torch.Tensor) -> torch.Tensor:
        """The adjoint: fields (members, ...) of weights (members, m)."""


@dataclass(eq=False)
class Exact:
    """The update with the denoiser's own covariance.

    It remembers the last level's solution: one for each run of a sampler.

    Parameters
    ----------
    denoise : callable
    observe : Observe
    values : Tensor, (m,) or (members, m)
    variance : Tensor, (m,)
        Of the observations' errors, independent.
    iterations : int
        Of conjugate gradients, at each level.
    rough : callable, optional
        A covariance near V: takes fields (members, ...) and a level, gives the product.
    trusted : float
        Level of noise above which the rough covariance stands for V.
    """

    denoise: Denoise
    observe: Observe
    values: torch.Tensor
    variance: torch.Tensor
    iterations: int = 3
    rough: Denoise | None = None
    trusted: float = math.inf
    weights: torch.Tensor | None = field(default=None, init=False, repr=False)

    def __call__(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        """What is expected of fields (members, ...) with noise."""
        if sigma > self.trusted:
            return self._roughly(x, sigma)
        with torch.enable_grad():
            x = x.detach().requires_grad_(True)
            clean = self.denoise(x, sigma)

        def covariance(weights: torch.Tensor) -> torch.Tensor:
            """V H^T of weights (members, m)."""
            seen = self.observe.back(weights)
            (made,) = torch.autograd.grad(clean, x, seen, retain_graph=True)
            return sigma**2 * made

        def matrix(weights: torch.Tensor) -> torch.Tensor:
            return weights * self.variance + self.observe(covariance(weights))

        left = self.values - self.observe(clean.detach())
        easy = self._easy(sigma)
        start = easy(left) if self.weights is None else self.weights
        self.weights = _solve(matrix, left, start, easy, self.iterations)
        return clean.detach() + covariance(self.weights)

    def _roughly(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        assert self.rough is not None
        with torch.no_grad():
            clean = self.denoise(x, sigma)
            left = self.values - self.observe(clean)
            self.weights = self._easy(sigma)(left)
            return clean + self.rough(self.observe.back(self.weights), sigma)

    def _easy(self, sigma: float) -> Callable[[torch.Tensor], torch.Tensor]:
        """The system's inverse, roughly."""
        # of unit variance, a field with noise varies by this: a scale for each observation
        scale = self.variance + sigma**2 / (1 + sigma**2)
        if self.rough is None:
            return lambda left: left / scale
        rough, observe, variance = self.rough, self.observe, self.variance

        def matrix(weights: torch.Tensor) -> torch.Tensor:
            return weights * variance + observe(rough(observe.back(weights), sigma))

        def easy(left: torch.Tensor) -> torch.Tensor:
            return _solve(matrix, left, None, lambda each: each / scale, INNER)

        return easy


@dataclass(eq=False)
class Published:
    """Guidance by a scalar, as published; for comparison.

    Parameters
    ----------
    denoise, observe, values, variance
        As of `Exact`.
    gamma : float
        Variance of the denoised field, in units of the noise's.
    """

    denoise: Denoise
    observe: Observe
    values: torch.Tensor
    variance: torch.Tensor
    gamma: float = 0.1

    def __call__(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        """What is expected of fields (members, ...) with noise."""
        with torch.enable_grad():
            x = x.detach().requires_grad_(True)
            clean = self.denoise(x, sigma)
        left = self.values - self.observe(clean.detach())
        seen = self.observe.back(left / (self.variance + self.gamma * sigma**2))
        (made,) = torch.autograd.grad(clean, x, seen)
        return clean.detach() + sigma**2 * made


def _solve(
    matrix: Linear,
    wanted: torch.Tensor,
    start: torch.Tensor | None,
    easy: Linear,
    iterations: int,
) -> torch.Tensor:
    """Conjugate gradients, each member by itself.

    `easy` need not be linear (it may be as many steps of its own), so directions are made
    orthogonal by what has changed (Notay 2000, flexible conjugate gradients).
    """
    made = torch.zeros_like(wanted) if start is None else start
    left = wanted if start is None else wanted - matrix(start)
    near = easy(left)
    way, size = near, _dot(left, near)
    for number in range(iterations):
        there = matrix(way)
        bend = _dot(way, there)
        # a network's Jacobian need not be a covariance: no step where it is none
        step = torch.where(bend > 0, _dot(way, left) / bend.clamp(min=1e-30), 0.0)
        made, before, left = made + step * way, left, left - step * there
        if number + 1 == iterations:
            break
        near = easy(left)
        turn = _dot(near, left - before)
        way = near + torch.where(size > 0, turn / size.clamp(min=1e-30), 0.0) * way
        size = _dot(left, near)
    return made


def _dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a * b).sum(dim=1, keepdim=True)
