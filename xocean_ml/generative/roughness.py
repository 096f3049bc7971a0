r"""How much noise a denoiser is told of, so that fields come back as rough as they were.

A network that has not learnt enough is right on average and yet too smooth in the end: what it
takes for noise at one level is gone at the next, where it finds a calmer field and takes more.
So fields of the training are given noise and led back, told of all of it or of a share
(`xocean_ml.networks.edm.Denoiser.share`), and the share is kept with which differences between
neighbouring cells are as large as before. Of the Gaussian that is nearest to the fields it is 1.

Other remedies for the same: more noise than the level at each step (Karras et al. 2022), the level
that fits the field's own variance (Li et al. 2023, time-shift sampler).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from xocean_ml.generative.diffusion import LEAST
from xocean_ml.generative.windows import Windows
from xocean_ml.networks.edm import Denoiser
from xocean_ml.solvers.diffusion import levels, sample

__all__ = ["share_of"]

SHARES = (1.0, 0.98, 0.96, 0.94, 0.92, 0.9)
"""That are tried."""

BEGIN = 2.0
"""Level of noise, in standard deviations of a field, that leaves large eddies to be seen."""

MANY, PART = 24, 8
"""Tiles, and how many at a time."""

A_DECADE = 6
"""Steps: as many as 32 are from the first level to the last."""


def share_of(denoiser: Denoiser, domains: Sequence[np.ndarray], patch: int, seed: int) -> float:
    """The share of the noise's level that a denoiser is told.

    Parameters
    ----------
    denoiser : Denoiser
    domains : sequence of array, (samples, fields, rows, columns)
        Normalised; NaN on land. Of all that is trained on: were they calmer than that or rougher,
        what is expected of them would be too.
    patch, seed : int
    """
    clean, sea, noise, *_ = Windows(domains, patch, MANY, seed).fixed(MANY)
    tiles = [torch.from_numpy(each) for each in (clean, sea, noise)]
    parts = [*zip(*(each.split(PART) for each in tiles), strict=True)]
    wanted = _rough(tiles[0], tiles[1])
    there = wanted > 0
    best, least = SHARES[0], math.inf
    before = denoiser.share
    try:
        for denoiser.share in SHARES:
            made = torch.cat([_led_back(denoiser, *part) for part in parts])
            ratio = _rough(made, tiles[1])[there] / wanted[there]
            miss = float(ratio.log().square().mean())
            if not miss < least:
                break  # fields are rougher with each
            best, least = denoiser.share, miss
    finally:
        denoiser.share = before
    return best


@torch.no_grad()
def _led_back(
    denoiser: Denoiser, clean: torch.Tensor, sea: torch.Tensor, noise: torch.Tensor
) -> torch.Tensor:
    steps = max(2, round(A_DECADE * math.log10(BEGIN / LEAST)))

    def denoise(x: torch.Tensor, sigma: float) -> torch.Tensor:
        made: torch.Tensor = denoiser(x, x.new_full((len(x),), sigma), sea)
        return made

    return sample(denoise, clean + BEGIN * noise, levels(steps, BEGIN, LEAST))


def _rough(fields: torch.Tensor, sea: torch.Tensor) -> torch.Tensor:
    """Mean squares of differences between neighbouring cells of the sea, (fields,)."""
    total = torch.zeros(fields.shape[1])
    for dim in (-2, -1):
        count = fields.shape[dim] - 1
        both = sea.narrow(dim, 0, count) * sea.narrow(dim, 1, count)
        total += (fields.diff(dim=dim) ** 2 * both).sum(dim=(0, 2, 3)) / both.sum().clamp(min=1)
    return total
