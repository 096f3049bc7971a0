"""The encoder of EDSR (Lim et al. 2017): residual blocks of convolutions, no normalisation."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["EDSR"]


class Block(nn.Module):
    """Convolution, ReLU, convolution, and what came in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(channels, channels, 3, padding=1)
        self.leave = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Refine x (batch, channels, rows, columns)."""
        return x + self.leave(nn.functional.relu(self.enter(x)))


class EDSR(nn.Module):
    """The encoder: features of every cell, on the grid of its input.

    Parameters
    ----------
    inputs : int
        Channels of the input.
    channels, blocks : int
        Channels of the features, and residual blocks.

    Attributes
    ----------
    reach : int
        Cells that the features of a cell depend on, on each side of it.
    """

    def __init__(self, inputs: int, channels: int = 64, blocks: int = 16) -> None:
        super().__init__()
        self.reach = 2 * blocks + 2
        self.enter = nn.Conv2d(inputs, channels, 3, padding=1)
        self.blocks = nn.Sequential(*(Block(channels) for _ in range(blocks)))
        self.leave = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Encode x (batch, inputs, rows, columns)."""
        x = self.enter(x)
        return x + self.leave(self.blocks(x))
