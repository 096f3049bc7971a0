r"""The update of a Gaussian, by conjugate gradients.

.. math:: x + C H^T (H C H^T + R)^{-1} (y - H x)
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from xocean_ml.errors import warn
from xocean_ml.solvers.guidance import Observe

__all__ = ["update"]

MOST = 3000
CLOSE = 1e-4
"""Residual, over what is to be explained, at which it is solved."""


def update(
    covary: Callable[[torch.Tensor], torch.Tensor],
    prior: torch.Tensor,
    observe: Observe,
    values: torch.Tensor,
    variance: torch.Tensor,
) -> torch.Tensor:
    """What is expected of fields with a Gaussian prior, given observations.

    Parameters
    ----------
    covary : callable
        The prior's covariance times fields (members, ...).
    prior : Tensor, (members, ...)
        Their mean; or draws, for draws of the posterior if `values` are drawn too.
    observe : Observe
    values : Tensor, (m,) or (members, m)
    variance : Tensor, (m,)
        Of the observations' errors.

    Warns
    -----
    UserWarning
        Not solved.
    """
    left = values - observe(prior)
    # scaled by their errors, observations have a matrix of eigenvalues from 1 on
    scale = variance.rsqrt()

    def matrix(weights: torch.Tensor) -> torch.Tensor:
        return weights + scale * observe(covary(observe.back(scale * weights)))

    wanted = scale * left
    made, rest = torch.zeros_like(wanted), wanted
    way, size = rest, (rest**2).sum(dim=1, keepdim=True)
    enough = CLOSE**2 * size
    for _ in range(MOST):
        there = matrix(way)
        step = size / (way * there).sum(dim=1, keepdim=True).clamp(min=1e-30)
        made, rest = made + step * way, rest - step * there
        now = (rest**2).sum(dim=1, keepdim=True)
        if bool((now <= enough).all()):
            break
        way, size = rest + now / size.clamp(min=1e-30) * way, now
    else:
        worst = CLOSE * float((now / enough.clamp(min=1e-30)).max().sqrt())
        warn(
            f"after {MOST} iterations {100 * worst:.2g} % of what observations tell is left "
            "over: are their errors too small?"
        )
    return prior + covary(observe.back(scale * made))
