"""A field of any size, made of tiles that overlap: each fades out where the next fades in.

Tiles begin at multiples of a stride of the *whole grid*, so that the same cells lie in the same
tiles whatever part of it is asked for; the outer ones are moved into the domain.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

__all__ = ["blended", "starts"]

OVERLAP = 0.375
"""Share of a tile's side that it has in common with the next."""


def starts(size: int, patch: int, origin: int = 0) -> list[int]:
    """First cells of the tiles of a side.

    Parameters
    ----------
    size, patch : int
        Cells of the side, and of a tile's.
    origin : int
        Number of the side's first cell in the whole grid.

    Examples
    --------
    >>> starts(64, 64), starts(100, 64), starts(100, 64, origin=30)
    ([0], [0, 36], [0, 10, 36])
    """
    last = max(size - patch, 0)
    stride = max(1, patch - int(patch * OVERLAP))
    inside = [at for at in range(-(origin % stride), last, stride) if at > 0]
    return sorted({0, *inside, last})


@lru_cache(maxsize=64)
def _taper(size: int, patch: int, at: tuple[int, ...]) -> tuple[Tensor, ...]:
    """Weights of the tiles of a side, which add up to 1 everywhere."""
    ramp = max(1, int(patch * OVERLAP))
    cell = torch.arange(patch, dtype=torch.float64) + 0.5
    up = torch.sin(0.5 * math.pi * (cell / ramp).clamp(max=1)) ** 2
    made = []
    total = torch.zeros(max(size, patch), dtype=torch.float64)
    for start in at:
        weight = torch.ones(patch, dtype=torch.float64)
        if start > 0:
            weight = weight * up
        if start + patch < size:
            weight = weight * up.flip(0)
        made.append(weight)
        total[start : start + patch] += weight
    return tuple(
        (w / total[start : start + patch]).to(torch.float32)
        for w, start in zip(made, at, strict=True)
    )


def blended(
    function: Callable[[Tensor], Tensor],
    x: Tensor,
    patch: int,
    origin: tuple[int, int] = (0, 0),
    needed: Tensor | None = None,
) -> Tensor:
    """What a function makes of tiles (samples, channels, patch, patch), put together.

    Parameters
    ----------
    function : callable
        Of several tiles at once, all samples of the first tile first.
    x : Tensor, (samples, channels, rows, columns)
        A side shorter than a tile is filled up with zeros.
    patch : int
    origin : (int, int)
        Of the domain in the whole grid.
    needed : Tensor of bool, (rows, columns), optional
        Tiles without a needed cell are left out: of several, the answer there is zero.

    Returns
    -------
    Tensor, (samples, channels of the function, rows, columns)
    """
    rows, columns = x.shape[-2:]
    more = max(patch - rows, 0), max(patch - columns, 0)
    if any(more):
        x = torch.nn.functional.pad(x, (0, more[1], 0, more[0]))
    sides = [starts(n, patch, o) for n, o in zip((rows, columns), origin, strict=True)]
    places = list(itertools.product(*sides))
    if len(places) == 1:
        return function(x)[..., :rows, :columns]
    weights = [
        dict(zip(at, _taper(n, patch, tuple(at)), strict=True))
        for n, at in zip((rows, columns), sides, strict=True)
    ]
    whole: Tensor | None = None
    for i, j in places:
        if needed is not None and not bool(needed[i : i + patch, j : j + patch].any()):
            continue
        made = function(x[..., i : i + patch, j : j + patch])
        weight = weights[0][i][:, None] * weights[1][j]
        made = made * weight.to(made)
        around = (j, x.shape[-1] - j - patch, i, x.shape[-2] - i - patch)
        there = torch.nn.functional.pad(made, around)
        whole = there if whole is None else whole + there
    if whole is None:
        raise ValueError("no tile has a needed cell: all is land")
    return whole[..., :rows, :columns]
