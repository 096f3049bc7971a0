r"""Joint implicit image function (JIIF; Tang, Chen & Zeng 2021): LIIF with a guide.

A value at a place :math:`q` is made of what a perceptron says of each of the four nearest coarse
cells :math:`i`, which sees

.. math:: z_i,\; g_i,\; g_q - g_i,\; x_q - x_i \quad\to\quad a_i, v_i

with :math:`z` the features of the coarse fields, :math:`g` those of the guide at both places.
The answer is :math:`\sum_i e^{v_i} a_i / \sum_i e^{v_i}`.

The perceptron's first layer is linear, so what it makes of :math:`z_i` and :math:`g_i` is taken
once for each coarse cell, and of :math:`g_q` once for each output cell, instead of four times.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from xocean_ml.networks.edsr import EDSR
from xocean_ml.networks.where import Where, linear, neighbour

__all__ = ["JIIF"]


class JIIF(nn.Module):
    """The network; for its forward pass see `xocean_ml.networks.where`.

    Parameters
    ----------
    fields, guides : int
        Fields to make finer, and fields that are fine already: at least one of either.
    channels, blocks : int
        Width and residual blocks of both encoders.
    hidden : sequence of int
        Widths of the perceptron's layers.
    weights : {"learned", "area"}
        What weighs the four answers: the perceptron's softmax, or opposite areas as in LIIF.
    """

    guided = True

    def __init__(
        self,
        fields: int,
        guides: int,
        channels: int = 32,
        hidden: Sequence[int] = (128, 64, 32),
        blocks: int = 4,
        weights: str = "learned",
    ) -> None:
        super().__init__()
        if guides < 1:
            raise ValueError("JIIF needs a guide; LIIF is its kin without")
        if weights not in ("learned", "area"):
            raise ValueError(f"weights are 'learned' or 'area', not {weights!r}")
        self.learned = weights == "learned"
        self.encoder = EDSR(fields + 1, channels, blocks)
        self.guide = EDSR(guides + 1, channels, blocks)
        first, *_ = widths = list(hidden)
        self.near = nn.Conv2d(2 * channels, first, 1)
        self.here = nn.Conv2d(channels, first, 1, bias=False)
        self.places = nn.Linear(2, first, bias=False)
        self.inner = nn.ModuleList(nn.Conv2d(into, out, 1) for into, out in pairwise(widths))
        self.leave = nn.Conv2d(widths[-1], fields + self.learned, 1)
        for parameter in self.leave.parameters():
            nn.init.zeros_(parameter)

    @property
    def reach(self) -> int:
        """Coarse cells beyond a block: the neighbours', and the encoders' at a factor of 1."""
        return self.encoder.reach + 2

    def forward(
        self, coarse: torch.Tensor, guide: torch.Tensor | None, where: Where
    ) -> tuple[torch.Tensor, None]:
        """Give the residual over bicubic."""
        if guide is None:
            raise ValueError("JIIF needs a guide")
        fine = self.guide(guide)
        rows, columns = (
            linear(torch.arange(n, dtype=at.dtype, device=at.device), at).to(fine.dtype)
            for n, at in zip(coarse.shape[-2:], where[:2], strict=True)
        )
        near = self.near(torch.cat([self.encoder(coarse), rows @ fine @ columns.T], 1))
        here = self.here(fine)
        answers, weights = [], []
        for row in (0, 1):
            i, down, opposite = neighbour(where.rows, row, coarse.shape[-2])
            for column in (0, 1):
                j, right, beside = neighbour(where.columns, column, coarse.shape[-1])
                x = near[:, :, i][..., j]
                x += here
                by_row, by_column = self.places.weight.T[..., None]
                x += (by_row * down.to(x.dtype))[..., None]
                x += (by_column * right.to(x.dtype))[:, None]
                answers.append(self._say(x))
                weights.append((opposite[:, None] * beside).to(x.dtype))
        said = torch.stack(answers)
        if self.learned:
            return (said[:, :, :-1] * said[:, :, -1:].softmax(0)).sum(0), None
        return (said * torch.stack(weights)[:, None, None]).sum(0), None

    def _say(self, x: torch.Tensor) -> torch.Tensor:
        """The perceptron from its second layer on."""
        x = nn.functional.relu(x)
        for layer in self.inner:
            x = nn.functional.relu(layer(x))
        return self.leave(x)
