r"""Local implicit image function (LIIF; Chen, Liu & Wang 2021), with the first layer folded.

A value at any place is a perceptron's of the features of a cell near by, the way to it, and the
size of the output cell; the answers of the four nearest cells are weighed by the areas opposite.
Features are unfolded: a cell's own and those of its eight neighbours.

The perceptron's first layer is linear, and its largest part sees features alone. So that part is
taken once for each coarse cell, as a convolution of 3 x 3, instead of once for each output cell and
neighbour: the same numbers with fewer operations.
"""

from __future__ import annotations

import torch
from torch import nn

from xocean_ml.networks.edsr import EDSR
from xocean_ml.networks.where import Where, bands, neighbour

__all__ = ["LIIF"]


class LIIF(nn.Module):
    """The network; for its forward pass see `xocean_ml.networks.where`.

    Parameters
    ----------
    fields : int
        Fields to make finer.
    guides : int
        None: this network is not guided.
    channels, blocks : int
        Width and residual blocks of the encoder.
    hidden, layers : int
        Width and hidden layers of the perceptron.
    """

    guided = False

    def __init__(
        self,
        fields: int,
        guides: int = 0,
        channels: int = 64,
        blocks: int = 16,
        hidden: int = 256,
        layers: int = 4,
    ) -> None:
        super().__init__()
        if guides:
            raise ValueError("LIIF takes no guide; JIIF is its guided kin")
        self.fields = fields
        self.encoder = EDSR(fields + 1, channels, blocks)
        self.features = nn.Conv2d(channels, hidden, 3, padding=1)
        self.places = nn.Linear(4, hidden, bias=False)
        inner = [nn.Conv2d(hidden, hidden, 1) for _ in range(layers - 1)]
        self.inner = nn.ModuleList(inner)
        self.leave = nn.Conv2d(hidden, fields, 1)
        for parameter in self.leave.parameters():
            nn.init.zeros_(parameter)

    beside = 0

    @property
    def reach(self) -> int:
        """Coarse cells beyond a block: the encoder's, the unfolding's, and the ensemble's."""
        return int(self.encoder.reach) + 2

    def forward(
        self,
        coarse: torch.Tensor,
        guide: torch.Tensor | None,
        where: Where,
        asked: tuple[slice, slice] | None = None,
    ) -> tuple[torch.Tensor, None]:
        """Give the residual over bicubic."""
        if asked is not None:
            where = Where(where.rows[asked[0]], where.columns[asked[1]], where.size)
        features = self.features(self.encoder(coarse))
        return torch.cat([self._answer(features, part) for _, part in bands(where)], -2), None

    def _answer(self, features: torch.Tensor, where: Where) -> torch.Tensor:
        """What the four neighbours say together."""
        every = [self._from(features, where, row, column) for row in (0, 1) for column in (0, 1)]
        return torch.stack(every).sum(0)

    def _from(self, features: torch.Tensor, where: Where, row: int, column: int) -> torch.Tensor:
        """What one of the four neighbours says, times its weight."""
        i, down, opposite = neighbour(where.rows, row, features.shape[-2])
        j, right, beside = neighbour(where.columns, column, features.shape[-1])
        # Separable: what depends on rows, what on columns, and the cell's size.
        by_row, by_column, *by_size = (2 * self.places.weight).T
        sizes = where.size.to(features.dtype)
        opposite, down, beside, right = (
            each.to(features.dtype) for each in (opposite, down, beside, right)
        )
        x = features[:, :, i][..., j]
        x += (by_row[:, None] * down)[..., None]
        x += (by_column[:, None] * right)[:, None]
        x += (by_size[0] * sizes[0] + by_size[1] * sizes[1])[:, None, None]
        x = nn.functional.relu(x)
        for layer in self.inner:
            x = nn.functional.relu(layer(x))
        return self.leave(x) * (opposite[:, None] * beside)
