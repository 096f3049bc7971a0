r"""How much noise a denoiser is told of, so that fields come back as rough as they were.

A network that has not learnt enough is right on average and yet too smooth in the end: what it
takes for noise at one level is gone at the next, where it finds a calmer field and takes more.
So fields of the training are given noise and led back, told of all of it or of a share
(`xocean_ml.networks.edm.Denoiser`), and for each field the share is kept with which its spectrum
is near what it was, at wavelengths of 4 to 16 cells. Of the Gaussian that is nearest to the fields
it is 1, and where it makes no difference.

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
"""That are tried, one after the other, of each field as long as it helps."""

GAIN = 0.02
"""How much nearer, in the logarithm of power, a spectrum comes where it helps."""

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
        """How far spectra are from what they were, (fields,): roots of mean squared logarithms."""
        denoiser.shares = [share] * len(wanted)
        made = torch.cat([_led_back(denoiser, *part) for part in parts])
        ratio = (_rough(made, tiles[1]) / wanted).log().square()
        return torch.where(wanted > 0, ratio, 0.0).mean(dim=1).sqrt()

    before, tried = denoiser.shares, [torch.full((len(wanted),), torch.inf)]
    found = torch.zeros(len(wanted), dtype=torch.long)
    still = torch.ones(len(wanted), dtype=torch.bool)
    try:
        for number, share in enumerate(SHARES):
            tried.append(miss(share))
            still &= tried[-2] - tried[-1] > GAIN
            found[still] = number
            if not bool(still.any()):
                break
    finally:
        denoiser.shares = before
    return [SHARES[number] for number in found.tolist()]


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
    """Squares of mean amplitudes of the waves of each band, (fields, bands).

    Of windows of the sea that fade out. Of means of power one lively tile would tell all.
    """
    power = waves(faded(fields * sea)).square()
    y, x = (torch.arange(n) / n for n in power.shape[-2:])
    octave = (2 * torch.log2(torch.hypot(y[:, None], x)) + 2).ceil()
    bands = [power[..., octave == -n].sum(dim=-1) for n in range(BANDS)]
    return torch.stack(bands, dim=-1).sqrt().mean(dim=0).square()
