r"""What is expected of a field with noise if observations are given too.

Of a field x that noise of level :math:`\sigma` was added to, a denoiser tells the mean D and, by
Tweedie's formula, the covariance :math:`V = \sigma^2\,\partial D/\partial x`. Observations
:math:`y = H x_0 + e`, :math:`e \sim N(0, R)` are then taken in as in any Gaussian update:

.. math:: D_y = D + V H^T (R + H V H^T)^{-1} (y - H D).

It is exact for a Gaussian prior. The system is solved by conjugate gradients, in which V acts
through one backward pass of the network; each level begins with the solution of the one before. How
many that takes depends on how far apart the scales are that observations tell of: for a single
cell and the mean of a domain, hundreds.

So the Gaussian that is nearest to the prior (`Near`) helps twice. With its covariance
:math:`V_W = \sigma^2 W` the same system costs next to nothing: its solution is what each step of
the costly one is taken along, and two are enough. And of patterns that noise hides
(:math:`W \ll 1`) the network's Jacobian tells nothing but its own error, which is large beside
small errors of observations; they are taken as the Gaussian has them:

.. math:: V = \sigma^2 (W^{1/2}\,\tfrac{\partial D}{\partial x}\,W^{1/2} + W - W^2).

Score-based data assimilation (Rozet & Louppe 2023) has a number in place of a covariance,
:math:`H V H^T \approx \gamma \sigma^2`, which no choice of :math:`\gamma` makes right
(`Published`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import torch

__all__ = ["Exact", "Near", "Observe", "Published"]

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


class Near(Protocol):
    """A Gaussian: what it keeps of fields with noise, W, and the symmetric root of that."""

    def kept(self, fields: torch.Tensor, sigma: float) -> torch.Tensor:
        """W times fields (members, ...)."""

    def half(self, fields: torch.Tensor, sigma: float) -> torch.Tensor:
        """The root of W times fields."""


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
    near : Near, optional
        The Gaussian nearest to the prior.
    """

    denoise: Denoise
    observe: Observe
    values: torch.Tensor
    variance: torch.Tensor
    iterations: int = 3
    near: Near | None = None
    weights: torch.Tensor | None = field(default=None, init=False, repr=False)

    def __call__(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        """What is expected of fields (members, ...) with noise."""
        with torch.enable_grad():
            x = x.detach().requires_grad_(True)
            clean = self.denoise(x, sigma)

        def plain(fields: torch.Tensor) -> torch.Tensor:
            (made,) = torch.autograd.grad(clean, x, fields, retain_graph=True)
            return sigma**2 * made

        def covariance(weights: torch.Tensor) -> torch.Tensor:
            """V H^T of weights (members, m)."""
            return self._blended(plain, self.observe.back(weights), sigma)

        left = self.values - self.observe(clean.detach())
        easy = self._easy(sigma)
        start = easy(left) if self.weights is None else self.weights
        system = _System(self.observe, covariance, self.variance)
        self.weights, added = _solve(system, left, start, easy, self.iterations)
        return clean.detach() + added

    def _blended(self, plain: Linear, fields: torch.Tensor, sigma: float) -> torch.Tensor:
        """The covariance times fields: the denoiser's own of what noise does not hide."""
        near = self.near
        if near is None:
            return plain(fields)
        hidden = fields - near.kept(fields, sigma)
        own = near.half(plain(near.half(fields, sigma)), sigma)
        return own + sigma**2 * near.kept(hidden, sigma)

    def _easy(self, sigma: float) -> Callable[[torch.Tensor], torch.Tensor]:
        """The system's inverse, roughly."""
        # of unit variance, a field with noise varies by this: a scale for each observation
        scale = self.variance + sigma**2 / (1 + sigma**2)
        near, observe, variance = self.near, self.observe, self.variance
        if near is None:
            return lambda left: left / scale

        def covariance(weights: torch.Tensor) -> torch.Tensor:
            return sigma**2 * near.kept(observe.back(weights), sigma)

        system = _System(observe, covariance, variance)
        return lambda left: _solve(system, left, None, lambda each: each / scale, INNER)[0]


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


@dataclass(frozen=True, eq=False)
class _System:
    """(R + H V H^T) weights = wanted."""

    observe: Observe
    covariance: Linear
    variance: torch.Tensor

    def of(self, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The left side, and V H^T of the weights."""
        spread = self.covariance(weights)
        return weights * self.variance + self.observe(spread), spread


def _solve(
    system: _System,
    wanted: torch.Tensor,
    start: torch.Tensor | None,
    easy: Linear,
    iterations: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Conjugate gradients, each member by itself: weights, and V H^T of them.

    `easy` need not be linear (it may be as many steps of its own), so directions are made
    orthogonal by what has changed (Notay 2000, flexible conjugate gradients).
    """
    start = torch.zeros_like(wanted) if start is None else start
    made = start
    reached, added = system.of(start)
    left = wanted - reached
    near = easy(left)
    way, size = near, _dot(left, near)
    for number in range(iterations):
        there, spread = system.of(way)
        bend = _dot(way, there)
        # a network's Jacobian need not be a covariance: no step where it is none
        step = torch.where(bend > 0, _dot(way, left) / bend.clamp(min=1e-30), 0.0)
        made, before, left = made + step * way, left, left - step * there
        added = added + step.reshape(-1, *(1,) * (added.ndim - 1)) * spread
        if number + 1 == iterations:
            break
        near = easy(left)
        turn = _dot(near, left - before)
        way = near + torch.where(size > 0, turn / size.clamp(min=1e-30), 0.0) * way
        size = _dot(left, near)
    return made, added


def _dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a * b).sum(dim=1, keepdim=True)
