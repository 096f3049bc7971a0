"""Muon: steps of equal size in all directions of a weight matrix; Adam for all that is none."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

__all__ = ["Muon", "orthogonal"]

QUINTIC = (3.4445, -4.7750, 2.0315)
"""Coefficients of the iteration, by which singular values end between 0.7 and 1.2 [1]_."""

ITERATIONS = 5
MOMENTUM = 0.95
SIZE = 0.2
"""Root mean square of an entry's step, in learning rates: about that of Adam [2]_."""

SMALL = 8
"""Matrices with fewer rows or columns are left to Adam."""


class Muon(torch.optim.Adam):
    """Adam, but matrices step along the nearest orthogonal matrix to their momentum.

    Convolutions count as matrices (outputs, inputs times window). What has fewer than `SMALL` rows
    or columns, and all that is no matrix (biases, weights of waves), goes by Adam.

    Parameters
    ----------
    parameters : iterable of torch.nn.Parameter
    lr : float
        Of both; a step of a matrix has the root mean square `SIZE` times that.

    References
    ----------
    .. [1] Jordan et al. (2024), Muon: an optimizer for hidden layers in neural networks.
    .. [2] Liu et al. (2025), Muon is scalable for LLM training. arXiv:2502.16982

    Examples
    --------
    >>> layer = torch.nn.Linear(16, 16)
    >>> optimizer = Muon(layer.parameters(), lr=1e-3)
    >>> layer(torch.ones(1, 16)).sum().backward()
    >>> optimizer.step()
    """

    def __init__(self, parameters: Iterable[torch.nn.Parameter], lr: float = 1e-3) -> None:
        super().__init__(parameters, lr=lr)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step."""
        value = None
        if closure is not None:
            with torch.enable_grad():
                value = closure()
        stepped = []
        with torch.no_grad():
            for group in self.param_groups:
                for each in group["params"]:
                    if each.grad is not None and is_matrix(each):
                        self._turn(each, each.grad, group["lr"])
                        stepped.append((each, each.grad))
                        each.grad = None  # so that Adam passes it by
        super().step()
        for each, grad in stepped:
            each.grad = grad
        return value

    def _turn(self, each: torch.Tensor, grad: torch.Tensor, lr: float) -> None:
        state = self.state[each]
        if "momentum" not in state:
            # Adam, which reads this again, wants to find a step in all that has a state.
            state["step"] = torch.zeros(())
            state["momentum"] = torch.zeros_like(each)
        momentum = state["momentum"].lerp_(grad, 1 - MOMENTUM)
        ahead = torch.lerp(grad, momentum, MOMENTUM)
        turned = orthogonal(ahead.flatten(1))
        each.add_(turned.view_as(each), alpha=-lr * SIZE * max(turned.shape) ** 0.5)


def is_matrix(parameter: torch.Tensor) -> bool:
    """Whether a parameter steps as a matrix."""
    return parameter.ndim in (2, 4) and min(len(parameter), parameter[0].numel()) >= SMALL


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """Roughly the nearest matrix whose singular values are all one, (rows, columns).

    Newton-Schulz iterations: products alone, fast on any device.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / x.norm().clamp_min(1e-7)
    a, b, c = QUINTIC
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x
