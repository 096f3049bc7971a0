"""RESAC (Thiria et al. 2023): a sub-pixel convolutional network in stages of x3.

Each stage works on the grid of the stage before it, makes that grid three times finer by a pixel
shuffle, takes up the guide as it looks on the finer grid, and adds a residual to the estimate of
the stage before. The first stage starts from the coarse grid; how many there are follows from the
size of the output cells. If the output lattice is not the grid of the last stage, the last
estimate is interpolated to it.

What is carried from stage to stage is the estimate's difference from bicubic, so that an untrained
network is bicubic itself, and not bicubic on top of bicubic.

Guides go to a stage's grid by where their cells lie, not by their number: on average over a
stage's cell, or linearly if the lattice is the coarser one. So a window sees what the whole field
sees, and a lattice may be shifted.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from xocean_ml.networks.where import Where, bicubic, linear, split

__all__ = ["RESAC"]


class Stage(nn.Module):
    """From a grid to one three times finer."""

    def __init__(self, inputs: int, shown: int, channels: int, depth: int, fields: int) -> None:
        super().__init__()
        before: list[nn.Module] = []
        for i in range(depth):
            before += [nn.Conv2d(channels if i else inputs, channels, 3, padding=1), nn.ReLU()]
        self.before = nn.Sequential(*before)
        self.finer = nn.Sequential(
            nn.Conv2d(channels, 9 * channels, 3, padding=1), nn.PixelShuffle(3)
        )
        self.after = nn.Sequential(
            nn.Conv2d(channels + shown, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
        )
        self.leave = nn.Conv2d(channels, fields, 1)
        for parameter in self.leave.parameters():
            nn.init.zeros_(parameter)

    def forward(
        self, x: torch.Tensor, guide: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Give features and residual on the finer grid, on which the guide lies."""
        x = self.finer(self.before(x))
        x = self.after(x if guide is None else torch.cat([x, guide], 1))
        return x, self.leave(x)


class RESAC(nn.Module):
    """The network; for its forward pass see `xocean_ml.networks.where`.

    Parameters
    ----------
    fields, guides : int
        Fields to make finer, and fields that are fine already; 0 guides for none.
    channels, depth : int
        Width, and convolutions of a stage before its pixel shuffle.
    stages : int
        At most so many; each has weights of its own. Three reach a factor of 27.
    """

    def __init__(
        self, fields: int, guides: int, channels: int = 32, depth: int = 3, stages: int = 3
    ) -> None:
        super().__init__()
        if min(depth, stages) < 1:
            raise ValueError("RESAC needs at least one convolution and one stage")
        self.fields, self.guided, self.depth = fields, guides > 0, depth
        shown = guides + 1 if guides else 0
        self.stages = nn.ModuleList(
            Stage(fields + 1 + (channels if i else 0), shown, channels, depth, fields)
            for i in range(stages)
        )

    @property
    def reach(self) -> int:
        """Coarse cells that the network sees beyond a block, however many stages there are."""
        reach = 0
        for stages in range(1, len(self.stages) + 1):
            # Cells beyond the block, on the grid that is looked at: 2 for the last interpolation.
            cells = 2
            for stage in range(stages, 0, -1):
                cells += 2
                guide = -(-cells // 3**stage) + 1
                cells = -(-cells // 3) + max(self.depth + 1, 2)
                field = -(-cells // 3 ** (stage - 1)) + (2 if stage > 1 else 0)
                reach = max(reach, guide, field)
        return reach

    def count(self, where: Where) -> int:
        """Stages that a lattice needs."""
        needed = math.ceil(-math.log(float(where.size.min()), 3) - 0.01)
        return min(max(needed, 1), len(self.stages))

    def forward(
        self, coarse: torch.Tensor, guide: torch.Tensor | None, where: Where
    ) -> tuple[torch.Tensor, None]:
        """Give the residual over bicubic."""
        shape, field, sea = coarse.shape[-2:], coarse[:, : self.fields], coarse[:, -1:]
        residual = torch.zeros_like(field)
        features: list[torch.Tensor] = []
        finer = 1
        for stage in self.stages[: self.count(where)]:
            estimate = bicubic(field, split(shape, finer, coarse.device)) + residual
            repeated = sea.repeat_interleave(finer, -1).repeat_interleave(finer, -2)
            step = split(residual.shape[-2:], 3, coarse.device)
            finer *= 3
            shown = None
            if guide is not None and self.guided:
                shown = _shown(guide, where, split(shape, finer, coarse.device))
            found, change = stage(torch.cat([estimate, repeated, *features], 1), shown)
            features = [found]
            residual = bicubic(residual, step) + change
        rows, columns = ((each + 0.5) * finer - 0.5 for each in (where.rows, where.columns))
        return bicubic(residual, Where(rows, columns, where.size * finer)), None


def _shown(guide: torch.Tensor, where: Where, grid: Where) -> torch.Tensor:
    """The guide on the grid of a stage: averages of the sea, and its share."""
    rows = _onto(grid.rows, grid.size[0], where.rows, where.size[0]).to(guide.dtype)
    columns = _onto(grid.columns, grid.size[1], where.columns, where.size[1]).to(guide.dtype)
    sea = guide[:, -1:]
    share = rows @ sea @ columns.T
    means = rows @ (guide[:, :-1] * sea) @ columns.T
    return torch.cat([means / share.clamp_min(1e-3), share], 1)


def _onto(
    to: torch.Tensor, width: torch.Tensor, places: torch.Tensor, size: torch.Tensor
) -> torch.Tensor:
    """Weights along an axis, (to, places): means over `width`, or linear between coarser cells."""
    between = linear(to, places)
    if size > width * (1 - 1e-6):
        return between
    middles = (places[1:] + places[:-1]) / 2
    edges = torch.cat([places[:1] - size / 2, middles, places[-1:] + size / 2])
    upper = torch.minimum((to + width / 2)[:, None], edges[1:])
    lower = torch.maximum((to - width / 2)[:, None], edges[:-1])
    common = torch.relu(upper - lower)
    total = common.sum(1, keepdim=True)
    # Cells that the lattice does not cover take the value at its end.
    covered = total > 1e-6 * width
    return torch.where(covered, common / total.clamp_min(1e-12), between)
