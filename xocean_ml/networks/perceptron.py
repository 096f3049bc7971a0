"""A two-layer perceptron that says how sure it is."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Perceptron"]


class Perceptron(nn.Module):
    """From a vector to a mean and the logarithm of a standard deviation.

    Parameters
    ----------
    inputs : int
        Length of the vector.
    hidden : int
        Width of both layers.
    dropout : float
        Share of each layer that is left out in training.
    """

    def __init__(self, inputs: int, hidden: int = 100, dropout: float = 0.2) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(inputs, hidden), nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, 2)
        # beside it what is linear, which few samples can already tell
        self.straight = nn.Linear(inputs, 1)
        self.dropout = dropout
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.straight.weight)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Means and logarithms of standard deviations, (samples,), of (samples, inputs)."""
        y = functional.dropout(functional.silu(self.first(x)), self.dropout, self.training)
        y = functional.dropout(functional.silu(self.second(y)), self.dropout, self.training)
        mean, log_std = self.last(y).unbind(dim=1)
        return mean + self.straight(x)[:, 0], log_std.clamp(-4.0, 2.0)
