"""LIIF as published (Chen, Liu & Wang 2021), in its own coordinates: what ours must equal.

Written from the paper: latent cells have centres in [-1, 1]; features of a cell and its eight
neighbours are joined; for a place, the four cells around it answer, each from its features, the way
to it and the size of the output cell (both times the coarse grid's shape), weighed by the area
diagonally opposite.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from xocean_ml.kernels.lattice import Lattice


def plain(network, coarse: torch.Tensor, lattice: Lattice) -> torch.Tensor:
    """Answer of the network's weights by the plain formula, (batch, fields, h, w)."""
    features = network.encoder(coarse)
    batch, channels, height, width = features.shape
    unfolded = F.unfold(features, 3, padding=1).view(batch, channels * 9, height, width)
    h, w = lattice.shape
    shape = torch.tensor([height, width])
    grid = torch.stack(
        torch.meshgrid(
            _centred(lattice.rows, height), _centred(lattice.columns, width), indexing="ij"
        ),
        -1,
    )
    place = grid.view(1, -1, 2).expand(batch, -1, 2)
    cells = torch.stack(
        torch.meshgrid(
            _centred(range(height), height), _centred(range(width), width), indexing="ij"
        )
    ).expand(batch, 2, height, width)
    size = 2 * torch.tensor(lattice.size, dtype=torch.float32) / shape
    first = torch.cat([network.features.weight.flatten(1), network.places.weight], 1)
    answers, areas = [], []
    for down in (-1, 1):
        for right in (-1, 1):
            moved = place + torch.tensor([down / height, right / width]) + 1e-6
            moved = moved.clamp(-1 + 1e-6, 1 - 1e-6).flip(-1)[:, None]
            seen, middle = (
                F.grid_sample(each, moved, mode="nearest", align_corners=False)[:, :, 0].mT
                for each in (unfolded, cells)
            )
            way = (place - middle) * shape
            x = torch.cat([seen, way, (size * shape).expand_as(way)], -1)
            x = F.relu(F.linear(x, first, network.features.bias))
            for layer in network.inner:
                x = F.relu(F.linear(x, layer.weight[..., 0, 0], layer.bias))
            answers.append(F.linear(x, network.leave.weight[..., 0, 0], network.leave.bias))
            areas.append((way[..., 0] * way[..., 1]).abs() + 1e-9)
    total = sum(areas)
    opposite = areas[::-1]
    whole = sum(a * (s / total)[..., None] for a, s in zip(answers, opposite, strict=True))
    return whole.mT.reshape(batch, -1, h, w)


def _centred(places, count: int) -> torch.Tensor:
    """Places in cells as coordinates in [-1, 1]."""
    return ((torch.as_tensor(places, dtype=torch.float64) + 0.5) / count * 2 - 1).float()
