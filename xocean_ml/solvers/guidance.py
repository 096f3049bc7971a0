r"""What is expected of a field with noise if observations are given too.

Of a field x that noise of level :math:`\sigma` was added to, a denoiser tells the mean D and, by
Tweedie's formula, the covariance :math:`V = \sigma^2\,\partial D/\partial x`. Observations
:math:`y = H x_0 + e`, :math:`e \sim N(0, R)` are then taken in as in any Gaussian update:

.. math:: D_y = D + V H^T (R + H V H^T)^{-1} (y - H D).

It is exact for a Gaussian prior. The system is solved by conjugate gradients, in which V acts
through one backward pass of the network; each level begins with the solution of the one before,
from which it differs little, so that three iterations are enough.

Score-based data assimilation (Rozet & Louppe 2023) has a number in place of a covariance,
:math:`H V H^T \approx \gamma \sigma^2`, which no choice of :math:`\gamma` makes right
(`Published`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import torch

__all__ = ["Exact", "Observe", "Published"]

Denoise = Callable[[torch.Tensor, float], torch.Tensor]


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
    """

    denoise: Denoise
    observe: Observe
    values: torch.Tensor
    variance: torch.Tensor
    iterations: int = 3
    weights: torch.Tensor | None = field(default=None, init=False, repr=False)

    def __call__(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        """What is expected of fields (members, ...) with noise."""
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
        start = torch.zeros_like(left) if self.weights is None else self.weights
        # of unit variance, a field with noise varies by this: a scale for each observation
        scale = self.variance + sigma**2 / (1 + sigma**2)
        self.weights = _solve(matrix, left, start, scale, self.iterations)
        return clean.detach() + covariance(self.weights)


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
    matrix: Callable[[torch.Tensor], torch.Tensor],
    wanted: torch.Tensor,
    start: torch.Tensor,
    scale: torch.Tensor,
    iterations: int,
) -> torch.Tensor:
    """Conjugate gradients, preconditioned by a diagonal, each member by itself."""
    made, left = start, wanted - matrix(start)
    easy = left / scale
    way, size = easy, _dot(left, easy)
    for number in range(iterations):
        there = matrix(way)
        bend = _dot(way, there)
        # a network's Jacobian need not be a covariance: no step where it is none
        step = torch.where(bend > 0, size / bend.clamp(min=1e-30), 0.0)
        made, left = made + step * way, left - step * there
        if number + 1 == iterations:
            break
        easy = left / scale
        now = _dot(left, easy)
        way = easy + torch.where(size > 0, now / size.clamp(min=1e-30), 0.0) * way
        size = now
    return made


def _dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a * b).sum(dim=1, keepdim=True)
