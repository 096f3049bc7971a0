r"""How much noise a denoiser is told of, so that fields come back as rough as they were.

A network that has not learnt enough is right on average and yet too smooth in the end: what it
takes for noise at one level is gone at the next, where it finds a calmer field and takes more.
So fields of the training are given noise and led back, told of all of it or of a share
(`xocean_ml.networks.edm.Denoiser`), and for each field the share is kept with which its spectrum
is nearest to what it was, at wavelengths of 4 to 16 cells. Of the Gaussian that is nearest to the
fields it is 1.

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
from xocean_ml.networks.wiener import faded, waves
from xocean_ml.solvers.diffusion import levels, sample

__all__ = ["shares_of"]

SHARES = (1.0, 0.98, 0.96, 0.94, 0.92, 0.9, 0.88, 0.86)
"""That are tried, until with one of them each field's spectrum is near enough."""

ENOUGH = 0.05
"""Of the logarithm of power. A sea level is hardly rougher for being told less: it is told more."""

BEGIN = 2.0
"""Level of noise, in standard deviations of a field, that leaves large eddies to be seen."""

MANY, PART = 64, 8
"""Tiles, and how many at a time."""

BANDS = 4
"""Half octaves of wavelengths, from 4 cells up."""

A_DECADE = 6
"""Steps: as many as 32 are from the first level to the last."""


def shares_of(
    denoiser: Denoiser, domains: Sequence[np.ndarray], patch: int, seed: int
) -> list[float]:
    """The shares of the noise's level that a denoiser is told, for each field.

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

    def miss(share: float) -> torch.Tensor:
        """How far spectra are from what they were, (fields,): mean squares of logarithms."""
        denoiser.shares = [share] * len(wanted)
        made = torch.cat([_led_back(denoiser, *part) for part in parts])
        ratio = (_rough(made, tiles[1]) / wanted).log().square()
        return torch.where(wanted > 0, ratio, 0.0).mean(dim=1)

    before, tried = denoiser.shares, torch.empty(0, len(wanted))
    try:
        for share in SHARES:
            tried = torch.cat([tried, miss(share)[None]])
            enough = tried < ENOUGH**2
            if bool(enough.any(dim=0).all()):
                break
    finally:
        denoiser.shares = before
    chosen = torch.where(enough.any(dim=0), enough.int().argmax(dim=0), tried.argmin(dim=0))
    return [SHARES[number] for number in chosen.tolist()]


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
    """Power of the waves of each band, (fields, bands), of windows of the sea that fade out."""
    power = waves(faded(fields * sea)).square().mean(dim=0)
    y, x = (torch.arange(n) / n for n in power.shape[-2:])
    octave = 2 * (torch.log2(torch.hypot(y[:, None], x)) + 1)
    return torch.stack([power[:, (octave.ceil() == -n)].sum(dim=1) for n in range(BANDS)], dim=1)
